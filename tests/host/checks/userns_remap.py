"""Root in a container is an unprivileged id outside, and one that nobody else has."""

from __future__ import annotations

import re
from typing import Any

from options_in_force import Reading, after_restart, fulfils, read_by_daemon, security_option, shown
from verdict import ObservedHost, Verdict, failed, named, passed, pending

LEAF = ("userns-remap",)


def check(host: ObservedHost, control: dict[str, Any], artifact: dict[str, Any]) -> Verdict:
    reading = host.reading
    wish = artifact["decisions"][control["id"]]["settings"]["docker_daemon_options"]["userns-remap"]
    later = after_restart(reading, LEAF)
    if security_option(reading, "userns") is None:
        if fulfils(later, wish) and not fulfils(read_by_daemon(reading, LEAF), wish):
            return pending(
                "daemon.json holds userns-remap, but dockerd has not been restarted since"
            )
        return failed("the daemon maps no ids: root in a container is root on the host")
    if not fulfils(later, wish):
        return failed(
            f"in force, but the next start of dockerd loses it: userns-remap is {shown(later)}"
        )
    return _ids(reading)


def _ids(reading: Reading) -> Verdict:
    """The data root is named after the ids that root has outside."""
    found = re.search(r"/(\d+)\.(\d+)$", reading["info"]["DockerRootDir"] or "")
    if not found:
        return failed(f"the data root does not tell the ids: {reading['info']['DockerRootDir']}")
    uid, gid = int(found.group(1)), int(found.group(2))
    if uid == 0 or gid == 0:
        return failed(f"root in a container is {uid}:{gid} on the host")
    shared = _shared(reading["identities"]["subuid"], uid) or _shared(
        reading["identities"]["subgid"], gid
    )
    if shared:
        return failed(shared)
    outside = [one for one in reading["containers"] if one["root_is"] == 0]
    chosen = sorted(one["name"] for one in outside if one["userns_mode"] == "host")
    orphans = sorted(one["name"] for one in outside if one["userns_mode"] != "host")
    if orphans:
        return pending(f"started before, root on the host and to be re-created: {named(orphans)}")
    note = f"; by their own choice outside of it: {named(chosen)}" if chosen else ""
    return passed(f"root in a container is {uid}:{gid} on the host{note}")


def _shared(ranges: list[list[Any]], first: int) -> str:
    """Who else may use the ids of the range that begins at `first`; "" where nobody may."""
    own = [(name, count) for name, start, count in ranges if start == first]
    if not own:
        return f"no range of subordinate ids begins at {first}, where the daemon's containers are"
    owner, last = own[0][0], first + max(count for _name, count in own) - 1
    others = [
        f"{name} ({start} to {start + count - 1})"
        for name, start, count in ranges
        if start <= last and start + count > first and (name, start) != (owner, first)
    ]
    if not others:
        return ""
    return f"the containers' ids {first} to {last} are also given to {named(sorted(set(others)))}"
