#!/usr/bin/python
"""Confine containers by the kernel's mandatory access control, for all controls in one call.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

DOCUMENTATION = r"""
module: mandatory_access
short_description: Confine containers by AppArmor or SELinux
description:
  - Installs what confines containers, prepares the boot configuration where the kernel was booted without it, and loads the
    named profile. For SELinux it takes the next step, and loads the policy module for containers.
  - Compiles before it writes, in check mode too; what does not compile replaces nothing.
  - Records every change before making it. Restarts nothing; M(docker_restart) does, where dockerd has to notice.
options:
  controls: {type: list, elements: dict, required: true, description: 'List of {id, settings}.'}
  inputs: {type: dict, required: true, description: The inputs of the run.}
  run: {type: str, required: true, description: The run id.}
  holder: {type: str, required: true, description: Who runs.}
author: hardhost
"""

EXAMPLES = r"""
- name: Load the profile for containers
  mandatory_access:
    controls:
      - id: mandatory_access/apparmor_container_profile
        settings: {mandatory_access_apparmor: {profile: hardhost-container}}
    inputs: {preflight_package_lists_valid: 3600, preflight_package_lock_timeout: 300, preflight_package_timeout: 1800}
    run: 20261121T180000Z-00000000
    holder: ops@bastion
"""

RETURN = r"""
controls: {type: dict, returned: always, description: 'Per control id: applied or unchanged.'}
"""

from ansible.module_utils import hardhost_role_module as role_module
from ansible.module_utils import hardhost_surface_mandatory_access as surface
from ansible.module_utils.hardhost_packages import PackagesError


def apply(parameters, check_mode):
    """The answers of all parts, joined."""
    joined = {"controls": {}, "diff": [], "warnings": []}
    for part in surface.PARTS.values():
        controls = [
            one
            for one in parameters["controls"]
            if surface.part(one["id"]) is part and one["settings"]
        ]
        answer = part.apply(controls, parameters, check_mode) if controls else {}
        joined["controls"].update(answer.get("controls", {}))
        joined["diff"] += answer.get("diff", [])
        joined["warnings"] += answer.get("notes", [])
    return dict(joined, changed="applied" in joined["controls"].values())


if __name__ == "__main__":
    role_module.run(
        apply,
        "containers are not confined as wanted",
        (PackagesError,),
        inputs={"type": "dict", "required": True},
    )
