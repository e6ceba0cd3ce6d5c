"""The only writer: our files are replaced, everybody else's stay, links are not followed."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.errors import RefusedOutput
from generator.journal import JOURNAL, SPARE, UNFINISHED
from generator.render import MANIFEST, manifest
from generator.write import Written, prepare, read_manifest, write

FILES = {
    "site.yml": b"one\n",
    "roles/a/tasks/main.yml": b"two\n",
    "roles/b/tasks/main.yml": b"three\n",
}


def project(files: dict[str, bytes]) -> dict[str, bytes]:
    return {**files, MANIFEST: manifest(files)}


def put(directory: Path, files: dict[str, bytes], *, force: bool = False) -> Written:
    return write(prepare(directory, project(files), force=force))


def refusal(directory: Path, files: dict[str, bytes]) -> list[str]:
    with pytest.raises(RefusedOutput) as raised:
        prepare(directory, project(files))
    return [message.removeprefix(f"{directory}/") for message in raised.value.messages()]


def present(directory: Path) -> dict[str, bytes]:
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


def test_everything_is_written_and_sha256sum_agrees(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    assert put(out, FILES) == Written(4, 0, 0, ())
    assert present(out) == project(FILES)
    subprocess.run(
        ["sha256sum", "-c", "--strict", MANIFEST], cwd=out, check=True, capture_output=True
    )
    assert (out / "site.yml").stat().st_mode & 0o777 == 0o644


def test_the_second_time_nothing_is_touched(tmp_path: Path) -> None:
    put(tmp_path, FILES)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert put(tmp_path, FILES) == Written(0, 4, 0, ())
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_what_is_no_longer_needed_goes_with_its_empty_directories(tmp_path: Path) -> None:
    put(tmp_path, FILES)
    fewer = {name: content for name, content in FILES.items() if "roles/b" not in name}
    assert put(tmp_path, fewer).removed == 1
    assert not (tmp_path / "roles/b").exists()
    assert present(tmp_path) == project(fewer)


def test_files_of_others_stay(tmp_path: Path) -> None:
    put(tmp_path, FILES)
    (tmp_path / "inventory").write_text("mine\n")
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars/all.yml").write_text("mine: 1\n")
    (tmp_path / "roles/b/notes").write_text("mine\n")
    put(tmp_path, {"site.yml": b"one\n"})
    assert sorted(present(tmp_path)) == [
        MANIFEST,
        "group_vars/all.yml",
        "inventory",
        "roles/b/notes",
        "site.yml",
    ]


def test_a_file_modified_by_hand_stops_everything_before_it_begins(tmp_path: Path) -> None:
    put(tmp_path, FILES)
    (tmp_path / "site.yml").write_text("mine\n")
    (tmp_path / "roles/b/tasks/main.yml").write_text("mine too\n")
    before = present(tmp_path)
    assert refusal(tmp_path, {"site.yml": b"new\n", "roles/a/tasks/main.yml": b"new\n"}) == [
        "roles/b/tasks/main.yml: modified by hand since it was rendered; remove it, or use --force",
        "site.yml: modified by hand since it was rendered; remove it, or use --force",
    ]
    assert present(tmp_path) == before


def test_force_overwrites_but_never_deletes_what_was_modified(tmp_path: Path) -> None:
    put(tmp_path, FILES)
    (tmp_path / "site.yml").write_text("mine\n")
    (tmp_path / "roles/b/tasks/main.yml").write_text("mine too\n")
    written = put(tmp_path, {"site.yml": b"new\n"}, force=True)
    assert written.kept == ("roles/b/tasks/main.yml",)
    assert (tmp_path / "site.yml").read_bytes() == b"new\n"
    assert (tmp_path / "roles/b/tasks/main.yml").read_text() == "mine too\n"


def test_a_file_that_was_there_before_us_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "site.yml").write_text("mine\n")
    assert refusal(tmp_path, FILES) == [
        "site.yml: exists and was not rendered; remove it, or use --force"
    ]
    (tmp_path / "site.yml").write_bytes(FILES["site.yml"])
    put(tmp_path, FILES)


def test_a_render_that_was_killed_half_way_can_be_repeated(tmp_path: Path) -> None:
    put(tmp_path, FILES)
    newer = {**FILES, "site.yml": b"newer\n"}
    (tmp_path / "site.yml").write_bytes(newer["site.yml"])
    assert put(tmp_path, newer).changed == 1, "only the manifest was left to write"


KILLED = """
import itertools, os, signal, sys
from pathlib import Path
from generator.journal import UNFINISHED
from generator.render import MANIFEST, manifest
from generator.write import prepare, write

def render(out, letter, names):
    files = {name: f"{name} {letter}".encode() for name in names}
    files[MANIFEST] = manifest(files)
    write(prepare(out, files))
    return files

def dying(event, arguments):
    global left
    changes = event in ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod")
    if changes or event == "open" and "w" in str(arguments[1]):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

def killed(out, letter, names, number):
    global left
    child = os.fork()
    if child == 0:
        left = number
        sys.addaudithook(dying)
        render(out, letter, names)
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])

def present(out):
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}

for number in itertools.count(1):
    out = Path(sys.argv[1], str(number))
    one = render(out, "one", ["site.yml", "roles/a/x", "roles/b/y"])
    more = killed(out, "two", ["site.yml", "roles/a/x", "roles/c/z"], number)
    left_by_two = present(out)
    assert left_by_two == one or not more or (out / UNFINISHED).exists(), left_by_two
    killed(out, "three", ["site.yml", "roles/a/x", "roles/d/v"], number)
    last = render(out, "four", ["site.yml", "roles/e/w"])
    assert present(out) == last, present(out)
    assert not (out / "roles/a").exists() and not (out / UNFINISHED).exists()
    if not more:
        print(number)
        break
"""


def test_a_render_that_is_killed_anywhere_can_be_followed_by_any_other(tmp_path: Path) -> None:
    """By SIGKILL before its n-th change, for every n; and the next one too, each with other content."""
    words = [sys.executable, "-c", KILLED, str(tmp_path)]
    root = Path(__file__).parents[3]
    done = subprocess.run(words, cwd=root, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 15, "the points at which it was killed"


def test_what_an_interrupted_render_wrote_is_not_by_hand_but_what_came_after_it_is(
    tmp_path: Path,
) -> None:
    put(tmp_path, FILES)
    (tmp_path / "roles/b/tasks/main.yml").unlink()
    (tmp_path / "roles/b/tasks/main.yml").mkdir()  # in the way: the render ends half way
    with pytest.raises(RefusedOutput, match="cannot be written"):
        put(tmp_path, dict.fromkeys(FILES, b"newer\n"), force=True)
    assert (tmp_path / UNFINISHED).is_dir()
    (tmp_path / "roles/b/tasks/main.yml").rmdir()
    (tmp_path / "site.yml").write_text("mine\n")
    assert refusal(tmp_path, dict.fromkeys(FILES, b"newest\n")) == [
        "site.yml: modified by hand since it was rendered; remove it, or use --force"
    ]
    (tmp_path / "site.yml").unlink()
    put(tmp_path, dict.fromkeys(FILES, b"newest\n"))
    assert not (tmp_path / UNFINISHED).exists()


@pytest.mark.parametrize(
    "place",
    ["roles", "roles/a", "roles/a/tasks/main.yml", MANIFEST, UNFINISHED, JOURNAL, SPARE],
)
def test_links_are_not_followed_out_of_the_directory(tmp_path: Path, place: str) -> None:
    out, outside = tmp_path / "out", tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("precious\n")
    target = outside / "file" if place.endswith(("yml", MANIFEST, "journal")) else outside
    (out / place).parent.mkdir(parents=True)
    (out / place).symlink_to(target)
    assert refusal(out, FILES) == [f"{place}: a symbolic link; remove it"]
    with pytest.raises(RefusedOutput):
        prepare(out, project(FILES), force=True)
    assert present(outside) == {"file": b"precious\n"}


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "a/../../outside", ""])
def test_a_manifest_cannot_name_files_elsewhere(tmp_path: Path, name: str) -> None:
    (tmp_path / "outside").write_text("precious\n")
    out = tmp_path / "out"
    out.mkdir()
    digest = hashlib.sha256(b"precious\n").hexdigest()
    (out / MANIFEST).write_text(f"{digest}  {name}\n")
    assert refusal(out, FILES) == [f"{MANIFEST}:1: not a line of a manifest"]
    assert (tmp_path / "outside").exists()


def test_a_file_where_a_directory_must_be(tmp_path: Path) -> None:
    (tmp_path / "roles").write_text("a file\n")
    change = prepare(tmp_path, project(FILES))
    with pytest.raises(RefusedOutput, match="cannot be written"):
        write(change)
    assert present(tmp_path).keys() == {"roles", JOURNAL}
    (tmp_path / "roles").unlink()
    put(tmp_path, FILES)
    assert present(tmp_path) == project(FILES)


def test_the_output_must_be_a_directory(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file\n")
    with pytest.raises(RefusedOutput, match="out: not a directory"):
        prepare(tmp_path / "out", project(FILES))


def test_the_manifest_is_read_back(tmp_path: Path) -> None:
    put(tmp_path, FILES)
    assert read_manifest(tmp_path) == {
        name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()
    }


NAMES = st.sampled_from(["a", "b", "d/a", "d/b", "d/e/f"])
TREES = st.dictionaries(NAMES, st.binary(max_size=3), max_size=5)


@given(first=TREES, second=TREES, foreign=st.sampled_from(["x", "d/x", "d/e/x"]))
def test_after_any_two_renders_the_directory_holds_the_second_and_what_was_not_ours(
    tmp_path_factory: pytest.TempPathFactory,
    first: dict[str, bytes],
    second: dict[str, bytes],
    foreign: str,
) -> None:
    out = tmp_path_factory.mktemp("out")
    put(out, first)
    (out / foreign).parent.mkdir(parents=True, exist_ok=True)
    (out / foreign).write_bytes(b"mine")
    put(out, second)
    assert present(out) == {**project(second), foreign: b"mine"}


# -- hostile directories ---------------------------------------------------------------------------


def test_an_output_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "out").symlink_to("precious")
    with pytest.raises(RefusedOutput, match="out: a symbolic link; give the directory"):
        prepare(tmp_path / "out", project(FILES), force=True)
    assert present(tmp_path / "precious") == {}


def test_a_link_that_appears_before_writing_is_refused(tmp_path: Path) -> None:
    """Between the look and the write somebody puts a link in the way."""
    (tmp_path / "precious").mkdir()
    change = prepare(tmp_path / "out", project(FILES))
    (tmp_path / "out").mkdir()
    (tmp_path / "out/roles").symlink_to(tmp_path / "precious")
    with pytest.raises(RefusedOutput, match="roles: a symbolic link"):
        write(change)
    assert present(tmp_path / "precious") == {}


@pytest.fixture
def nobody() -> Iterator[None]:
    """Without root's right to write everywhere."""
    if os.geteuid() != 0:
        yield
        return
    os.setegid(65534)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


@pytest.mark.parametrize("mode", [0o000, 0o555])
def test_a_directory_without_permission_is_told_and_not_touched(mode: int, nobody: None) -> None:
    with tempfile.TemporaryDirectory() as name:
        out = Path(name, "out")
        out.mkdir()
        out.chmod(mode)
        try:
            with pytest.raises(RefusedOutput, match=r"out.*: Permission denied"):
                put(out, FILES)
        finally:
            out.chmod(0o755)
        assert present(out) == {}


ONE_OF_TWO = """
import sys
from pathlib import Path
from generator.errors import RefusedOutput
from generator.journal import JOURNAL, SPARE, UNFINISHED
from generator.render import MANIFEST, manifest
from generator.write import prepare, write
files = {f"d{number % 7}/f{number}": sys.argv[2].encode() * 9000 for number in range(60)}
for _ in range(6):
    write(prepare(Path(sys.argv[1]), {**files, MANIFEST: manifest(files)}))
"""


def test_two_at_once_leave_one_whole_project(tmp_path: Path) -> None:
    """Each waits for the other; at the end all files are of the one whose manifest is there."""
    words = [sys.executable, "-c", ONE_OF_TWO, str(tmp_path)]
    root = Path(__file__).parents[3]
    running = [subprocess.Popen([*words, letter], cwd=root) for letter in "ab"]
    assert [one.wait(timeout=60) for one in running] == [0, 0]
    contents = {path.read_bytes()[:1] for path in tmp_path.rglob("f*")}
    assert contents in ({b"a"}, {b"b"})
    subprocess.run(["sha256sum", "-c", "--strict", "--quiet", MANIFEST], cwd=tmp_path, check=True)
    assert not list(tmp_path.rglob(".*"))
