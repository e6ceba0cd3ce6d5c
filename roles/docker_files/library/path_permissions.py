#!/usr/bin/python
"""Set owner and mode of the files Docker reads, for all controls in one call, and remember what was there.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

DOCUMENTATION = r"""
module: path_permissions
short_description: Set owner and mode of the files Docker reads
description:
  - Works on what exists; creates nothing. A mode is the most that is allowed, bits outside it are removed, none is added.
  - Records every change before making it. A symbolic link that appears while it works is not followed.
options:
  controls: {type: list, elements: dict, required: true, description: 'List of {id, settings}.'}
  run: {type: str, required: true, description: The run id.}
  holder: {type: str, required: true, description: Who runs.}
author: hardhost
"""

EXAMPLES = r"""
- name: Set owner and mode
  path_permissions:
    controls:
      - id: docker_files/docker_directory
        settings: {docker_files_paths: {/etc/docker: {owner: root, group: root, mode: "0755"}}}
    run: 20261121T180000Z-00000000
    holder: ops@bastion
"""

RETURN = r"""
controls: {type: dict, returned: always, description: 'Per control id: applied or unchanged.'}
paths: {type: list, returned: always, description: What was changed.}
"""

import os

from ansible.module_utils import hardhost_facts
from ansible.module_utils import hardhost_permissions as permissions
from ansible.module_utils import hardhost_role_module as role_module
from ansible.module_utils import hardhost_state as states
from ansible.module_utils.hardhost_role_module import Refused


def plan(controls, facts):
    """The edits `[{control, path, before, after}]`; a path that several controls name is edited by each that must."""
    edits, planned = [], {}
    for control in controls:
        for subject, rule in sorted(control["settings"].get("docker_files_paths", {}).items()):
            for path in permissions.paths(subject, facts):
                real = os.path.realpath(path)
                before, after = permissions.wanted(real, rule, planned.get(real))
                if real in planned and permissions.owners(before) != permissions.owners(after):
                    raise Refused(
                        "%s: %s wants it to be %s, another control %s"
                        % (
                            real,
                            control["id"],
                            permissions.worded(after),
                            permissions.worded(before),
                        )
                    )
                planned[real] = after
                if before != after:
                    edits.append(
                        {"control": control["id"], "path": real, "before": before, "after": after}
                    )
    return edits


def write(edits, run, holder):
    """Record all edits, then make them; everything under the host's lock and lease."""
    with states.work(run, holder) as state:
        for edit in edits:
            states.record(
                state,
                run,
                edit["control"],
                "permissions",
                edit["path"],
                edit["before"],
                edit["after"],
            )
        states.save(state)
        for edit in edits:
            try:
                permissions.change(edit["path"], edit["after"], edit["before"])
            except (OSError, permissions.PermissionsError) as error:
                raise Refused(
                    "%s: %s" % (edit["path"], getattr(error, "strerror", None) or error)
                ) from error


def apply(parameters, check_mode):
    """The module's result. Refused where a change cannot be made."""
    edits = plan(parameters["controls"], hardhost_facts.collect_configured())
    touched = {edit["control"] for edit in edits}
    if edits and not check_mode:
        write(edits, parameters["run"], parameters["holder"])
    return {
        **role_module.outcome([one["id"] for one in parameters["controls"]], touched),
        "paths": sorted({edit["path"] for edit in edits}),
        "diff": [
            {
                "before": permissions.worded(edit["before"]) + "\n",
                "after": permissions.worded(edit["after"]) + "\n",
                "before_header": edit["path"],
                "after_header": edit["path"],
            }
            for edit in edits
        ],
    }


if __name__ == "__main__":
    role_module.run(apply, "owner and mode are not as wanted", (permissions.PermissionsError,))
