"""The surface of docker_access: who may talk to the daemon, what its controls would change, and what must hold before.

`plan` is shared with the module that applies it: what preflight announces is what is done.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import os

from ansible.module_utils import hardhost_group as group
from ansible.module_utils import hardhost_managed as managed
from ansible.module_utils import hardhost_permissions as permissions
from ansible.module_utils import hardhost_sockets as sockets
from ansible.module_utils.hardhost_preconditions import hold, not_applicable

ROLE = "docker_access/"


def read(_facts, _inputs):
    """Nothing beforehand: what the controls need is asked where it is needed."""
    return {}


def plan(control, facts):
    """What applying one control `{id, settings}` does: `{files, permissions, members}`."""
    settings, found = control["settings"], {"files": [], "permissions": [], "members": []}
    if "docker_access_group" in settings:
        there = group.members()
        wanted = settings["docker_access_group"].get("members") or []
        found["members"] = group.edits(there, wanted) if there and wanted else []
    for path, rule in sorted(settings.get("docker_access_sockets", {}).items()):
        if path == sockets.DOCKER:
            found["files"] = managed.different(_drop_in(control, rule, facts))
        found["permissions"] += _live(path, rule)
    return found


def _drop_in(control, rule, facts):
    following = sockets.next_docker(facts)
    if following["maker"] != sockets.UNIT or sockets.kept(following, rule):
        return []  # what the package or the operator says is right already
    return [sockets.drop_in(control["id"], rule)]


def _live(path, rule):
    for there in permissions.paths(path, {}):
        before, after = permissions.wanted(sockets.real(there), rule)
        if before != after:
            yield {"path": sockets.real(there), "before": before, "after": after}


def changes(control, facts, _inputs):
    """`[{what, before, after}]` of what applying a control would change."""
    if not control["id"].startswith(ROLE):
        return []
    found = plan(control, facts)
    shown = managed.changes(found["files"]).get(control["id"], [])
    shown += [
        {
            "what": one["path"],
            "before": permissions.worded(one["before"]),
            "after": permissions.worded(one["after"]),
        }
        for one in found["permissions"]
    ]
    return shown + [
        {
            "what": "group %s: %s" % (group.GROUP, user),
            "before": None if present else "member",
            "after": "member" if present else None,
        }
        for user, present in found["members"]
    ]


def observe(facts, _inputs, settings):
    """What the checks want to know, for `{control id: settings}`."""
    found = {}
    for given in settings.values():
        if "docker_access_group" in given:
            found["group"] = _group(given["docker_access_group"].get("members") or [])
        for path in given.get("docker_access_sockets", {}):
            found.setdefault("sockets", {})[path] = {
                "live": _described(path),
                "next": sockets.next_docker(facts)
                if path == sockets.DOCKER
                else sockets.next_containerd(),
            }
    return found


def _group(wanted):
    there = group.members()
    if not there:
        return None
    return {
        "members": sorted(set(there["listed"]) | set(there["primary"])),
        "strangers": group.strangers(there, wanted),
        "missing": group.missing(there, wanted),
        "holders": group.holders(there["gid"], list(wanted) + there["listed"] + there["primary"]),
    }


def _described(path):
    found = sockets.live(path)
    if not found:
        return None
    owner, mode = permissions.worded(found).split()
    user, _colon, name = owner.partition(":")
    return {"owner": user, "group": name, "mode": mode}


def docker_group_changeable(_facts, _inputs, control):
    """The group is there and the host's own, and so are the users."""
    wanted = control["settings"].get("docker_access_group", {}).get("members") or []
    there = group.members()
    if there is None:
        return hold(
            "there is no group %s" % group.GROUP,
            "it comes with the engine's package; where the API is served to root alone, except this control",
        )
    if there["local"] is None:
        return hold(
            "the group %s comes from a directory service" % group.GROUP, "change its members there"
        )
    unknown = group.unknown(wanted)
    if unknown:
        return hold(
            "the host has no user %s" % ", ".join(unknown),
            "make the user first, or mend docker_access_members",
        )
    primary = group.strangers(there, wanted)["primary"]
    if primary:
        return hold(
            "%s is the primary group of %s" % (group.GROUP, ", ".join(primary)),
            "give them another one (usermod -g GROUP USER), or name them in docker_access_members",
        )
    return None


def docker_socket_settable(facts, _inputs, control):
    """The group is there, and nothing but systemd decides to whom the next socket goes.

    An engine that is yet to be installed brings both.
    """
    rule = control["settings"].get("docker_access_sockets", {}).get(sockets.DOCKER)
    if not rule or not (facts["engine"]["installed"] or os.path.exists(sockets.DOCKER)):
        return None
    unusable = permissions.unusable({sockets.DOCKER: rule})
    if unusable:
        return hold(unusable, "make the group, or except this control")
    following = sockets.next_docker(facts)
    if following["maker"] != sockets.UNIT and not sockets.kept(following, rule):
        return hold(
            "dockerd gives the socket to %s:%s, now and with its next start"
            % (following["user"], following["group"]),
            "remove group from daemon.json or the unit's flags, restart Docker, and run again",
        )
    return None


def containerd_socket_there(_facts, _inputs, _control):
    """There is a containerd of the system's own, and its configuration gives the socket to root."""
    if not os.path.exists(sockets.CONTAINERD):
        return not_applicable("there is no %s" % sockets.CONTAINERD)
    following = sockets.next_containerd()
    if (following["user"], following["group"]) != ("root", "root"):
        return hold(
            "%s gives the socket to %s:%s, now and with its next start"
            % (sockets.CONTAINERD_TOML, following["user"], following["group"]),
            "remove uid and gid from its section grpc, and restart containerd",
        )
    return None


PRECONDITIONS = {
    "containerd_socket_there": containerd_socket_there,
    "docker_group_changeable": docker_group_changeable,
    "docker_socket_settable": docker_socket_settable,
}
