"""The local sockets that make whoever may open them root: what each is now, and what its maker will give it the next time.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import os
import re

from ansible.module_utils import hardhost_files as files
from ansible.module_utils import hardhost_managed as managed
from ansible.module_utils import hardhost_permissions as permissions
from ansible.module_utils import hardhost_unit_files as unit_files

DOCKER = "/run/docker.sock"
CONTAINERD = "/run/containerd/containerd.sock"
UNIT = "docker.socket"
# Sorts after the `override.conf` of `systemctl edit`.
DROP_IN = "/etc/systemd/system/docker.socket.d/zz-hardhost-access.conf"
CONTAINERD_TOML = "/etc/containerd/config.toml"
TEXT = """# Written by hardhost (%s); rollback.yml takes it back.
[Socket]
SocketUser=%s
SocketGroup=%s
SocketMode=%s
"""


def live(path):
    """`{uid, gid, mode}` of a socket, None where there is none."""
    found = files.describe(path)
    return {key: found[key] for key in ("uid", "gid", "mode")} if found else None


def activated(facts):
    """Whether systemd makes the Docker socket, and dockerd gets it from there."""
    given = facts["flags"].get("hosts") or facts["daemon_json"]["options"].get("hosts") or []
    return any(str(one).startswith("fd:") for one in given if isinstance(given, list))


def next_docker(facts):
    """`{maker, user, group, mode}` that the Docker socket gets when it is made the next time."""
    if not activated(facts):
        group = facts["flags"].get("group") or facts["daemon_json"]["options"].get("group")
        return {"maker": "dockerd", "user": "root", "group": group or "docker", "mode": "0660"}
    # Defaults: systemd.socket(5).
    found = {"SocketUser": "root", "SocketGroup": "root", "SocketMode": "0666"}
    for key, default in list(found.items()):
        found[key] = (unit_files.assignments(UNIT, "Socket", key) or [default])[-1]
    return {
        "maker": UNIT,
        "user": found["SocketUser"],
        "group": found["SocketGroup"],
        "mode": found["SocketMode"],
    }


def next_containerd(path=CONTAINERD_TOML):
    """The same for containerd, which gives its socket 0660, and the uid and gid of its configuration."""
    text = (files.read(path) or b"").decode("utf-8", "replace")
    numbers, inside = {"uid": 0, "gid": 0}, ""
    for line in text.splitlines():
        header = re.match(r"\s*\[([^\]]+)\]", line)
        inside = header.group(1).strip() if header else inside
        given = re.match(r"\s*(uid|gid)\s*=\s*(\d+)", line)
        # Configurations of version 4 have a plugin for the server; before, a section of its own.
        if given and (inside == "grpc" or "io.containerd.server.v1.grpc" in inside):
            numbers[given.group(1)] = int(given.group(2))
    worded = permissions.worded(dict(numbers, mode=0o660)).split()[0].split(":")
    return {"maker": "containerd", "user": worded[0], "group": worded[1], "mode": "0660"}


def kept(following, rule):
    """Whether what a socket gets the next time is within the rule."""
    try:
        too_much = int(following["mode"], 8) & ~int(rule["mode"], 8)
    except ValueError:
        return False
    return not too_much and (following["user"], following["group"]) == (
        rule["owner"],
        rule["group"],
    )


def drop_in(control, rule):
    """The wanted drop-in of docker.socket."""
    text = TEXT % (control, rule["owner"], rule["group"], rule["mode"])
    return managed.wanted(DROP_IN, text, control)


def real(path):
    """The path without symbolic links, by which it is recorded."""
    return os.path.realpath(path)
