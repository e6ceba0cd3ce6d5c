"""Runs on a host, as `python3 -`: prints what a change could have touched, as JSON."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

# The engine that carries the host writes these itself.
CARRIED = ("/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/etc/mtab")


def tree(root: str) -> dict[str, str]:
    """Path -> kind, mode, owner and content of everything below a directory."""
    found = {}
    for directory, names, files in os.walk(root):
        for name in [".", *names, *files]:
            path = str(Path(directory, name))
            if path not in CARRIED:
                found[path] = entry(path)
    return found


def entry(path: str) -> str:
    status = Path(path).lstat()
    what = f"{stat.filemode(status.st_mode)} {status.st_uid}:{status.st_gid}"
    if stat.S_ISLNK(status.st_mode):
        return f"{what} -> {Path(path).readlink()}"
    if stat.S_ISREG(status.st_mode):
        return f"{what} {hashlib.sha256(Path(path).read_bytes()).hexdigest()}"
    return what


def ask(*command: str) -> str | None:
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    if done.returncode != 0:
        return None
    return done.stdout.decode()


def daemon() -> dict[str, Any] | None:
    """What the engine answers, without what changes by itself."""
    info: dict[str, Any] | None = json.loads(ask("docker", "info", "-f", "{{json .}}") or "null")
    if info is None:
        return None
    restless = ("SystemTime", "NFd", "NGoroutines", "NEventsListener", "ID")
    return {key: value for key, value in info.items() if key not in restless}


def bridge() -> dict[str, str] | None:
    found = json.loads(ask("docker", "network", "inspect", "bridge") or "[]")
    return found[0]["Options"] if found else None


def containers() -> dict[str, list[str]]:
    """Running containers: id -> name and pid."""
    known = (ask("docker", "ps", "-q", "--no-trunc") or "").split()
    if not known:
        return {}
    template = "{{.Id}} {{.Name}} {{.State.Pid}}"
    rows = (ask("docker", "inspect", "-f", template, *known) or "").splitlines()
    return {row.split()[0]: row.split()[1:] for row in rows}


def process() -> list[int] | None:
    """The daemon's process: pid and start time since boot; None where none runs."""
    pid = (ask("systemctl", "show", "-p", "MainPID", "--value", "docker") or "0").strip()
    if pid == "0":
        return None
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return [int(pid), int(fields[19])]


def main() -> None:
    observed = {
        "etc": tree("/etc"),
        "state": tree("/var/lib/hardhost"),
        "daemon": daemon(),
        "bridge": bridge(),
        "containers": containers(),
        "all_containers": sorted((ask("docker", "ps", "-aq", "--no-trunc") or "").split()),
        "images": sorted((ask("docker", "images", "-q", "--no-trunc") or "").split()),
        "process": process(),
    }
    json.dump(observed, sys.stdout)


main()
