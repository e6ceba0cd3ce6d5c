"""The programs that verify signatures: the operator's, with their checksum, or the distribution's. Nothing is downloaded.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import hashlib
import os
import re
import stat

FOLDER = "/usr/bin"


def program(name, chosen):
    """`(path, problem)` of the program to ask: what `image_trust_<name>` gives, or the distribution's."""
    path = os.path.join(FOLDER, name)
    if not chosen:
        return (
            (path, "") if os.access(path, os.X_OK) else ("", "there is no %s at %s" % (name, path))
        )
    path, wanted = str(chosen.get("path", "")), str(chosen.get("sha256", "")).lower()
    if not os.path.isabs(path) or not re.fullmatch(r"[0-9a-f]{64}", wanted):
        return "", "image_trust_%s needs an absolute path and the sha256 of what is there" % name
    path = os.path.realpath(path)
    try:
        changeable, found = _changeable(path), _checksum(path)
    except OSError as error:
        return "", "%s: %s" % (path, error.strerror)
    if changeable:
        return "", "%s can be changed by others than root" % changeable
    if found != wanted:
        return "", "%s has the checksum %s, not the one that image_trust_%s gives" % (
            path,
            found,
            name,
        )
    return path, ""


def _changeable(path):
    """The file, or the directory above it, in which others than root can put something else; "" where there is none."""
    status = os.stat(path)
    if status.st_uid != 0 or status.st_mode & 0o022:
        return path
    while path != "/":
        path = os.path.dirname(path)
        status = os.stat(path)
        # In a sticky directory nobody can replace what is root's.
        if status.st_uid != 0 or (status.st_mode & 0o022 and not status.st_mode & stat.S_ISVTX):
            return path
    return ""


def _checksum(path):
    calculated = hashlib.sha256()
    with open(path, "rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            calculated.update(block)
    return calculated.hexdigest()
