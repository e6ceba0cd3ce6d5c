"""The audit rules of this project: their one file, the kernel's list of them, and how both are changed by key.

Every rule carries the key of its control, so that a control's rules can be replaced and taken back alone, and no rule of
somebody else is ever touched. `undo` needs all of this without the role.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import errno
import glob
import os
import re
import shutil
import socket
import struct
import subprocess
import tempfile

from ansible.module_utils import hardhost_files as files

# It sorts first among /etc/audit/rules.d: `-c` has to come before the first rule that could fail, and rules of somebody
# else that keep events away ("never") come after ours.
PATH = "/etc/audit/rules.d/00-hardhost.rules"
# What augenrules makes of all files of rules.d, and what is loaded at boot.
MERGED = "/etc/audit/audit.rules"
PREFIX = "hardhost-"
IMMUTABLE = 2
PROGRAMS = "/usr/sbin:/usr/bin:/sbin:/bin"
_NETLINK_AUDIT, _AUDIT_GET, _REQUEST_ACK = 9, 1000, 5
_HEADER = "# Written by hardhost; a change here is lost with the next run. Each rule's key names its control."
_UNSET = ("unset", "4294967295")
# One system call of those that each letter of `perm` stands for.
_ONE_CALL = {"r": "openat", "w": "openat", "x": "execve", "a": "fchmodat"}


class AuditError(Exception):
    """The kernel does not do with the rules what it was asked to; the text is auditctl's."""


def key(control):
    """The key of a control's rules."""
    return PREFIX + control.partition("/")[2]


def status():
    """`{error, enabled, pid}` from the kernel itself; `error` is the number of why it does not answer, or 0."""
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_AUDIT) as kernel:
            kernel.settimeout(10)
            kernel.bind((0, 0))
            kernel.send(struct.pack("=IHHII", 16, _AUDIT_GET, _REQUEST_ACK, 1, 0))
            return _answer(kernel)
    except OSError as error:
        return {"error": error.errno or errno.EIO, "enabled": 0, "pid": 0}


def _answer(kernel):
    while True:
        data = kernel.recv(8192)
        kind = struct.unpack_from("=IH", data)[1]
        if kind == _AUDIT_GET:
            _mask, enabled, _failure, pid = struct.unpack_from("=IIII", data, 16)
            return {"error": 0, "enabled": enabled, "pid": pid}
        number = -struct.unpack_from("=i", data, 16)[0]
        if number:
            return {"error": number, "enabled": 0, "pid": 0}


def text(lines_by_control, tolerant):
    """The file's bytes for `{control: [rule]}`; None where there is no rule.

    With auditd 4 the service that loads the rules must not fail, for auditd would not start without it: `-i` goes on
    after an error as `-c` does, and calls it success.
    """
    if not any(lines_by_control.values()):
        return None
    lines = [_HEADER, "-i" if tolerant else "-c"]
    for control in sorted(lines_by_control):
        lines += lines_by_control[control]
    return ("\n".join(lines) + "\n").encode("utf-8")


def of_file(control, path=None):
    """The rules of a control that the file holds."""
    return [line for line in _lines(path or PATH) if _keyed(line, control)]


def _keyed(line, control):
    return line.split()[-2:] == ["-k", key(control)]


def _lines(path):
    data = files.read(path) or b""
    return [line for line in data.decode("utf-8", "replace").splitlines() if line.strip()]


def without(controls, path=None):
    """The file's bytes without the rules of some controls; None where no rule is left."""
    kept = [line for line in _lines(path or PATH) if not any(_keyed(line, one) for one in controls)]
    if not any(_is_ours(line) for line in kept):
        return None
    return ("\n".join(kept) + "\n").encode("utf-8")


def canonical(line):
    """A rule in a form in which what was written and what the kernel lists can be compared; None for what is no rule.

    auditctl lists a watch as it was written, unless it needs a filter more; it may add the system calls that belong to
    `perm`, in an order of its own.
    """
    words = line.split()
    on, fields, calls = "", {}, []
    for option, value in zip(words[::2], words[1::2]):  # noqa: B905 - strict came with Python 3.10
        if option == "-a":
            on = ",".join(sorted(value.split(",")))
        elif option == "-w":
            on, fields["path"] = "always,exit", value
        elif option in ("-p", "-k"):
            fields[{"-p": "perm", "-k": "key"}[option]] = value
        elif option == "-F":
            name, sign, wanted = re.match(r"(\w*)(!=|>=|<=|&=|[=<>&]|)(.*)", value).groups()
            fields[name if sign == "=" else name + sign] = wanted
        elif option == "-S":
            calls += value.split(",")
    return (on, tuple(sorted(_plain(fields, calls).items()))) if on else None


def _plain(fields, calls):
    """The fields of a rule in one spelling; system calls are one where they are fewer than `perm` stands for."""
    found = dict(fields)
    if "dir" in found:
        found["path"] = found.pop("dir")
    if found.get("auid!=") in _UNSET:
        found["auid!="] = "-1"
    if "perm" in found:
        found["perm"] = "".join(sorted(found["perm"]))
    meant = {_ONE_CALL[letter] for letter in found.get("perm", "") if letter in _ONE_CALL}
    if calls and calls != ["all"] and not (meant and meant <= set(calls)):
        found["calls"] = ",".join(sorted(calls))
    return found


def loaded():
    """Every rule in the kernel, as auditctl lists them; [] where there is no auditctl."""
    if not program("auditctl"):
        return []
    return [line for line in _run(["auditctl", "-l"]).splitlines() if line.startswith("-")]


def ours(lines, control):
    """The canonical forms of a control's rules among those that the kernel lists."""
    found = [canonical(line) for line in lines]
    return {one for one in found if one and dict(one[1]).get("key") == key(control)}


def suppressed(lines):
    """The rule of somebody else that keeps every event from being recorded; "" where there is none."""
    blanket = ("never,task", ())
    return next((line for line in lines if canonical(line) == blanket), "")


def load(lines_by_control, listed):
    """Make the kernel have exactly these rules of these controls. What it does not take is an AuditError."""
    fresh = []
    for control, lines in sorted(lines_by_control.items()):
        if ours(listed, control) == {canonical(line) for line in lines}:
            continue
        unload([control], listed)
        fresh += lines
    if not fresh:
        return
    with tempfile.NamedTemporaryFile(
        "w", prefix="hardhost-", suffix=".rules", dir="/run"
    ) as stream:
        stream.write("\n".join(["-c"] + fresh) + "\n")
        stream.flush()
        said = _run(["auditctl", "-R", stream.name], complain=False)
    now = loaded()
    missing = [line for line in fresh if canonical(line) not in {canonical(one) for one in now}]
    if missing:
        raise AuditError("%s: %s" % ("; ".join(missing), _last(said)))


def unload(controls, listed):
    """Take the rules of controls out of the kernel."""
    for control in controls:
        if ours(listed, control):
            _run(["auditctl", "-D", "-k", key(control)])


def switch(value):
    """Switch recording on (1), or lock the rules until the next boot (2)."""
    _run(["auditctl", "-e", str(value)])


def by_hand():
    """The rules of somebody else that MERGED alone has: augenrules would lose them."""
    parts = glob.glob(os.path.dirname(PATH) + "/*.rules")
    kept = {line.strip() for one in parts for line in _lines(one)}
    return [
        line
        for line in map(str.strip, _lines(MERGED))
        if line.startswith(("-a", "-A", "-w")) and line not in kept and not _is_ours(line)
    ]


def _is_ours(line):
    return " -k " + PREFIX in line


def merge():
    """Write MERGED anew from all of rules.d; where it has rules of its own, only ours go from it. Nothing is loaded."""
    if not program("augenrules"):
        return
    if not by_hand():
        _run(["augenrules"], complain=False)
        return
    kept = [line for line in _lines(MERGED) if not _is_ours(line)]
    files.replace(
        MERGED, ("\n".join(kept) + "\n").encode("utf-8"), {"uid": 0, "gid": 0, "mode": 0o640}
    )


def program(name):
    """Where one of auditd's programs is; None where it is not installed."""
    return shutil.which(name, path=PROGRAMS)


def _run(words, complain=True):
    done = subprocess.run(
        [program(words[0]) or words[0]] + words[1:],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
        check=False,
        env={"PATH": PROGRAMS, "LC_ALL": "C"},
    )
    said = done.stdout.decode("utf-8", "replace")
    if done.returncode and complain:
        raise AuditError("%s: %s" % (" ".join(words), _last(said)))
    return said


def _last(said):
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return "; ".join(lines[-3:]) or "no message"
