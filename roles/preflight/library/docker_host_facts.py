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
  inputs: {type: dict, required: true, description: 'All inputs but secret ones, resolved for this host.'}
  texts: {type: dict, default: {}, description: 'Secret. Per secret input, its text in base64.'}
  exceptions: {type: list, elements: dict, default: [], description: The host's hardhost_exceptions.}
  today: {type: str, required: true, description: YYYY-MM-DD by which waivers expire.}
  scope: {type: str, default: removed, description: What undo will be asked for after this.}
  scope_controls: {type: list, elements: str, default: [], description: The ids for the scope controls.}
  scope_run: {type: str, default: '', description: 'For the scope run, the run to take back; else the last one of this host.'}
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
left: {type: list, returned: always, description: 'What undo would leave, and why.'}
undo_run: {type: str, returned: always, description: 'For the scope run, the run that undo would take back.'}
undo_runs: {type: list, returned: always, description: 'The runs of what undo would take back, oldest first.'}
recorded: {type: dict, returned: when the state can be read, description: 'C(run), the last one that has recorded something, and C(controls).'}
apply: {type: dict, returned: always, description: 'Per role, the controls to apply.'}
facts: {type: dict, returned: always, description: The facts without secrets.}
"""

import os
import time

from ansible.module_utils import hardhost_decisions as decisions
from ansible.module_utils import hardhost_drop_ins as drop_ins
from ansible.module_utils import hardhost_facts
from ansible.module_utils import hardhost_given as given
from ansible.module_utils import hardhost_surfaces as surfaces
from ansible.module_utils import hardhost_undo as undo
from ansible.module_utils import hardhost_unit as units
from ansible.module_utils import hardhost_window as window
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.hardhost_redaction import redact_texts

JOB_SECONDS = 600
START_SECONDS = 60


def answer(parameters):
    """The module's result for its parameters."""
    if os.geteuid() != 0:
        return nothing("not root on this host; run with become", {})
    texts = given.decoded(parameters["texts"])
    inputs, refused = surfaces.given(parameters["inputs"], texts)
    if refused:
        return nothing(refused, {})
    wait_for_daemon()
    facts = hardhost_facts.collect()
    back = None if parameters["scope"] == "removed" else to_take_back(facts, parameters, inputs)[0]
    result = nothing(decisions.refusal(facts, back), hardhost_facts.public(facts))
    result["lease"] = (facts["state"]["lease"] or {}).get("run", "")
    if not facts["state_error"]:
        result["recorded"] = {
            "run": undo.last_run(facts["state"]["changes"]),
            "controls": sorted({change["control"] for change in facts["state"]["changes"]}),
        }
    if result["refused"]:
        return result
    facts.update(texts=texts, surfaces=surfaces.read(facts, inputs))
    found = decisions.decide(
        parameters["controls"], facts, inputs, parameters["exceptions"], parameters["today"]
    )
    targets, staying = to_take_back(facts, parameters, inputs, found)
    restart = foreseen(found, facts, parameters, targets)
    if decisions.hold_upgrade(found, restart):
        restart = foreseen(found, facts, parameters, targets)
    result.update(
        decisions=found,
        apply=to_do(found, decisions.applied(found, facts), targets),
        undo=[undo.worded(one) for one in targets],
        left=staying,
        undo_runs=undo.runs(facts["state"]["changes"], targets),
        restart=restart,
    )
    if parameters["scope"] == "run":
        result["undo_run"] = parameters["scope_run"] or result["recorded"]["run"]
    result["restart"]["work"] = bool(
        result["restart"]["needed"] != "none"
        or result["apply"]
        or targets
        or decisions.unsettled(facts)
    )
    return result


def nothing(refused, facts):
    """An answer in which nothing is decided."""
    empty = {"decisions": {}, "restart": {}, "undo": [], "left": [], "apply": {}}
    return dict(empty, undo_run="", undo_runs=[], refused=refused, facts=facts)


def to_take_back(facts, parameters, inputs, found=None):
    """`(targets, staying)`: what undo would take back, and what it would leave, in words. The scope removed needs the decisions."""
    changes = undo.chosen(
        facts["state"]["changes"],
        parameters["scope"],
        found or {},
        parameters["scope_controls"],
        parameters["scope_run"],
        flags=facts["flags"],
    )
    targets = undo.targets(changes)
    left = undo.stays(targets, facts, inputs)
    left.update(undo.built_upon(targets, facts["state"]["changes"], parameters["scope"]))
    staying = [
        "%s: %s" % (undo.worded(one), left[one["key"]]) for one in targets if one["key"] in left
    ]
    return [one for one in targets if one["key"] not in left], staying


def foreseen(found, facts, parameters, targets):
    """What a converge that takes these targets back, or an undo of them alone, means for the running daemon."""
    inputs = parameters["inputs"]
    remaining = found if parameters["scope"] == "removed" else {}
    back = [one for one in targets if one["kind"] == "daemon_json_leaf"]
    restart = decisions.restart(
        remaining,
        facts,
        inputs,
        [(one["leaf"], one["original"]) for one in back],
        any(drop_ins.carried(one) for one in targets),
        {control for one in targets for control in one["controls"]},
    )
    closed = window.closed(
        inputs.get("docker_restart_policy"), inputs.get("docker_restart_window") or {}
    )
    if closed and restart["needed"] != "none":
        restart.update(allowed=False, reason=closed)
    return restart


def public(result):
    """The answer with nothing in its words that may be a secret; settings and facts stay as they are."""
    words = ("reason", "remedy", "changes")
    for decision in result["decisions"].values():
        decision.update(redact_texts({key: decision[key] for key in words}))
    return dict(
        result, **redact_texts({key: result[key] for key in ("refused", "restart", "undo", "left")})
    )


def wait_for_daemon():
    """Wait for a restart job that an earlier run left at work, and for a dockerd that is still starting."""
    deadline = time.monotonic() + JOB_SECONDS
    while units.job_runs() and time.monotonic() < deadline:
        time.sleep(0.5)
    deadline = time.monotonic() + START_SECONDS
    while (
        units.show("docker.service").get("ActiveState") == "activating"
        and time.monotonic() < deadline
    ):
        time.sleep(0.5)


def to_do(found, controls, undone):
    """Controls grouped by role; a role is left out where none of its controls has anything left to change.

    So a host that needs nothing costs no further remote step. What is taken back may concern a neighbour's leaf: then
    all of them are looked at again.
    """
    grouped = {}
    for control in controls:
        grouped.setdefault(control["id"].split("/")[0], []).append(control)
    return {
        role: members
        for role, members in grouped.items()
        if undone or any(found[one["id"]]["changes"] for one in members)
    }


def main():
    module = AnsibleModule(
        argument_spec={
            "controls": {"type": "list", "elements": "dict", "required": True},
            "inputs": {"type": "dict", "required": True},
            "texts": given.PARAMETER,
            "exceptions": {"type": "list", "elements": "dict", "default": []},
            "today": {"type": "str", "required": True},
            "scope": {"type": "str", "default": "removed"},
            "scope_controls": {"type": "list", "elements": "str", "default": []},
            "scope_run": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    module.exit_json(changed=False, **public(answer(module.params)))


if __name__ == "__main__":
    main()
