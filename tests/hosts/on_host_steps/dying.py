"""On a host under test: kills the Python that loads it before its n-th effect, by SIGKILL.

Loaded by a `.pth` file into every Python of the host; idle without `/run/dying.json`:
`{program, at, how}`. With `at` 0 it only lists the effects in `/run/dying.log`; with `how` "wait"
it stands still there, until the host is killed around it. An audit hook sees the effects, so the
code under test knows nothing of it. An effect makes the host another one: a temporary file is none,
its renaming is; so whoever is killed before each of them has left every state there can be.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time

REQUEST, LOG, NOW = "/run/dying.json", "/run/dying.log", "/run/dying.now"
PLACES = ("/etc/", "/var/lib/hardhost")
NOT_OURS = (
    "/__pycache__",
    "/job/ansible",
)  # Python's own files, and sources that nobody runs before all are there
READS = re.compile(
    r"systemctl show|journalctl|--version|--validate|apt-cache|modprobe|systemd-analyze|^date "
)
TEMPORARY = "/.hardhost-"  # has no name that counts before it is renamed


def begin() -> None:
    try:
        with open(REQUEST) as stream:
            request = json.load(stream)
        with open("/proc/self/cmdline") as stream:
            command = stream.read()
    except OSError:
        return
    if request["program"] in command:
        sys.addaudithook(Counter(request["at"], request["how"]))


class Counter:
    """Counts effects and ends the process before the n-th."""

    def __init__(self, at: int, how: str) -> None:
        self.at, self.how, self.count, self.busy = at, how, 0, False

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        if self.busy:
            return
        effect = named(event, arguments)
        if not effect:
            return
        self.busy = True
        try:
            self.count += 1
            if self.count == self.at:
                os.remove(REQUEST)  # once: who is started again shall live
                if self.how == "wait":
                    with open(NOW, "w"):
                        time.sleep(120)
                os.kill(os.getpid(), signal.SIGKILL)
            if self.at == 0:
                with open(LOG, "a") as stream:
                    stream.write(effect + "\n")
        finally:
            self.busy = False


def named(event: str, arguments: tuple[object, ...]) -> str:
    """The name of an effect on the host; "" for what changes nothing there."""
    if event == "subprocess.Popen":
        words = " ".join(str(word) for word in arguments[1])  # type: ignore[attr-defined]
        return "" if READS.search(words) else "run " + words[:60]
    if event == "http.client.send":
        first = arguments[1]
        line = (
            first.split(b"\r\n")[0].decode("ascii", "replace") if isinstance(first, bytes) else ""
        )
        waits = "/wait" in line
        return line[:90] if line.startswith(("POST ", "DELETE ")) and not waits else ""
    path = arguments[0] if arguments else ""
    if event in ("os.chmod", "os.chown") and isinstance(path, int):
        path = os.readlink(f"/proc/self/fd/{path}")
        return f"{event[3:]} {path}" if path.startswith("/") and TEMPORARY not in path else ""
    if not isinstance(path, str) or not path.startswith(PLACES):
        return ""
    if any(part in path for part in NOT_OURS):
        return ""
    if event == "open":
        flags = arguments[2]
        writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        named_later = path.endswith("/lock") or TEMPORARY in path
        return "open " + path if writes and not named_later else ""
    if event == "os.mkdir" and os.path.isdir(path):
        return ""
    if event == "os.rename":
        return f"rename to {arguments[1]}"
    known = ("os.remove", "os.mkdir", "os.rmdir", "os.symlink")
    return f"{event[3:]} {path}" if event in known else ""


begin()
