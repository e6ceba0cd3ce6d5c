"""Prove audit rules by effect: touch what is watched, and find the record in auditd's log.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import functools
import os
import re
import stat
import subprocess
import time
from pathlib import Path

from ansible.module_utils import hardhost_audit_rules as audit_rules
from ansible.module_utils import hardhost_facts
from ansible.module_utils import hardhost_surface_docker_audit as surface
from kernel_records import after, audit_log

SECONDS = 15  # for a record to be written
LOGIN, UNSET = Path("/proc/self/loginuid"), "4294967295"


class NoRecord(Exception):
    """Something was done and nothing was recorded."""


class NothingKept(Exception):
    """auditd does not keep what it must keep."""


def prove(control, settings):
    """Set the mode that each watched path has, and find the record of each attempt."""
    problem = _problem()
    if problem:
        raise NothingKept(problem)
    watched = surface.watched({"id": control, "settings": settings}, _facts())
    if not watched:
        raise NothingKept("nothing is there to be touched")
    begin = audit_log().stat().st_size
    touched = {path: _touch(path) for path in watched}
    for path, process in touched.items():
        # One of ours for the directory above may come first, and gives its key.
        if not _found(begin, record(process, f'key="{audit_rules.PREFIX}')):
            raise _missing(path, record(process, 'key="').search(after(audit_log(), begin)))
    return "a change of " + ", ".join(watched[:5]) + " left its record"


def _missing(path, other):
    """What it means that no rule of ours has left a record, but maybe one of somebody else."""
    if not other:
        return NoRecord(f"the mode of {path} was set, and no record of it is found")
    key = other.string[other.end() :].partition('"')[0]
    return NothingKept(
        f"a change of {path} is recorded with the key {key}, by a rule of somebody else "
        "that was loaded first: start the host again, then this project's come first"
    )


def record(process, detail):
    """Matches a line of the log that is about a process and has this in it."""
    return re.compile(rf"^type=\w+ .*\bpid={process}\b.*{re.escape(detail)}", re.MULTILINE)


@functools.lru_cache(maxsize=1)
def _facts():
    return hardhost_facts.collect_local()


@functools.lru_cache(maxsize=1)
def _problem():
    """The positive control: a message that needs no rule arrives in the log; why not, else ""."""
    if not audit_rules.program("auditctl"):
        return "auditd is not installed"
    begin = audit_log().stat().st_size
    sender = subprocess.Popen([audit_rules.program("auditctl"), "-m", "hardhost probe"])
    if sender.wait(30):
        return "the kernel takes no message for auditd"
    if not _found(begin, record(sender.pid, "hardhost probe")):
        return "a message to auditd is not found in its log"
    return ""


def _touch(path):
    """The process that has set a path's mode to what it was, under a login."""
    process = os.fork()
    if not process:
        done = 1
        try:
            _log_in()
            Path(path).chmod(stat.S_IMODE(Path(path).stat().st_mode))
            done = 0
        finally:
            os._exit(done)
    _process, status = os.waitpid(process, 0)
    if status:
        raise NothingKept(f"the mode of {path} could not be set")
    return process


def _log_in():
    """Rules for people leave out what no login has started, such as a job of cron."""
    if LOGIN.read_text("ascii").strip() == UNSET:
        LOGIN.write_text(str(os.getuid()), "ascii")


def _found(begin, wanted):
    """Whether the log gets such a record after a place in it, within a time."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        if wanted.search(after(audit_log(), begin)):
            return True
        time.sleep(0.05)
    return False
