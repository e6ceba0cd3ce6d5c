"""The drop-ins of docker.service that are restarted into like daemon.json: which, with which dockerd runs, and what it was without.

Roles write them through `hardhost_managed`; the restart job brings them into force and puts the old bytes back. docker.socket
is never restarted: owner and mode of the socket that is there are changed in place.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import time

from ansible.module_utils import hardhost_files as files
from ansible.module_utils import hardhost_managed as managed
from ansible.module_utils import hardhost_state as states
from ansible.module_utils import hardhost_unit as units
from ansible.module_utils import hardhost_unit_files as unit_files

UNIT = "docker.service"
# Sorts after the `override.conf` of `systemctl edit`.
LISTEN = "/etc/systemd/system/docker.service.d/zz-hardhost-listen.conf"
CARRIED = (LISTEN,)
MARGIN = 0.5  # seconds between a file's time and a process's start that are not told apart


def carried(change):
    """Whether a recorded change, or a target of an undo, is one of these files."""
    return change["kind"] == "file" and change["target"] in CARRIED


def on_disk():
    """`{path: description with blob}` of those that are there, their bytes kept."""
    return {path: managed.kept(path) for path in CARRIED if files.read(path) is not None}


def digests():
    """`{path: SHA-256}` of those that are there."""
    found = {path: managed.content(path) for path in CARRIED}
    return {path: one["sha256"] for path, one in found.items() if one["present"]}


def in_force(state, process):
    """`{path: description with blob}` of those with which this dockerd was started; None where that cannot be known.

    By the record of its start where this is the process that was recorded, else by files that are older than the process.
    """
    recorded = state["daemon"]
    if (
        recorded
        and process
        and (recorded["boot"], recorded["pid"], recorded["started"])
        == (
            units.boot(),
            process["pid"],
            process["started"],
        )
    ):
        return recorded.get("drop_ins", {})
    if not process:
        return None
    since = time.time() - process["age"] + MARGIN
    newer = [path for path in digests() if files.describe(path)["mtime_ns"] / 1e9 > since]
    return None if newer else on_disk()


def pending(facts):
    """Whether dockerd runs with others than those that are there, or that cannot be known."""
    running = in_force(facts["state"], facts["process"])
    return running is None or {path: one["sha256"] for path, one in running.items()} != digests()


def flags_without_pending(facts):
    """The flags of docker.service with the drop-ins that are in force, and not with those that wait for the restart."""
    running = in_force(facts["state"], facts["process"])
    if running is None or not pending(facts):
        return facts["flags"]
    before = dict.fromkeys(CARRIED)
    before.update({path: states.kept(one["blob"]) for path, one in running.items()})
    return units.flags(command(facts["unit"], before))


def raw_command(replaced=None):
    """The text of ExecStart as the unit's files have it; "" where there is none, or more than one."""
    found = unit_files.assignments(UNIT, "Service", "ExecStart", replaced)
    return found[0] if len(found) == 1 else ""


def command(unit, replaced=None):
    """The argument list of ExecStart by the unit's files, variables filled in."""
    return units.filled(units.split(raw_command(replaced).lstrip("@-:+!")), unit)


def both(running):
    """For job.json: `{path: {old, wanted}}`, None for a file that is absent.

    `running` is what `in_force` gives. Where no dockerd runs there are these files alone: they are the way back as well.
    """
    disk = on_disk()
    old = disk if running is None else running
    return {
        path: {"old": old.get(path), "wanted": disk.get(path)} for path in sorted({*disk, *old})
    }


def put(path, kept):
    """Put kept bytes with their owner, mode and time at a path, or remove it; nothing where it is so already."""
    if kept is None:
        files.remove(path)
    elif files.read(path) is None or managed.content(path)["sha256"] != kept["sha256"]:
        files.replace(path, states.kept(kept["blob"]), kept)


def is_one_of(path, choices):
    """Whether a path holds one of these kept contents, None standing for absence."""
    there = managed.content(path)
    return any(
        there["sha256"] == one["sha256"]
        if there["present"] and one
        else not there["present"] and not one
        for one in choices
    )
