"""Files whose text an inventory gives and nobody else may hold: each under a name by its content, and no copy anywhere.

A text that changed is another file beside the old one, which goes when dockerd has been started without it: until then there
is a way back, though neither the state nor its blobs hold a byte of either. See docs/adr/0010.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import base64
import contextlib
import os

from ansible.module_utils import hardhost_drop_ins as drop_ins
from ansible.module_utils import hardhost_files as files
from ansible.module_utils import hardhost_managed as managed
from ansible.module_utils import hardhost_state as states

DIRECTORY = "/etc/docker/hardhost-tls"
PARAMETER = {
    "type": "dict",
    "default": {},
    "no_log": True,
}  # of modules: {variable: text in base64}


def decoded(texts):
    """`{variable: bytes}` of what a module was given, with one line end; variables that say nothing are left out.

    They come in base64: Ansible hides a secret parameter wherever its value occurs in an answer, and the text of an authority may rightly
    stand in one.
    """
    found = {name: base64.b64decode(text).strip() for name, text in texts.items()}
    return {name: data + b"\n" for name, data in found.items() if data}


def path(part, data):
    """Where a text goes: another text has another name."""
    return os.path.join(DIRECTORY, "%s-%s.pem" % (part, files.digest(data)[:12]))


def is_one(change):
    """Whether a recorded change, or a target of an undo, is such a file."""
    return change["kind"] == "file" and os.path.dirname(change["target"]) == DIRECTORY


def holds_one(change):
    """Whether it is a directory above them that was made for them."""
    return change["kind"] == "directory" and (DIRECTORY + "/").startswith(change["target"] + "/")


def write(state, wanted_files, run):
    """Record and write those that are not as wanted. What was there is not kept: it can only be what somebody made of ours."""
    for one in managed.different(wanted_files):
        if not states.owned(state, "file", one["path"]):
            managed.directories(state, one, run)
            absent = {"present": False}
            states.record(state, run, one["control"], "file", one["path"], absent, managed.aim(one))
            states.save(state)
        files.replace(one["path"], one["data"], one)


def supersede(state, control, kept):
    """What a control has written besides these paths is taken back, once dockerd has been started without it."""
    old = [
        change
        for change in state["changes"]
        if is_one(change) and change["control"] == control and change["target"] not in kept
    ]
    state["changes"] = [change for change in state["changes"] if change not in old]
    state["undone"] += old
    states.save(state)


def settle(state):
    """Remove what was taken back. What the unit names by now stays, and what is not as we wrote it. The caller saves."""
    named = files.read(drop_ins.LISTEN) or b""
    ours = [one for one in state["undone"] if is_one(one)]
    back = [one for one in ours if one["target"].encode() in named]
    gone = [one for one in ours if one not in back]
    for one in gone:
        if managed.content(one["target"]) == one["after"]:
            files.remove(one["target"])
    above = [one["target"] for one in state["undone"] if holds_one(one)]
    for folder in sorted(above, key=len, reverse=True):
        with contextlib.suppress(OSError):  # somebody else has put something there
            os.rmdir(folder)
    state["changes"] = sorted(state["changes"] + back, key=lambda change: change["number"])
    if gone:
        _forget_the_way_there(state)


def _forget_the_way_there(state):
    """The drop-ins of before name files that are gone: whatever takes today's back comes to what was there before them all."""
    mine = states.owned(state, "file", drop_ins.LISTEN)
    if mine:
        mine[-1]["before"] = mine[0]["before"]
        state["changes"] = [change for change in state["changes"] if change not in mine[:-1]]
