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

import subprocess

from ansible.module_utils import hardhost_facts
from ansible.module_utils import hardhost_group as group
from ansible.module_utils import hardhost_managed as managed
from ansible.module_utils import hardhost_permissions as permissions
from ansible.module_utils import hardhost_state as states
from ansible.module_utils import hardhost_surface_docker_access as surface
from ansible.module_utils.basic import AnsibleModule


class Refused(Exception):
    """Something was not done; the text says what and why."""


def write(todo, run, holder):
    """Record, then change; everything under the host's lock and lease."""
    with states.work(run, holder) as state:
        if managed.write(state, [one for found in todo.values() for one in found["files"]], run):
            call(["systemctl", "daemon-reload"])  # nothing is restarted by it
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
    call(["gpasswd", "--add" if present else "--delete", user, group.GROUP])


def call(words):
    """Run one of the host's tools. Refused with what it said."""
    done = subprocess.run(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
        check=False,
        env={"PATH": hardhost_facts.PATH, "LC_ALL": "C"},
    )
    if done.returncode:
        raise Refused("%s: %s" % (words[0], done.stdout.decode("utf-8", "replace").strip()))


def apply(parameters, check_mode):
    """The module's result. Refused where something cannot be done."""
    facts = hardhost_facts.collect_configured()
    todo = {one["id"]: surface.plan(one, facts) for one in parameters["controls"]}
    touched = {identifier for identifier, found in todo.items() if any(found.values())}
    if touched and not check_mode:
        write(todo, parameters["run"], parameters["holder"])
    return {
        "changed": bool(touched),
        "controls": {
            identifier: "applied" if identifier in touched else "unchanged" for identifier in todo
        },
        "diff": [one for found in todo.values() for one in differences(found)],
    }


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


def main():
    module = AnsibleModule(
        argument_spec={
            "controls": {"type": "list", "elements": "dict", "required": True},
            "run": {"type": "str", "required": True},
            "holder": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**apply(module.params, module.check_mode))
    except (Refused, permissions.PermissionsError, states.StateError, OSError) as error:
        module.fail_json(msg="access to Docker is not as wanted: %s" % error)


if __name__ == "__main__":
    main()
