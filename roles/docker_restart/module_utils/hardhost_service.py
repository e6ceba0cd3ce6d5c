"""Start, reload and watch docker.service with a limit on every wait, and say what its log says.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import re
import time

from ansible.module_utils import hardhost_docker as docker
from ansible.module_utils import hardhost_programs as programs
from ansible.module_utils import hardhost_unit as units
from ansible.module_utils.hardhost_redaction import redact_text

UNIT = "docker.service"
# Lines of dockerd and systemd that say nothing of a failure.
NOISE = (
    r"level=(info|debug)|^(Start|Stopp|Reload|Failed to start)|^docker\.service: "
    r"(Deactivated|Referenced but unset|Failed with|Scheduled|Consumed|Found left-over|Unit process|This usually)"
)
PAUSE = 0.2  # seconds between two looks


def systemctl(*words):
    """Whether systemctl did what it was asked. It never waits for a job: a dockerd that hangs would block it for ever."""
    try:
        programs.run(("systemctl",) + words, seconds=30)
    except programs.Failed:
        return False
    return True


def until(condition, seconds):
    """The first true answer of a condition within so many seconds, else its last one."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer or time.monotonic() > deadline:
            return answer
        time.sleep(PAUSE)


def restart(seconds):
    """Start the daemon anew and wait for its API; "" when it answers, else why not.

    Three starts in a minute, successful ones included, lock the unit and its socket: so both are reset first.
    """
    began = time.time()
    before = units.show(UNIT).get("MainPID", "0")
    systemctl("reset-failed", UNIT, "docker.socket")
    systemctl("restart", "--no-block", UNIT)
    deadline = time.monotonic() + seconds
    seen_new = False
    while time.monotonic() < deadline:
        unit = units.show(UNIT)
        if unit.get("MainPID", "0") not in ("0", before):
            seen_new = True
            if unit.get("ActiveState") == "active" and docker.answers():
                return ""
        if _failed(unit, seen_new, before, began):
            return "dockerd did not start: %s" % (log(began) or unit.get("Result", ""))
        time.sleep(PAUSE)
    return "dockerd did not answer within %d seconds: %s" % (
        seconds,
        log(began) or "its log says nothing",
    )


def _failed(unit, seen_new, before, began):
    """Whether this start has ended: failed for good, or waiting for systemd to try again."""
    if unit.get("ActiveState") == "failed" or unit.get("SubState") == "auto-restart":
        return True
    gone = unit.get("MainPID", "0") == "0" and unit.get("ActiveState") == "inactive"
    return gone and (seen_new or before == "0") and time.time() - began > 5


def end_hanging():
    """End a dockerd that does not come up, and only it: containers and their shims go on."""
    systemctl("kill", "--kill-who=main", "--signal=SIGKILL", UNIT)
    until(lambda: units.show(UNIT).get("MainPID", "0") == "0", 5)


def reload(seconds, expected):
    """Send SIGHUP; True when the daemon, still the same process, answers `expected()` with true in time."""
    before = units.show(UNIT).get("MainPID", "0")
    if not systemctl("reload", "--no-block", UNIT):
        return False
    time.sleep(1)  # dockerd reads the file in its own time and says nothing when it is done
    done = until(lambda: docker.answers() and expected(), seconds)
    return bool(done) and units.show(UNIT).get("MainPID", "0") == before


def log(since, lines=8):
    """The last telling lines of the daemon's log since a time (seconds since 1970), secrets hidden, joined by " | "."""
    words = [
        "journalctl",
        "-u",
        UNIT,
        "--since",
        "@%d" % since,
        "-o",
        "cat",
        "--no-pager",
        "-n",
        "200",
    ]
    found = [line.strip() for line in programs.answer(words, 30).splitlines()]
    telling = [line for line in found if line and not re.search(NOISE, line)]
    return " | ".join(redact_text(line) for line in telling[-lines:])
