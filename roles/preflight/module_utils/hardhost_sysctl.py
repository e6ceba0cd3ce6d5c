"""Kernel parameters: live values, what the files would set at the next boot, and which cannot be taken back.

systemd-sysctl reads the directories below, one file per name, in the order of the names; the last line for a parameter
counts. `sysctl --system` of procps does the same and reads /etc/sysctl.conf after all others. ufw sets those of a file of its
own whenever it starts, which may be later.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import fnmatch
import glob
import os
import re

from ansible.module_utils import hardhost_files as files

LIVE = "/proc/sys"
# Of two files with one name the first directory's counts.
DIRECTORIES = (
    "/etc/sysctl.d",
    "/run/sysctl.d",
    "/usr/local/lib/sysctl.d",
    "/usr/lib/sysctl.d",
    "/lib/sysctl.d",
)
LAST = "/etc/sysctl.conf"
UFW, UFW_DEFAULTS = "/etc/ufw/ufw.conf", "/etc/default/ufw"
# Once set, only a boot sets them back (kernel Documentation/admin-guide/sysctl/kernel.rst, LSM/Yama.rst).
ONE_WAY = {
    "kernel.kexec_load_disabled": "1",
    "kernel.unprivileged_bpf_disabled": "1",
    "kernel.yama.ptrace_scope": "3",
}
# Values that go further than the wanted one, and stay.
STRICTER = {
    "kernel.io_uring_disabled": ("2",),
    "kernel.perf_event_paranoid": ("4",),
    "kernel.yama.ptrace_scope": ("2", "3"),
}


SWAPPED = str.maketrans("./", "/.")


def path(key):
    """The file of a parameter; a dot in an interface's name is a slash in its key (`net.ipv4.conf.eth0/5.forwarding`)."""
    return os.path.join(LIVE, key.translate(SWAPPED))


def matching(key):
    """The parameters that there are of a pattern (`net.ipv4.conf.*.send_redirects`); of all else, itself."""
    if "*" not in key:
        return [key]
    return sorted(os.path.relpath(one, LIVE).translate(SWAPPED) for one in glob.glob(path(key)))


def live(key):
    """The value in force, None where this kernel has no such parameter."""
    try:
        data = files.read(path(key))
    except OSError:  # it can be written only, or belongs to a namespace that is gone
        return None
    return None if data is None else " ".join(data.decode("ascii", "replace").split())


def write(key, value):
    """Set a value now. OSError where the kernel does not take it."""
    with open(path(key), "w", encoding="ascii") as stream:
        stream.write(value)


def enough(key, value, wanted):
    """Whether a value is the wanted one, or stricter."""
    return value is not None and (value == wanted or value in STRICTER.get(key, ()))


def stays(key, ours):
    """Whether what we set is in force and cannot be taken back before the next boot."""
    return ONE_WAY.get(key) == ours and live(key) == ours


def has_module(name, path="/proc/modules"):
    """Whether a module is loaded."""
    text = (files.read(path) or b"").decode("ascii", "replace")
    return any(line.split()[0] == name for line in text.splitlines() if line.strip())


def ordered():
    """The files that set parameters at boot, in the order in which they are read."""
    chosen = {}
    for directory in DIRECTORIES:
        for found in glob.glob(directory + "/*.conf"):
            chosen.setdefault(os.path.basename(found), found)
    return [chosen[name] for name in sorted(chosen)]


def lines(file):
    """`[(line number, key, value)]` of one file; a key may be a pattern, and has the value None where it is excepted from those."""
    try:
        text = (files.read(file) or b"").decode("utf-8", "replace")
    except OSError:  # a link into nowhere, or a directory
        return []
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        name, separator, value = line.strip().partition("=")
        if name.startswith(("#", ";")) or not (separator or name.startswith("-")):
            continue
        given = " ".join(value.split()) if separator else None
        found.append((number, normal(name.strip().lstrip("-")), given))
    return found


def normal(name):
    """A parameter's name with dots: sysctl.d(5) takes slashes too, and dots within them."""
    first = next((letter for letter in name if letter in "./"), "")
    return name.translate(SWAPPED) if first == "/" else name


def at_boot(key, without=()):
    """`{file, line, value, over}` of the line that counts at the next boot, None where no file sets it.

    `over`: the lines that want another value, and do not get it.
    """
    return _last(key, [file for file in ordered() if file not in without])


def afterwards(key):
    """`[{file, line, value, over, by}]` of the lines that count for whoever sets parameters after the boot's beginning."""
    found = []
    for by, file in (("`sysctl --system`", LAST), ("ufw", _ufw())):
        line = _last(key, [file]) if file else None
        if line:
            found.append(dict(line, by=by))
    return found


def _ufw():
    """The file of parameters that ufw sets, "" where ufw is not enabled."""
    if _shell_value(UFW, "ENABLED").lower() != "yes":
        return ""
    return _shell_value(UFW_DEFAULTS, "IPT_SYSCTL")


def _shell_value(file, name):
    text = (files.read(file) or b"").decode("utf-8", "replace")
    found = re.findall(r"^\s*%s=[\"']?([^\"'\s#]*)" % name, text, re.MULTILINE)
    return found[-1] if found else ""


def _last(key, from_files):
    """A line of its own counts more than any pattern, and may say that none does (sysctl.d(5))."""
    found = [
        (name == key, {"file": file, "line": number, "value": value})
        for file in from_files
        for number, name, value in lines(file)
        if fnmatch.fnmatchcase(key, name)
    ]
    named = [line for own, line in found if own]
    counting = [line for line in named or [one for _own, one in found] if line["value"] is not None]
    if not counting:
        return None
    without = (None, counting[-1]["value"])
    return dict(counting[-1], over=[one for _own, one in found if one["value"] not in without])
