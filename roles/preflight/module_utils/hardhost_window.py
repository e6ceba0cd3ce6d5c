"""Whether a restart is allowed now: the input `docker_restart_policy` and its window.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import re
import subprocess


def closed(policy, window, name="docker_restart"):
    """Why a restart, or what else an input `<name>_policy` is about, must wait; "" where it need not.

    `window` is `{calendar, duration}`: a systemd calendar expression (systemd.time(7)) at which the window opens, and how
    long it stays open, as "2h" or "90min".
    """
    if policy == "never":
        return "%s_policy is never" % name
    if policy != "window":
        return ""
    calendar, duration = window.get("calendar", ""), window.get("duration", "")
    if not calendar or not duration:
        return "%s_policy is window, and %s_window has no calendar or no duration" % (name, name)
    seconds = _microseconds(duration)
    if seconds is None:
        return "%s_window: %r is no duration; write it as 2h or 90min" % (name, duration)
    opened = _next(calendar, "-%ds" % (seconds // 1000000))
    if opened is None:
        return "%s_window: %r is no calendar expression of systemd" % (name, calendar)
    if opened <= 0:
        return ""
    return "the %s window (%s for %s) is closed" % (name.rpartition("_")[2], calendar, duration)


def _microseconds(duration):
    found = re.search(r"μs: (\d+)", _output(["systemd-analyze", "timespan", duration]))
    return int(found.group(1)) if found else None


def _next(calendar, base):
    """Seconds from now to the first elapse after `base` (relative to now), negative when it has passed; None if invalid."""
    text = _output(
        ["systemd-analyze", "calendar", "--iterations=1", "--base-time=" + base, calendar]
    )
    found = re.search(
        r"(?:Next elapse|\(in UTC\)): \w{3} (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC", text
    )
    if not found:
        return None
    now, then = _output(["date", "+%s"]), _output(["date", "-d", found.group(1) + " UTC", "+%s"])
    return int(then) - int(now)


def _output(words):
    # Not by hardhost_programs: systemd-analyze words microseconds by the locale.
    try:
        done = subprocess.run(
            words,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=20,
            check=False,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace")
