"""Line files that belong to hardhost alone: each line has its control, and the file goes with its last line.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import os

from ansible.module_utils import hardhost_files as files
from ansible.module_utils import hardhost_state as states

HEADER = "# Written by hardhost, line by line; rollback.yml takes it away again.\n"


def present(path):
    """The lines of a file that say something."""
    text = (files.read(path) or b"").decode("utf-8", "replace")
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


def worded(lines):
    """The bytes of a file with these lines; None where none is left."""
    return (
        (HEADER + "".join(line + "\n" for line in sorted(set(lines)))).encode() if lines else None
    )


def recorded(state, path, control):
    """The lines of a file that a control has been recorded to have set."""
    return [
        change["after"]["value"]
        for change in states.owned(state, "own_line", path)
        if change["control"] == control
    ]


def record(state, run, control, path, lines):
    """Record the lines that a control is about to set, and the directory where there is none."""
    folder = os.path.dirname(path)
    if lines and not os.path.isdir(folder):
        states.record(
            state, run, control, "directory", folder, {"present": False}, {"present": True}
        )
        states.save(state)
        os.makedirs(folder, mode=0o755)
    known = recorded(state, path, control)
    for line in lines:
        if line not in known:
            after = {"present": True, "value": line}
            states.record(state, run, control, "own_line", path, {"present": False}, after)


def forget(state, control, path, lines):
    """Drop the records of lines that are gone."""
    state["changes"] = [
        change
        for change in state["changes"]
        if not (
            change["kind"] == "own_line"
            and (change["target"], change["control"]) == (path, control)
            and change["after"]["value"] in lines
        )
    ]


def put(path, added, removed):
    """Write a file with some lines more and some less."""
    _write(path, [line for line in present(path) if line not in removed] + list(added))


def remove(path, line):
    """Take one line away."""
    there = present(path)
    if line in there:
        _write(path, [one for one in there if one != line])


def _write(path, lines):
    data = worded(lines)
    if data is None:
        files.remove(path)
    else:
        files.replace(path, data)
