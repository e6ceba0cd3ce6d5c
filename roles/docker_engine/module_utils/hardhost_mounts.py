"""Whether a directory has a file system to itself, by the mount table.

A device number tells it, as the table has it: of the subvolumes of a btrfs, and of directories mounted elsewhere, it is one and
the same, though each has a mount point.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import os
import re

from ansible.module_utils import hardhost_files as files

TABLE = "/proc/self/mountinfo"
# What others fill too, or what others need not full.
GENERAL = (
    "/",
    "/home",
    "/mnt",
    "/opt",
    "/root",
    "/srv",
    "/tmp",
    "/usr",
    "/var",
    "/var/lib",
    "/var/log",
    "/var/tmp",
)


def shared_with(path, table=TABLE):
    """The general directory that is on one file system with `path`; "" where none is."""
    mounts = parsed((files.read(table) or b"").decode("utf-8", "surrogateescape"))
    device = _device(os.path.realpath(path), mounts)
    return next((one for one in GENERAL if _device(one, mounts) == device), "")


def parsed(text):
    """`{mount point: device number}`; of several at one point the last is seen."""
    words = (line.split(" ") for line in text.splitlines())
    return {_unescaped(line[4]): line[2] for line in words if len(line) > 4}


def _unescaped(text):
    """The kernel writes blanks, tabs, newlines and backslashes as octal numbers."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found.group(1), 8)), text)


def _device(path, mounts):
    """The device of the mount that holds a path: that of the nearest mount point at or above it."""
    while path not in mounts and path != "/":
        path = os.path.dirname(path)
    return mounts.get(path)
