"""One disposable virtual machine: a host with a kernel of its own."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.hosts import machine_images, qemu
from tests.hosts.container_host import NAME, Host, container_name, known_hosts_file
from tests.hosts.engine import start_ticks
from tests.hosts.local import cache_directory, checkout_id, locked, run
from tests.hosts.machine_images import MachineRecipe

BOOT_SECONDS = 600  # under emulation, on a machine that has other things to do
RESUME_SECONDS = 120
END_SECONDS = 20
SLOWER = 4  # what a command may take longer than in a container
READY = "systemctl is-active --quiet docker && docker version >/dev/null 2>&1"
BOOT_ID = "cat /proc/sys/kernel/random/boot_id"


@dataclass(frozen=True)
class VirtualMachine(Host):
    """A running virtual machine and how to reach it."""

    @property
    def has_repositories(self) -> bool:
        """Scenarios install packages on it."""
        return True

    @property
    def directory(self) -> Path:
        return machine_directory(self.name)

    def connection_options(self) -> list[str]:
        """One connection serves many commands: to begin one takes seconds under emulation."""
        path = f"ControlPath={self.directory}/ssh"
        alive = ["ServerAliveInterval=10", "ServerAliveCountMax=6"]
        return ["ControlMaster=auto", path, "ControlPersist=120", "LogLevel=ERROR", *alive]

    def sh(
        self,
        command: str,
        *,
        stdin: bytes | None = None,
        timeout: float = 120,
        check: bool = True,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a shell command on the machine as root; there is no way past its sshd."""
        words = self.ssh_command(f"sh -c {shlex.quote(command)}")
        return run(words, stdin=stdin or b"", timeout=timeout * SLOWER, check=check)

    def out(self, command: str, *, timeout: float = 120) -> str:
        return self.sh(command, timeout=timeout).stdout.decode()

    def reboot(self, seconds: float = BOOT_SECONDS) -> None:
        """Reboot as an operator does, and return when another boot is ready."""
        before = self.out(BOOT_ID)
        # The answer must not be waited for: the network may go before it has come.
        self.sh("(sleep 1; systemctl reboot) >/dev/null 2>&1 </dev/null &")
        self.forget_connection()
        wait_ready(self, seconds, f'[ "$({BOOT_ID})" != {before.strip()} ] && {READY}')

    def forget_connection(self) -> None:
        path = f"ControlPath={self.directory}/ssh"
        run(["ssh", "-O", "exit", "-o", path, "machine"], check=False)
        (self.directory / "ssh").unlink(missing_ok=True)


def machine_directory(name: str) -> Path:
    """Where a machine's disk, console and record lie as long as it exists."""
    directory = cache_directory() / "machines"
    directory.mkdir(exist_ok=True)
    return directory / container_name(name)


def up(name: str, os_name: str) -> VirtualMachine:
    """Make a new machine and return it when its sshd and its engine work."""
    if not NAME.fullmatch(name):
        raise ValueError(f"host name {name!r}: lower-case letters, digits and hyphens only")
    qemu.require()
    recipe = machine_images.ensure(os_name)
    accelerator = qemu.acceleration(recipe.directory / "disk.raw", recipe.directory / "loader.img")
    state = kept(recipe, accelerator)
    down(name)
    try:
        return begin(name, recipe, accelerator, state)
    except (OSError, RuntimeError, TimeoutError) as error:
        down(name)
        print(f"{error}\nIt is booted anew.", file=sys.stderr)  # noqa: T201
        state.unlink(missing_ok=True)
        return begin(name, recipe, accelerator, kept(recipe, accelerator))


def kept(recipe: MachineRecipe, accelerator: tuple[str, ...]) -> Path:
    """The memory of a booted machine of this recipe; it is booted where there is none yet."""
    name = qemu.fingerprint(accelerator)
    state = recipe.directory / f"booted-{name}.state"
    with locked(f"boot-{recipe.os}"):
        if not state.exists():
            boot(recipe, accelerator, state)
    return state


def boot(recipe: MachineRecipe, accelerator: tuple[str, ...], state: Path) -> None:
    """Boot a machine for the first time, and keep it as it is once everything runs."""
    name = f"first-{recipe.os}"
    down(name)
    directory = machine_directory(name)
    directory.mkdir(mode=0o700)
    qemu.overlay(directory / "disk.qcow2", recipe.directory / "disk.raw")
    try:
        machine = start(name, recipe, accelerator, None)
        wait_ready(machine, BOOT_SECONDS, f"systemctl is-system-running --wait; {READY}")
        machine.sh(f"update-grub && {recipe.first_boot or 'true'} && sync", timeout=300)
        machine.forget_connection()
        partial = state.with_suffix(".partial")
        qemu.save(directory, partial)
        wait_ended(directory)
        shutil.move(directory / "disk.qcow2", state.with_suffix(".qcow2"))
        partial.rename(state)
    finally:
        down(name)


def begin(
    name: str, recipe: MachineRecipe, accelerator: tuple[str, ...], state: Path
) -> VirtualMachine:
    """Go on from the kept machine, under a name and with a clock of its own."""
    directory = machine_directory(name)
    directory.mkdir(mode=0o700)
    qemu.overlay(directory / "disk.qcow2", state.with_suffix(".qcow2"))
    machine = start(name, recipe, accelerator, state)
    qemu.resume(directory)
    wait_ready(machine, RESUME_SECONDS, READY)
    machine.sh(
        f"date -s @{int(time.time())}; hostname {name}; echo {name} > /etc/hostname;"
        f" echo '127.0.1.1 {name}' >> /etc/hosts"
    )
    return machine


def start(
    name: str, recipe: MachineRecipe, accelerator: tuple[str, ...], state: Path | None
) -> VirtualMachine:
    directory, port = machine_directory(name), qemu.free_port()
    loader = recipe.directory / "loader.img"
    public = (recipe.directory / "host_key.pub").read_text()
    known_hosts_file(name).write_text(f"* {public}")
    with (directory / "qemu.log").open("ab") as log:
        # Its own session: it outlives this process until it is taken down.
        process = subprocess.Popen(
            qemu.command(directory, loader, accelerator, port, state),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    record = {"name": name, "os": recipe.os, "port": port, "checkout": checkout_id()}
    record |= {"pid": process.pid, "started": start_ticks(process.pid)}
    (directory / "machine.json").write_text(json.dumps(record))
    return VirtualMachine(name, recipe.os, "127.0.0.1", port)


def wait_ready(machine: VirtualMachine, seconds: float, command: str) -> None:
    """Wait until a command succeeds on the machine, as long as it runs at all."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not running(machine.directory):
            break
        try:
            if machine.sh(command, check=False, timeout=60).returncode == 0:
                return
        except subprocess.TimeoutExpired:
            pass
        machine.forget_connection()
        time.sleep(1)
    said = [tail(machine.directory / name) for name in ("qemu.log", "console.log")]
    raise TimeoutError(f"{machine.name} is not ready:\n{''.join(said)}")


def tail(file: Path) -> str:
    lines = file.read_text(errors="replace").splitlines() if file.exists() else []
    return "\n".join([*lines[-15:], ""])


def recorded(directory: Path) -> dict[str, object] | None:
    file = directory / "machine.json"
    if not file.exists():
        return None
    content: dict[str, object] = json.loads(file.read_text())
    return content


def running(directory: Path) -> bool:
    record = recorded(directory)
    return bool(record) and start_ticks(int(str(record["pid"]))) == record["started"]


def every() -> list[VirtualMachine]:
    """The running machines of this checkout."""
    found = [recorded(directory) for directory in directories() if running(directory)]
    return [
        VirtualMachine(str(one["name"]), str(one["os"]), "127.0.0.1", int(str(one["port"])))
        for one in found
        if one
    ]


def directories() -> list[Path]:
    return sorted((cache_directory() / "machines").glob(f"{container_name('')}*"))


def down(name: str) -> None:
    """End a machine of this checkout and remove its disk; nothing where there is none."""
    directory = machine_directory(name)
    if running(directory):
        record = recorded(directory) or {}
        os.kill(int(str(record["pid"])), signal.SIGTERM)
        wait_ended(directory)
    shutil.rmtree(directory, ignore_errors=True)
    known_hosts_file(name).unlink(missing_ok=True)


def wait_ended(directory: Path) -> None:
    deadline = time.monotonic() + END_SECONDS
    while running(directory):
        if time.monotonic() > deadline:
            raise RuntimeError(f"the emulator of {directory.name} does not end")
        time.sleep(0.1)


def prune() -> list[str]:
    """Remove all machines of this checkout, also those that ended."""
    names = [directory.name.removeprefix(container_name("")) for directory in directories()]
    for name in names:
        down(name)
    return names
