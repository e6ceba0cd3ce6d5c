"""One disposable host: create it, wait until its sshd and dockerd work, find it, remove it."""

from __future__ import annotations

import io
import json
import re
import subprocess
import tarfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.hosts import engine, images
from tests.hosts.local import cache_directory, checkout_id, key_pair, new_key, run
from tests.hosts.privileges import privileges

LABEL = "hardhost.test"
READY_SECONDS = 120
# What a scenario shows must not depend on what the distribution publishes meanwhile.
NO_SOURCES = """
cd /etc/apt || exit 0
mkdir -p /root/sources
mv sources.list sources.list.d/* /root/sources/
echo "# none: a disposable host gets no packages behind a scenario's back" > sources.list
"""
NAME = re.compile(r"[a-z][a-z0-9-]{0,40}")


@dataclass(frozen=True)
class Host:
    """A running disposable host and how to reach it."""

    name: str
    os: str
    address: str
    port: int = 22

    @property
    def container(self) -> str:
        return container_name(self.name)

    @property
    def has_repositories(self) -> bool:
        """Whether it would be patched by what the distribution publishes."""
        return False

    @property
    def known_hosts(self) -> Path:
        return known_hosts_file(self.name)

    def ssh_command(self, command: str | None = None) -> list[str]:
        options = [
            f"UserKnownHostsFile={self.known_hosts}",
            *("StrictHostKeyChecking=yes", "ConnectTimeout=10", "BatchMode=yes"),
            *self.connection_options(),
        ]
        words = ["ssh", "-i", str(key_pair()), "-p", str(self.port)]
        for option in options:
            words += ["-o", option]
        words.append(f"root@{self.address}")
        return words if command is None else [*words, command]

    def connection_options(self) -> list[str]:
        return []

    def sh(
        self,
        command: str,
        *,
        stdin: bytes | None = None,
        timeout: float = 120,
        check: bool = True,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a shell command on the host as root, past sshd, which it may be about."""
        words = ["docker", "exec", "-i", self.container, "sh", "-c", command]
        return run(words, stdin=stdin, timeout=timeout, check=check)

    def out(self, command: str, *, timeout: float = 120) -> str:
        return self.sh(command, timeout=timeout).stdout.decode()


def container_name(name: str) -> str:
    return f"hardhost-{checkout_id()}-{name}"


def known_hosts_file(name: str) -> Path:
    directory = cache_directory() / "known_hosts"
    directory.mkdir(exist_ok=True)
    return directory / container_name(name)


def up(name: str, os_name: str) -> Host:
    """Make a new host and return it when its sshd and its engine work."""
    if not NAME.fullmatch(name):
        raise ValueError(f"host name {name!r}: lower-case letters, digits and hyphens only")
    engine.ensure()
    image = images.ensure(os_name)
    down(name)
    run(create_command(name, os_name, image))
    give_keys(name)
    run(["docker", "start", container_name(name)])
    host = find(name)
    host.sh(NO_SOURCES)
    try:
        wait_ready(host)
    except TimeoutError:
        down(name)
        raise
    return host


def create_command(name: str, os_name: str, image: str) -> list[str]:
    labels = {LABEL: checkout_id(), f"{LABEL}.name": name, f"{LABEL}.os": os_name}
    return [
        *("docker", "create", "--name", container_name(name), "--hostname", name),
        *(f"--label={key}={value}" for key, value in labels.items()),
        *("--tmpfs", "/run", "--tmpfs", "/run/lock", "--tmpfs", "/tmp:exec"),
        # An engine's own storage cannot lie on another engine's overlay.
        *("--volume", "/var/lib/docker", "--stop-signal", "SIGRTMIN+3"),
        *("--cgroupns=host", "--volume", "/sys/fs/cgroup:/sys/fs/cgroup:rw"),
        *privileges(),
        *environment(os_name),
        image,
    ]


def environment(os_name: str) -> list[str]:
    if os_name.startswith("debian12") or Path("/sys/fs/cgroup/cgroup.controllers").exists():
        return []
    # systemd 256 and newer start on cgroup v1 only when they are told to.
    legacy = "SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1 systemd.unified_cgroup_hierarchy=0"
    return ["--env", f"SYSTEMD_PROC_CMDLINE={legacy}"]


def give_keys(name: str) -> None:
    """Give a created host a host key of its own and our public key; remember the host key."""
    scratch = cache_directory() / f"host-key-{container_name(name)}"
    new_key(scratch, name)
    public = scratch.with_suffix(".pub")
    files = {
        "etc/ssh/ssh_host_ed25519_key": (scratch.read_bytes(), 0o600),
        "etc/ssh/ssh_host_ed25519_key.pub": (public.read_bytes(), 0o644),
        "root/.ssh/authorized_keys": (key_pair().with_suffix(".pub").read_bytes(), 0o600),
    }
    known_hosts_file(name).write_text(f"* {public.read_text()}")
    run(["docker", "cp", "-", f"{container_name(name)}:/"], stdin=archive(files))
    scratch.unlink()
    public.unlink()


def archive(files: dict[str, tuple[bytes, int]]) -> bytes:
    """A tar of these files, owned by root; the directory of the keys is closed."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        directory = tarfile.TarInfo("root/.ssh")
        directory.type, directory.mode = tarfile.DIRTYPE, 0o700
        tar.addfile(directory)
        for path, (content, mode) in files.items():
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(content), mode
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def wait_ready(host: Host) -> None:
    """Wait until ssh answers and the engine inside works."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if engine_active(host) and ssh_answers(host):
            return
        time.sleep(0.5)
    why = host.sh("systemctl --failed --no-legend; journalctl -n 20 --no-pager", check=False)
    said = why.stdout.decode(errors="replace")
    raise TimeoutError(f"{host.name} is not ready after {READY_SECONDS} s:\n{said}")


def engine_active(host: Host) -> bool:
    command = "systemctl is-active --quiet docker && docker version >/dev/null 2>&1"
    return host.sh(command, check=False, timeout=30).returncode == 0


def ssh_answers(host: Host) -> bool:
    return run(host.ssh_command("true"), check=False, timeout=30).returncode == 0


def find(name: str) -> Host:
    hosts = every()
    for host in hosts:
        if host.name == name:
            return host
    running = ", ".join(host.name for host in hosts) or "none"
    raise LookupError(f"no running host {name!r}; running: {running}")


def every() -> list[Host]:
    """The running hosts of this checkout."""
    listed = run(["docker", "ps", "-q", "--filter", ours()]).stdout.decode().split()
    if not listed:
        return []
    inspected = json.loads(run(["docker", "inspect", *listed]).stdout)
    return sorted((described(container) for container in inspected), key=lambda host: host.name)


def ours() -> str:
    return f"label={LABEL}={checkout_id()}"


def described(container: dict[str, Any]) -> Host:
    labels = container["Config"]["Labels"]
    address = container["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]
    return Host(labels[f"{LABEL}.name"], labels[f"{LABEL}.os"], address)


def down(name: str) -> None:
    """Remove a host of this checkout with its volumes; nothing where there is none."""
    run(["docker", "rm", "--force", "--volumes", container_name(name)], check=False)
    known_hosts_file(name).unlink(missing_ok=True)


def prune() -> list[str]:
    """Remove all hosts of this checkout, also those that stopped."""
    wanted = f'{{{{.Label "{LABEL}.name"}}}}'
    listed = run(["docker", "ps", "-a", "--filter", ours(), "--format", wanted])
    names = listed.stdout.decode().split()
    for name in names:
        down(name)
    return names
