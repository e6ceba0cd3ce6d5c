"""The privileges a disposable host gets: all of them, or all that this machine can pass on."""

from __future__ import annotations

import re
from pathlib import Path

# By number, as the kernel counts them; engines since 20.10 know these names.
CAPABILITIES = (
    *("CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID"),
    *("SETPCAP", "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW"),
    *("IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE"),
    *("SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME"),
    *("SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP"),
    *("MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ"),
)


def privileges() -> list[str]:
    """Options for `docker create`."""
    bounding = bounding_set(Path("/proc/self/status").read_text())
    granted = [name for number, name in enumerate(CAPABILITIES) if bounding >> number & 1]
    if len(granted) == len(CAPABILITIES):
        return ["--privileged"]
    # `--privileged` asks for all of them, and the engine refuses where one cannot be had.
    security = ["seccomp=unconfined", "systempaths=unconfined"]
    if Path("/sys/kernel/security/apparmor").exists():
        security.append("apparmor=unconfined")
    return [
        *(f"--cap-add={name}" for name in granted),
        *(f"--security-opt={option}" for option in security),
    ]


def bounding_set(status: str) -> int:
    found = re.search(r"^CapBnd:\s*([0-9a-f]+)$", status, re.MULTILINE)
    return int(found.group(1), 16) if found else 0
