#!/usr/bin/python
"""Read one Docker host and decide for it what becomes of each control of the plan. Changes nothing.

SPDX-License-Identifier: Apache-2.0
"""
from __future__ import annotations

DOCUMENTATION = r"""
module: docker_host_facts
short_description: Read a Docker host once and decide what applies to it
description:
  - Collects engine, unit, containers, daemon.json and everything else that decisions need, in one call.
  - Read-only; the same in check mode.
options:
  controls: {type: list, elements: dict, required: true, description: The controls of plan.json.}
  inputs: {type: dict, required: true, description: All inputs, resolved for this host.}
  exceptions: {type: list, elements: dict, default: [], description: The host's hardhost_exceptions.}
  today: {type: str, required: true, description: YYYY-MM-DD by which waivers expire.}
  scope: {type: str, default: removed, description: What undo will be asked for after this.}
  scope_controls: {type: list, elements: str, default: [], description: The ids for the scope controls.}
author: hardhost
"""

EXAMPLES = r"""
- name: Read the host
  docker_host_facts: {controls: [], inputs: {}, today: "2026-11-21"}
"""

RETURN = r"""
refused: {type: str, returned: always, description: Why the host is left alone, or an empty string.}
decisions: {type: dict, returned: always, description: Per control id.}
restart: {type: dict, returned: always, description: What a converge means for the running daemon.}
undo: {type: list, returned: always, description: What undo would take back.}
apply: {type: dict, returned: always, description: 'Per role, the controls to apply.'}
facts: {type: dict, returned: always, description: The facts without secrets.}
"""

import os

from ansible.module_utils import hardhost_decisions as decisions
from ansible.module_utils import hardhost_facts
from ansible.module_utils import hardhost_undo as undo
from ansible.module_utils import hardhost_window as window
from ansible.module_utils.basic import AnsibleModule


def answer(parameters):
    """The module's result for its parameters."""
    if os.geteuid() != 0:
        return {"refused": "not root on this host; run with become", "decisions": {}, "restart": {}, "undo": [],
                "apply": {}, "facts": {}}
    facts = hardhost_facts.collect()
    inputs = parameters["inputs"]
    refused = decisions.refusal(facts)
    result = {"refused": refused, "facts": hardhost_facts.public(facts), "decisions": {}, "restart": {}, "undo": [],
              "apply": {}}
    if refused:
        return result
    found = decisions.decide(parameters["controls"], facts, inputs, parameters["exceptions"], parameters["today"])
    changes = undo.chosen(facts["state"]["changes"], parameters["scope"], found, parameters["scope_controls"])
    targets = undo.targets(changes)
    result.update(decisions=found, apply=by_role(decisions.applied(found, facts)),
                  undo=[worded(one) for one in targets])
    remaining = found if parameters["scope"] == "removed" else {}
    back = [one for one in targets if one["kind"] == "daemon_json_leaf"]
    result["restart"] = decisions.restart(remaining, facts, inputs, [(one["leaf"], one["original"]) for one in back])
    closed = window.closed(inputs.get("docker_restart_policy"), inputs.get("docker_restart_window") or {})
    if closed and result["restart"]["needed"] != "none":
        result["restart"].update(allowed=False, reason=closed)
    return result


def by_role(controls):
    """Controls grouped by the role that owns them."""
    grouped = {}
    for control in controls:
        grouped.setdefault(control["id"].split("/")[0], []).append(control)
    return grouped


def worded(target):
    """One line per thing that undo would take back."""
    name = ".".join(target["leaf"]) or target["ours"].get("value", "")
    return "%s: %s (%s)" % (target["target"], name or target["kind"], ", ".join(target["controls"]))


def main():
    module = AnsibleModule(
        argument_spec={
            "controls": {"type": "list", "elements": "dict", "required": True},
            "inputs": {"type": "dict", "required": True},
            "exceptions": {"type": "list", "elements": "dict", "default": []},
            "today": {"type": "str", "required": True},
            "scope": {"type": "str", "default": "removed"},
            "scope_controls": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    module.exit_json(changed=False, **answer(module.params))


if __name__ == "__main__":
    main()
