"""In a container: tries by name what a policy should prevent. Prints {attempt: errno, 0: done}."""

from __future__ import annotations

import ctypes
import json
import os
import socket
import sys
from pathlib import Path

PTRACE_TRACEME = 0
libc = ctypes.CDLL(None, use_errno=True)


def system(result: int) -> None:
    if result < 0:
        raise OSError(ctypes.get_errno(), "")


def write(path: str) -> None:
    """Write back what is there: harmless where it is allowed."""
    with Path(path).open("rb") as stream:
        data = stream.read()
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, data)
    finally:
        os.close(descriptor)


def read(path: str) -> None:
    with Path(path).open("rb") as stream:
        stream.read(1)


def terminal(path: str) -> None:
    """Open the terminal of somebody else: who reads there reads what is typed."""
    os.close(os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK))


def directory(path: str) -> None:
    Path(path).mkdir()
    Path(path).rmdir()


def file(path: str) -> None:
    Path(path).touch(exist_ok=False)
    Path(path).unlink()


def opened(family: int, kind: int, protocol: int = 0) -> None:
    socket.socket(family, kind, protocol).close()


def mount() -> None:
    system(libc.mount(b"none", b"/mnt", b"tmpfs", 0, None))
    system(libc.umount(b"/mnt"))


def ptrace() -> None:
    """A child lets itself be traced by its parent."""
    child = os.fork()
    if child == 0:
        system_error = 0
        if libc.ptrace(PTRACE_TRACEME, 0, None, None) < 0:
            system_error = ctypes.get_errno()
        os._exit(system_error)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code:
        raise OSError(code, "")


def connect(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)


def ordinary() -> None:
    """What every container may do."""
    opened(socket.AF_INET, socket.SOCK_STREAM)
    opened(socket.AF_INET6, socket.SOCK_DGRAM)
    Path("/tmp/file").write_text("text")
    os.chown("/tmp/file", 1, 1)
    read("/etc/own")
    assert os.system("/bin/true") == 0
    os.kill(os.getpid(), 0)


ATTEMPTS = {
    "ordinary": ordinary,
    "raw_socket": lambda: opened(socket.AF_INET, socket.SOCK_RAW, 1),
    "packet_socket": lambda: opened(socket.AF_PACKET, socket.SOCK_RAW),
    "af_alg": lambda: opened(socket.AF_ALG, socket.SOCK_SEQPACKET),
    "mount": mount,
    "ptrace": ptrace,
    "sysctl": lambda: write("/proc/sys/kernel/printk"),
    "sysfs": lambda: write("/sys/module/printk/parameters/time"),
    "kernel_log": lambda: read("/dev/kmsg"),
    "kernel_memory": lambda: read("/proc/kcore"),
    "disk": lambda: read("/dev/vda"),
    "host_sysctl": lambda: write("/host/proc/sys/kernel/core_pattern"),
    "host_sysfs": lambda: write("/host/sys/module/printk/parameters/time"),
    "host_devices": lambda: write("/host/sys/block/vda/queue/iostats"),
    "host_cgroup": lambda: directory("/host/sys/fs/cgroup/attack"),
    "host_kernel_log": lambda: read("/host/dev/kmsg"),
    "host_kernel_memory": lambda: read("/host/proc/kcore"),
    "host_disk": lambda: read("/host/dev/vda"),
    "host_terminal": lambda: terminal("/host/dev/console"),
    "host_file": lambda: file("/host/etc/profile.d/attack.sh"),
    "docker_socket": lambda: connect("/host/run/docker.sock"),
    "shadow": lambda: read("/host/etc/shadow"),
    "host_key": lambda: read("/host/etc/ssh/ssh_host_ed25519_key"),
    "data_root": lambda: read("/host/var/lib/docker/secret"),
    "other_container": lambda: read("/other/own"),
}


def main() -> None:
    found = {}
    for name in sys.argv[1:]:
        try:
            ATTEMPTS[name]()
            found[name] = 0
        except OSError as error:
            found[name] = error.errno or -1
    json.dump(found, sys.stdout)


main()
