"""The emulator: its command line, what accelerates it here, and its control socket."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from tests.hosts.local import HostsUnavailableError, cache_directory, locked, run

PROGRAM = "qemu-system-x86_64"
MEMORY = 1536
PROCESSORS = 2
LIFE_SECONDS = 4 * 3600  # of a machine that everybody has forgotten
KVM_PROBE_SECONDS = 40
SAVE_SECONDS = 120
# Without these two, kernel and programs clear and copy memory by words instead of by bytes: an
# emulated boot takes a quarter less.
TCG = ("-accel", "tcg,thread=multi,tb-size=1024", "-cpu", "max,-erms,-fsrm")
KVM = ("-accel", "kvm", "-cpu", "max")


def require() -> None:
    missing = [name for name in (PROGRAM, "qemu-img") if not shutil.which(name)]
    if missing:
        raise HostsUnavailableError(
            f"no virtual machine can be made: {', '.join(missing)} is not installed"
        )


def acceleration(disk: Path, loader: Path) -> tuple[str, ...]:
    return KVM if kvm_works(disk, loader) else TCG


def kvm_works(disk: Path, loader: Path) -> bool:
    """Whether a guest really runs under KVM: there are machines on which it opens and hangs."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    known = cache_directory() / f"kvm-{boot}"
    with locked("kvm"):
        if not known.exists():
            known.write_text("yes" if boots(disk, loader) else "no")
    return known.read_text() == "yes"


def boots(disk: Path, loader: Path) -> bool:
    """Boot a disk as a machine would, until its service manager has a word to say."""
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        overlay(directory / "disk.qcow2", disk)
        words = command(directory, loader, KVM, free_port(), None)
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            return _greets(process, directory / "console.log")
        finally:
            process.terminate()
            process.wait(timeout=30)


def _greets(process: subprocess.Popen[bytes], console: Path) -> bool:
    deadline = time.monotonic() + KVM_PROBE_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if console.exists() and b"Welcome to" in console.read_bytes():
            return True
        time.sleep(0.2)
    return False


@cache
def version() -> str:
    said = run([PROGRAM, "--version"]).stdout.decode()
    found = re.search(r"version (\S+)", said)
    return found.group(1) if found else "unknown"


def fingerprint(accelerator: tuple[str, ...]) -> str:
    """What a kept machine depends on; under KVM on this machine's processor too."""
    parts = [*accelerator, version(), str(MEMORY), str(PROCESSORS)]
    if accelerator == KVM:
        text = Path("/proc/cpuinfo").read_text().partition("\n\n")[0]
        parts += [line for line in text.splitlines() if line.startswith(("model", "flags"))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def command(
    directory: Path, loader: Path, accelerator: tuple[str, ...], port: int, state: Path | None
) -> list[str]:
    """A machine with its disk, console and control socket in a directory, ssh on a port."""
    return [
        # Whoever starts a machine ends it; where that was killed too, this limit does.
        *("timeout", "--kill-after=10", str(LIFE_SECONDS)),
        *(PROGRAM, *accelerator, "-machine", "q35", "-smp", str(PROCESSORS)),
        *("-m", str(MEMORY), "-display", "none", "-nodefaults", "-rtc", "base=utc"),
        *("-kernel", str(loader), "-serial", f"file:{directory / 'console.log'}"),
        *("-drive", f"file={directory / 'disk.qcow2'},if=virtio,format=qcow2,cache=unsafe"),
        *("-netdev", f"user,id=net,hostfwd=tcp:127.0.0.1:{port}-:22"),
        *("-device", "virtio-net-pci,netdev=net", "-device", "virtio-rng-pci"),
        *("-qmp", f"unix:{directory / 'control'},server=on,wait=off"),
        *(("-incoming", f"exec:cat {state}") if state else ()),
    ]


def overlay(disk: Path, base: Path) -> None:
    """An empty disk on top of one that stays as it is."""
    form = "raw" if base.suffix == ".raw" else "qcow2"
    run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(base), "-F", form, str(disk)])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Control:
    """One conversation with a running emulator."""

    def __init__(self, connection: socket.socket) -> None:
        self.stream = connection.makefile("rw")
        self.stream.readline()  # the greeting
        self.ask("qmp_capabilities")

    def ask(self, name: str, **arguments: Any) -> Any:
        self.stream.write(json.dumps({"execute": name, "arguments": arguments}) + "\n")
        self.stream.flush()
        while True:
            answer = json.loads(self.stream.readline())
            if "error" in answer:
                raise RuntimeError(f"qemu: {name}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]


@contextmanager
def control(directory: Path) -> Iterator[Control]:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(60)
        connection.connect(str(directory / "control"))
        yield Control(connection)


def resume(directory: Path) -> None:
    """Let a machine run whose memory is being read from a file."""
    deadline = time.monotonic() + SAVE_SECONDS
    while not (directory / "control").exists():
        if time.monotonic() > deadline:
            raise RuntimeError("qemu: the control socket does not appear")
        time.sleep(0.1)
    with control(directory) as conversation:
        while conversation.ask("query-status")["status"] == "inmigrate":
            if time.monotonic() > deadline:
                raise RuntimeError("qemu: the kept machine cannot be read")
            time.sleep(0.2)
        conversation.ask("cont")


def save(directory: Path, state: Path) -> None:
    """Keep a running machine's memory in a file and end it; its disk is from that moment on."""
    with control(directory) as conversation:
        conversation.ask("stop")
        conversation.ask("migrate-set-parameters", **{"max-bandwidth": 10**10})
        conversation.ask("migrate", uri=f"exec:cat > {state}")
        deadline = time.monotonic() + SAVE_SECONDS
        while (status := conversation.ask("query-migrate").get("status")) != "completed":
            if status in ("failed", "cancelled") or time.monotonic() > deadline:
                raise RuntimeError(f"qemu: the machine could not be kept: {status}")
            time.sleep(0.2)
        conversation.ask("quit")
