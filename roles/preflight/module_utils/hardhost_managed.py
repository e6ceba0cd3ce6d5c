"""Whole files that a control owns: say what differs, write them recorded first, and describe both for people.

A wanted file is `{path, data, control, mode, uid, gid}`; `data` None wants the path to be absent. Roles that write drop-ins,
certificates or scripts use this; daemon.json, which has other owners too, has its own module.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import os

from ansible.module_utils import hardhost_files as files
from ansible.module_utils import hardhost_state as states


def wanted(path, text, control, mode=0o644, uid=0, gid=0):
    """A wanted file from its text; None wants it to be absent."""
    data = text.encode("utf-8") if isinstance(text, str) else text
    return {"path": path, "data": data, "control": control, "mode": mode, "uid": uid, "gid": gid}


def content(path):
    """What is at a path: `{present}`, with `sha256`, uid, gid and mode where something is."""
    data = files.read(path)
    if data is None:
        return {"present": False}
    described = files.describe(path)
    return {
        "present": True,
        "sha256": files.digest(data),
        "uid": described["uid"],
        "gid": described["gid"],
        "mode": described["mode"],
    }


def aim(one):
    """What is at the path of a wanted file afterwards, as `content` words it."""
    if one["data"] is None:
        return {"present": False}
    return {
        "present": True,
        "sha256": files.digest(one["data"]),
        "uid": one["uid"],
        "gid": one["gid"],
        "mode": one["mode"],
    }


def different(wanted_files):
    """Those of the wanted files that are not as wanted."""
    return [one for one in wanted_files if content(one["path"]) != aim(one)]


def changes(wanted_files):
    """For preflight: `{control id: [{what, before, after}]}` of what writing them would change."""
    found = {}
    for one in different(wanted_files):
        found.setdefault(one["control"], []).append(
            {
                "what": one["path"],
                "before": _worded(content(one["path"])),
                "after": _worded(aim(one)),
            }
        )
    return found


def _worded(found):
    return (
        "%d:%d %04o, sha256 %s" % (found["uid"], found["gid"], found["mode"], found["sha256"][:12])
        if found["present"]
        else None
    )


def differences(wanted_files, hidden=()):
    """For --diff; the contents of the paths in `hidden` are not shown."""
    shown = []
    for one in different(wanted_files):
        before, after = files.read(one["path"]), one["data"]
        if one["path"] in hidden:
            before, after = [
                b"(hidden)\n" if data is not None else None for data in (before, after)
            ]
        shown.append(
            {
                "before": _text(before),
                "after": _text(after),
                "before_header": one["path"],
                "after_header": one["path"],
            }
        )
    return shown


def _text(data):
    return "" if data is None else data.decode("utf-8", "replace")


def write(state, wanted_files, run):
    """Record and write what differs; the caller holds the lock and the lease. Returns the files written."""
    todo = different(wanted_files)
    for one in todo:
        directories(state, one, run)
        states.record(state, run, one["control"], "file", one["path"], kept(one["path"]), aim(one))
    states.save(state)
    for one in todo:
        if one["data"] is None:
            files.remove(one["path"])
        else:
            files.replace(one["path"], one["data"], one)
    return todo


def kept(path):
    """The content of a path with a copy of its bytes, so that `undo` can put it back."""
    found = content(path)
    if found["present"]:
        found.update(blob=states.keep(files.read(path)), mtime_ns=files.describe(path)["mtime_ns"])
    return found


def directories(state, one, run):
    """Make the missing directories above a file, recorded."""
    missing, folder = [], os.path.dirname(one["path"])
    while not os.path.isdir(folder):
        missing.append(folder)
        folder = os.path.dirname(folder)
    for path in reversed(missing):
        states.record(
            state, run, one["control"], "directory", path, {"present": False}, {"present": True}
        )
        states.save(state)
        os.mkdir(path, 0o755)
