"""The probe image is what its source says, and each of its commands does what probes rely on."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import subprocess
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "probe"
SHIPPED = ROOT / "roles" / "docker_restart" / "files"
COMPILERS = {"amd64": "x86_64-linux-gnu-gcc", "arm64": "aarch64-linux-gnu-gcc"}
EMULATORS = {"amd64": "qemu-x86_64-static", "arm64": "qemu-aarch64-static"}
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
ELF_MACHINES = {"amd64": 62, "arm64": 183}
ARCHITECTURES = sorted(COMPILERS)
LISTENING = b"listening\n"

Probe = Callable[..., subprocess.CompletedProcess[str]]


def missing(what: str) -> None:
    """A machine that lacks a tool says so; on a build server that is a failure."""
    message = f"{what} is not installed"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


def build(architecture: str, directory: Path) -> Path:
    for tool in ("make", "tar", COMPILERS[architecture]):
        if shutil.which(tool) is None:
            missing(tool)
    command = ["make", "--directory", str(SOURCE), f"OUT={directory}", architecture]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return directory / f"probe-{architecture}.tar"


def unpack(archive: Path, name: str, target: Path) -> Path:
    with tarfile.open(archive) as image:
        member = image.extractfile(name)
        assert member is not None
        target.write_bytes(member.read())
    target.chmod(0o755)
    return target


def command_for(architecture: str, program: Path) -> list[str]:
    if MACHINES[architecture] == platform.machine():
        return [str(program)]
    emulator = shutil.which(EMULATORS[architecture])
    if emulator is None:
        missing(EMULATORS[architecture])
    return [str(emulator), str(program)]


@pytest.fixture(scope="module", params=ARCHITECTURES)
def architecture(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module", params=["shipped", "rebuilt"])
def prefix(
    request: pytest.FixtureRequest, architecture: str, tmp_path_factory: pytest.TempPathFactory
) -> list[str]:
    """The command line that starts the program of the shipped and of a freshly built image."""
    directory = tmp_path_factory.mktemp("probe")
    if request.param == "shipped":
        archive = SHIPPED / f"probe-{architecture}.tar"
    else:
        archive = build(architecture, directory)
    return command_for(architecture, unpack(archive, "probe", directory / "program"))


@pytest.fixture
def probe(prefix: list[str]) -> Probe:
    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [*prefix, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)

    return run


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextmanager
def listening(prefix: list[str], port: int, seconds: int) -> Iterator[subprocess.Popen[bytes]]:
    """A running `listen` that has said that it does."""
    command = [*prefix, "listen", str(port), str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == LISTENING
            yield process
        finally:
            process.kill()


@contextmanager
def answering(answer: bytes) -> Iterator[int]:
    """A server on its own port that sends `answer` once and, with none, only holds the line."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(answer)
                if not answer:
                    connection.recv(1)

        thread = threading.Thread(target=serve)
        thread.start()
        yield int(server.getsockname()[1])
        thread.join(timeout=10)


def test_image_holds_the_program_twice_and_mount_points(architecture: str) -> None:
    with tarfile.open(SHIPPED / f"probe-{architecture}.tar") as image:
        members = {member.name: member for member in image}
        programs = [image.extractfile(name) for name in ("probe", "probe-suid")]
        contents = [program.read() for program in programs if program is not None]
    modes = {name: (member.isdir(), member.mode) for name, member in members.items()}
    assert modes == {
        "dev": (True, 0o755),
        "etc": (True, 0o755),
        "probe": (False, 0o755),
        "probe-suid": (False, 0o4755),
        "proc": (True, 0o755),
        "sys": (True, 0o755),
    }
    assert {(member.uid, member.gid, member.mtime) for member in members.values()} == {(0, 0, 0)}
    assert contents[0] == contents[1]
    assert int.from_bytes(contents[0][18:20], "little") == ELF_MACHINES[architecture]
    assert len(contents[0]) < 8192


def test_source_gives_the_shipped_bytes(architecture: str, tmp_path: Path) -> None:
    """Another toolchain may give other bytes: then only the behaviour is compared, below."""
    archive = build(architecture, tmp_path)
    used = (tmp_path / f"toolchain-{architecture}.txt").read_text()
    noted = (SOURCE / f"toolchain-{architecture}.txt").read_text()
    shipped = (SHIPPED / f"probe-{architecture}.tar").read_bytes()
    same = archive.read_bytes() == shipped
    if used != noted and not same:
        pytest.skip(f"built with {used.splitlines()}, the shipped image with {noted.splitlines()}")
    assert same


@pytest.mark.parametrize("arguments", [(), ("exit",)])
def test_exits_with_zero(probe: Probe, arguments: tuple[str, ...]) -> None:
    done = probe(*arguments)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    "arguments",
    [
        "statu",
        "",
        "exit 1",
        "sleep",
        "sleep -1",
        "sleep 1x",
        "listen 80",
        "listen 0 1",
        "listen 65536 1",
        "connect 127.0.0.1",
        "connect 127.0.0.256 80",
        "connect 127.0.0 80",
        "connect 127.0.0.1.1 80",
        "connect localhost 80",
        "connect 127.0.0.1 80 0",
        "connect 127.0.0.1 80 1 1",
    ],
)
def test_what_it_does_not_know_is_an_error(probe: Probe, arguments: str) -> None:
    done = probe(*arguments.split(" "))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("usage: ")


def test_sleep_ends_by_itself(probe: Probe) -> None:
    assert probe("sleep", 0).returncode == 0


def test_sleep_is_still_there_until_it_is_stopped(prefix: list[str]) -> None:
    with subprocess.Popen([*prefix, "sleep", "60"]) as process:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.3)
        process.terminate()
        assert process.wait(5) == 143


def test_status_shows_what_the_kernel_says_of_it(probe: Probe) -> None:
    done = probe("status")
    assert done.returncode == 0
    sections = dict(part.split("\n", 1) for part in done.stdout.split("--- ")[1:])
    assert list(sections) == ["/proc/self/status", "/proc/self/uid_map", "/proc/self/limits", "ids"]
    status = sections["/proc/self/status"]
    assert f"\nPPid:\t{os.getpid()}\n" in status
    assert "\nNoNewPrivs:\t0\n" in status
    assert sections["/proc/self/uid_map"] == Path("/proc/self/uid_map").read_text()
    assert "Max open files" in sections["/proc/self/limits"]
    assert sections["ids"] == f"uid={os.getuid()} euid={os.geteuid()}\n"


def test_ids_are_its_own(probe: Probe) -> None:
    assert probe("ids").stdout == f"uid={os.getuid()} euid={os.geteuid()}\n"


@pytest.mark.parametrize(("option", "effective"), [([], 0), (["--no-new-privs"], 65534)])
def test_ids_tell_whether_the_setuid_copy_gained_anything(
    tmp_path_factory: pytest.TempPathFactory, option: list[str], effective: int
) -> None:
    if os.geteuid() != 0 or os.statvfs(tmp_path_factory.getbasetemp()).f_flag & os.ST_NOSUID:
        pytest.skip("needs root and a directory where setuid counts")
    machines = {machine: name for name, machine in MACHINES.items()}
    archive = SHIPPED / f"probe-{machines[platform.machine()]}.tar"
    program = unpack(archive, "probe-suid", tmp_path_factory.mktemp("suid") / "program")
    program.chmod(0o4755)
    descriptor = os.open(program, os.O_RDONLY)
    os.set_inheritable(descriptor, True)
    command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *option]
    done = subprocess.run(
        [*command, f"/proc/self/fd/{descriptor}", "ids"],
        capture_output=True,
        text=True,
        check=True,
        pass_fds=[descriptor],
    )
    os.close(descriptor)
    assert done.stdout == f"uid=65534 euid={effective}\n"


def test_connects_to_a_listener_more_than_once(prefix: list[str], probe: Probe) -> None:
    port = free_port()
    with listening(prefix, port, 60):
        for _ in range(2):
            done = probe("connect", "127.0.0.1", port)
            assert (done.returncode, done.stdout) == (0, "connected\n")


def test_a_silent_client_does_not_hold_the_listener(prefix: list[str], probe: Probe) -> None:
    port = free_port()
    with (
        listening(prefix, port, 60),
        socket.create_connection(("127.0.0.1", port)),
    ):
        assert probe("connect", "127.0.0.1", port).returncode == 0


def test_listener_ends_in_time(prefix: list[str]) -> None:
    with listening(prefix, free_port(), 1) as process:
        assert process.wait(5) == 0


def test_listener_stops_when_told(prefix: list[str]) -> None:
    with listening(prefix, free_port(), 60) as process:
        process.terminate()
        assert process.wait(5) == 143


def test_listener_says_that_the_port_is_taken(probe: Probe) -> None:
    with socket.create_server(("0.0.0.0", 0)) as server:
        done = probe("listen", server.getsockname()[1], 5)
    assert (done.returncode, done.stdout) == (1, "cannot listen errno=98\n")


def test_connect_tells_a_closed_port(probe: Probe) -> None:
    done = probe("connect", "127.0.0.1", free_port())
    assert (done.returncode, done.stdout) == (1, "refused\n")


def test_connect_tells_that_no_answer_came(probe: Probe) -> None:
    with answering(b"") as port:
        done = probe("connect", "127.0.0.1", port, 1)
    assert (done.returncode, done.stdout) == (1, "timeout\n")


@pytest.mark.parametrize("answer", [b"hardhosT\n", b"hard", b"HTTP/1.1 200 OK\r\n"])
def test_connect_tells_that_another_program_answers(probe: Probe, answer: bytes) -> None:
    with answering(answer) as port:
        done = probe("connect", "127.0.0.1", port)
    assert (done.returncode, done.stdout) == (1, "unexpected answer\n")


def test_connect_tells_the_error_of_the_kernel(probe: Probe) -> None:
    """Linux knows no TCP to the broadcast address, whatever the routes are."""
    done = probe("connect", "255.255.255.255", 80, 1)
    assert (done.returncode, done.stdout) == (1, "unreachable errno=101\n")


def test_afalg_tells_what_the_kernel_answers(probe: Probe) -> None:
    try:
        socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET).close()
        expected = (0, "errno=0\n")
    except OSError as error:
        expected = (1, f"errno={error.errno}\n")
    done = probe("afalg")
    assert (done.returncode, done.stdout) == expected


@pytest.mark.parametrize("allowed", [True, False])
def test_rawsocket_tells_what_the_kernel_answers(prefix: list[str], allowed: bool) -> None:
    """Who may not, gets EPERM; that AppArmor and SELinux say EACCES is for their scenarios."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    without = [] if allowed else ["setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw"]
    words = [*without, *prefix, "rawsocket"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=20, check=False)
    expected = (0, "errno=0\n") if allowed else (1, "errno=1\n")
    assert (done.returncode, done.stdout) == expected


@pytest.mark.parametrize("allowed", [True, False])
def test_mount_tells_what_the_kernel_answers(prefix: list[str], allowed: bool) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    apart = ["unshare", "--mount", "--propagation=private"]
    without = [] if allowed else ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"]
    words = [*apart, *without, *prefix, "mount"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=20, check=False)
    expected = (0, "errno=0\n") if allowed else (1, "errno=1\n")
    assert (done.returncode, done.stdout) == expected
