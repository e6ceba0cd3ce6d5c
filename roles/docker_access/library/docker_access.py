#!/usr/bin/python
"""Let only those talk to the daemon who shall: group members and sockets, for all controls in one call.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_access
short_description: Set the members of the group docker, and owner and mode of the sockets
description:
  - Changes the socket that is there, and what the next one gets. So nothing has to be restarted for it.
  - Adds and removes members one by one. Records every change before making it.
options:
  controls: {type: list, elements: dict, required: true, description: 'List of {id, settings}.'}
  run: {type: str, required: true, description: The run id.}
  holder: {type: str, required: true, description: Who runs.}
author: hardhost
"""

EXAMPLES = r"""
- name: Let deploy alone use Docker
  docker_access:
    controls:
      - id: docker_access/docker_group_members
        settings: {docker_access_group: {members: [deploy]}}
    run: 20261121T180000Z-00000000
    holder: ops@bastion
"""

RETURN = r"""
controls: {type: dict, returned: always, description: 'Per control id: applied or unchanged.'}
"""

from ansible.module_utils import hardhost_facts
from ansible.module_utils import hardhost_group as group
from ansible.module_utils import hardhost_managed as managed
from ansible.module_utils import hardhost_permissions as permissions
from ansible.module_utils import hardhost_programs as programs
from ansible.module_utils import hardhost_role_module as role_module
from ansible.module_utils import hardhost_state as states
from ansible.module_utils import hardhost_surface_docker_access as surface
from ansible.module_utils.hardhost_role_module import Refused


def write(todo, run, holder):
    """Record, then change; everything under the host's lock and lease."""
    with states.work(run, holder) as state:
        if managed.write(state, [one for found in todo.values() for one in found["files"]], run):
            programs.run(["systemctl", "daemon-reload"])  # nothing is restarted by it
        for identifier, found in todo.items():
            for one in found["permissions"]:
                set_permissions(state, run, identifier, one)
            for user, present in found["members"]:
                set_member(state, run, identifier, user, present)


def set_permissions(state, run, control, one):
    """Owner and mode of a socket that is there."""
    states.record(state, run, control, "permissions", one["path"], one["before"], one["after"])
    states.save(state)
    try:
        permissions.change(one["path"], one["after"], one["before"])
    except (OSError, permissions.PermissionsError) as error:
        raise Refused(
            "%s: %s" % (one["path"], getattr(error, "strerror", None) or error)
        ) from error


def set_member(state, run, control, user, present):
    """One user in or out of the group."""
    before, after = {"present": not present}, {"present": present, "value": user}
    states.record(state, run, control, "member", group.GROUP, before, after)
    states.save(state)
    programs.run(["gpasswd", "--add" if present else "--delete", user, group.GROUP])


def apply(parameters, check_mode):
    """The module's result. Refused where something cannot be done."""
    facts = hardhost_facts.collect_configured()
    todo = {one["id"]: surface.plan(one, facts) for one in parameters["controls"]}
    touched = {identifier for identifier, found in todo.items() if any(found.values())}
    shown = [one for found in todo.values() for one in differences(found)]  # gone, once written
    if touched and not check_mode:
        write(todo, parameters["run"], parameters["holder"])
    return {**role_module.outcome(todo, touched), "diff": shown}


def differences(found):
    """For --diff."""
    shown = managed.differences(found["files"])
    for one in found["permissions"]:
        shown.append(
            difference(one["path"], *[permissions.worded(one[key]) for key in ("before", "after")])
        )
    for user, present in found["members"]:
        texts = ["", user] if present else [user, ""]
        shown.append(difference("group %s" % group.GROUP, *texts))
    return shown


def difference(name, before, after):
    """One line before and after."""
    lines = [text + "\n" if text else "" for text in (before, after)]
    return {
        "before": lines[0],
        "after": lines[1],
        "before_header": name,
        "after_header": name,
    }


if __name__ == "__main__":
    role_module.run(apply, "access to Docker is not as wanted", (permissions.PermissionsError,))
