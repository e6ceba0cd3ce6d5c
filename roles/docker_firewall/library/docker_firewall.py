#!/usr/bin/python
"""Let only the listed networks reach published ports, by one block of rules behind DOCKER-USER.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_firewall
short_description: Let only listed networks reach the published ports of containers
description:
  - Owns one chain and the jump to it, for IPv4 and IPv6, and a unit that loads them with every start of Docker.
  - Connections that stand go on. Records every change before making it.
  - Asks docker_restart for a restart where somebody has emptied Docker's own rules.
options:
  controls: {type: list, elements: dict, required: true, description: 'List of {id, settings}.'}
  run: {type: str, required: true, description: The run id.}
  holder: {type: str, required: true, description: Who runs.}
author: hardhost
"""

EXAMPLES = r"""
- name: Let the office reach the web server
  docker_firewall:
    controls:
      - id: docker_firewall/published_ports
        settings: {docker_firewall_published: {allow: [{cidr: 192.0.2.0/24, port: 443}]}}
    run: 20261121T180000Z-00000000
    holder: ops@bastion
"""

RETURN = r"""
controls: {type: dict, returned: always, description: 'Per control id: applied or unchanged.'}
"""

from ansible.module_utils import hardhost_block as block
from ansible.module_utils import hardhost_facts
from ansible.module_utils import hardhost_managed as managed
from ansible.module_utils import hardhost_programs as programs
from ansible.module_utils import hardhost_role_module as role_module
from ansible.module_utils import hardhost_running as running
from ansible.module_utils import hardhost_state as states
from ansible.module_utils import hardhost_surface_docker_firewall as surface


def write(todo, run, holder):
    """Record, then change; everything under the host's lock and lease."""
    with states.work(run, holder) as state:
        for identifier, found in todo.items():
            record_chains(state, run, identifier, found["chains"])
        written = managed.write(
            state, [one for found in todo.values() for one in found["files"]], run
        )
        if written:
            programs.run(["systemctl", "daemon-reload"])
        programs.run(["/bin/sh", block.SCRIPT])
        programs.run(["systemctl", "start", block.TIMER])
        asking = [
            (one["restart"], identifier) for identifier, one in todo.items() if one["restart"]
        ]
        if asking:
            running.ask_for_restart(state, hardhost_facts.collect_local(), *asking[0])


def record_chains(state, run, control, tools):
    """Ours, and DOCKER-USER where Docker has not made it: what was not there before goes again."""
    for tool in tools:
        there = block.live(tool)
        for name in (block.ABOVE, block.CHAIN):
            target = "%s %s" % (tool, name)
            if name not in there and not states.owned(state, "chain", target):
                states.record(
                    state, run, control, "chain", target, {"present": False}, {"present": True}
                )
    states.save(state)


def apply(parameters, check_mode):
    """The module's result. Refused where something cannot be done."""
    todo = {one["id"]: surface.plan(one) for one in parameters["controls"]}
    touched = {identifier for identifier, found in todo.items() if any(found.values())}
    # Before they are written: there is none afterwards.
    shown = [one for found in todo.values() for one in managed.differences(found["files"])]
    if touched and not check_mode:
        write(todo, parameters["run"], parameters["holder"])
    return {**role_module.outcome(todo, touched), "diff": shown}


if __name__ == "__main__":
    role_module.run(apply, "published ports are not filtered as wanted")
