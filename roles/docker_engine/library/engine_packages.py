#!/usr/bin/python
"""Upgrade the engine's packages, and they alone, without letting them restart dockerd: `docker_restart` does that.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

DOCUMENTATION = r"""
module: engine_packages
short_description: Upgrade engine, client, containerd and runc
description:
  - Fetches everything before the first package is touched, records every package, keeps changed configuration files,
    and removes or downgrades nothing.
  - Upgrades what preflight has announced and nothing else. Where the lists were old it fetches them, and where they now say
    something else it leaves that to another reading of the host, which judges the restart too.
  - No package's script restarts anything of the engine. containerd is restarted here where it was replaced; dockerd goes on
    running as it was until M(docker_restart), asked for it by this, restarts it with live-restore.
options:
  controls: {type: list, elements: str, required: true, description: The ids of the controls to apply.}
  announced: {type: list, elements: dict, default: [], description: The changes that preflight announced for the upgrade.}
  last: {type: bool, default: false, description: 'Whether the host is not read again after this, and what is left is a warning.'}
  inputs: {type: dict, required: true, description: All inputs of the host.}
  os: {type: dict, required: true, description: 'The id, version and family of the operating system.'}
  run: {type: str, required: true, description: The run id.}
  holder: {type: str, required: true, description: Who runs.}
author: hardhost
"""

EXAMPLES = r"""
- name: Upgrade the engine
  engine_packages:
    controls: [docker_engine/engine_updated, docker_engine/engine_running_updated]
    announced: "{{ hardhost_decisions['docker_engine/engine_updated'].changes }}"
    inputs: "{{ hardhost_inputs }}"
    os: "{{ hardhost_host.os }}"
    run: 20261121T180000Z-00000000
    holder: ops@bastion
"""

RETURN = r"""
refreshed: {type: bool, returned: always, description: Whether the package lists were fetched.}
again: {type: bool, returned: always, description: 'Whether there is something else to upgrade than was announced: nothing was.'}
left: {type: list, returned: always, description: 'What there is to upgrade then.'}
updated: {type: dict, returned: always, description: 'Per package, [version before, version after].'}
said: {type: list, returned: always, description: 'The same, in words, and what was restarted.'}
restarted: {type: list, returned: always, description: 'containerd.service, where it was replaced.'}
held: {type: str, returned: always, description: Why nothing was upgraded after the lists were fetched; empty otherwise.}
"""

import os
import time

from ansible.module_utils import hardhost_components as components
from ansible.module_utils import hardhost_facts
from ansible.module_utils import hardhost_files as files
from ansible.module_utils import hardhost_package_work as work
from ansible.module_utils import hardhost_packages as packages
from ansible.module_utils import hardhost_policy as policy
from ansible.module_utils import hardhost_running as running
from ansible.module_utils import hardhost_state as states
from ansible.module_utils import hardhost_surface_docker_engine as surface
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.hardhost_packages import PackagesError

RECONNECT_SECONDS = 60  # for a dockerd to find the containerd that was started anew
PAUSE = 0.5  # seconds between two looks


def apply(given, answer):
    """Upgrade what was announced, and see to the restarts that this, or an upgrade by somebody else, has left over."""
    try:
        if surface.UPDATED in given["controls"] and given["announced"]:
            upgrade(given, answer)
    finally:
        ask_for_restart(given)
        restart_containerd(given, answer)


def upgrade(given, answer):
    """Refresh, decide again by what is known now, install where it is what was announced."""
    inputs = given["inputs"]
    lock_seconds = inputs["preflight_package_lock_timeout"]
    work.wait_for_locks(lock_seconds)
    answer["refreshed"] = work.refresh_where_old(
        inputs["preflight_package_lists_valid"], lock_seconds
    )
    found = surface.plan(inputs, surface.today())
    undecided = surface.undecided(found, inputs)
    if undecided:
        answer["held"] = undecided["reason"]
        return
    answer["again"] = words(found["todo"]) != announced(given["announced"])
    answer["left"] = words(found["todo"]) if answer["again"] else []
    if found["todo"] and not answer["again"]:
        install(found["todo"], given, answer)


def words(todo):
    """What apt is told."""
    return ["%s=%s" % (one["name"], one["after"]) for one in todo]


def announced(changes):
    """The same, of what preflight said."""
    mark = surface.PACKAGE
    return [
        "%s=%s" % (one["what"][len(mark) :], one["after"])
        for one in changes
        if one["what"].startswith(mark)
    ]


def install(todo, given, answer):
    """Record what will change, then change it."""
    steps = packages.simulated(packages.simulate("--no-remove", "install", *words(todo)))
    seconds = given["inputs"]["preflight_package_timeout"]
    with states.work(given["run"], given["holder"], work.longest(given["inputs"])) as state:
        packages.record(state, steps, surface.UPDATED, given["run"])
        before = packages.installed()
        with policy.no_restart_by_packages():
            try:
                work.install(
                    words(todo), seconds, given["inputs"]["preflight_package_lock_timeout"]
                )
            finally:
                answer["updated"] = packages.differences(before, packages.installed())
                answer["said"] = packages.worded(answer["updated"])
        # apt has ended, and has a lock of its own: if a later task fails, the operator's next run may follow at once.
        states.release(state, given["run"])


def ask_for_restart(given):
    """Have docker_restart replace a dockerd that is not the installed one; once for each process."""
    facts = hardhost_facts.collect_local()
    why = running.outdated(facts)
    if why and not running.due(facts):
        with states.work(given["run"], given["holder"]) as state:
            running.ask_for_restart(state, facts, why, surface.RUNNING)
            states.release(state, given["run"])


def restart_containerd(given, answer):
    """Start the installed containerd in place of the replaced one. Containers run on, each under a shim of its own."""
    why = components.service_replaced()
    if not why:
        return
    ends = components.kill_mode()
    if ends != "process":
        raise PackagesError(
            "%s; it is not restarted, for KillMode of its unit is %s and would end the containers: set it to process, "
            "or restart it when they may stop" % (why, ends)
        )
    with states.work(given["run"], given["holder"]) as state:
        packages.output(["systemctl", "restart", components.SERVICE], RECONNECT_SECONDS)
        answer["restarted"] = [components.SERVICE]
        answer["said"] = answer["said"] + ["%s: restarted" % components.SERVICE]
        wait_for_dockerd()
        states.release(state, given["run"])


def wait_for_dockerd():
    """Until dockerd, where it runs, has found its containerd again: what comes next tries a container."""
    facts = hardhost_facts.collect_local()
    deadline = time.monotonic() + RECONNECT_SECONDS
    while facts["engine"]["running"] and "containerd" not in components.in_use(facts):
        if time.monotonic() > deadline:
            raise PackagesError(
                "dockerd does not find the restarted containerd; see journalctl -u docker -u containerd"
            )
        time.sleep(PAUSE)


def foreseen(given):
    """The answer of check mode, by the code that preflight uses."""
    facts = dict(hardhost_facts.collect_local(), os=given["os"])
    found = [
        change
        for control in given["controls"]
        for change in surface.changes({"id": control}, facts, given["inputs"])
    ]
    shown = {"before_header": "engine", "after_header": "engine"}
    for key in ("before", "after"):
        shown[key] = "".join("%s: %s\n" % (one["what"], one[key]) for one in found)
    return dict(
        nothing(),
        changed=any(one["what"].startswith((surface.PACKAGE, surface.CONTAINERD)) for one in found),
        diff=[shown],
    )


def unsaid(given, answer):
    """Why there is something left to upgrade, where no later step of this run says it."""
    texts = [answer["held"]] if answer["held"] else []
    if given["last"] and answer["left"]:
        texts.append(
            "the repositories have changed again since the host was read, and offer %s; run again"
            % ", ".join(answer["left"])
        )
    return texts


def nothing():
    """The answer of a call that did nothing."""
    return {
        "refreshed": False,
        "again": False,
        "left": [],
        "updated": {},
        "said": [],
        "held": "",
        "restarted": [],
    }


def main():
    module = AnsibleModule(
        argument_spec={
            "controls": {"type": "list", "elements": "str", "required": True},
            "announced": {"type": "list", "elements": "dict", "default": []},
            "last": {"type": "bool", "default": False},
            "inputs": {"type": "dict", "required": True},
            "os": {"type": "dict", "required": True},
            "run": {"type": "str", "required": True},
            "holder": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    given = module.params
    if module.check_mode:
        module.exit_json(**foreseen(given))
    os.umask(0o022)
    answer = nothing()
    try:
        apply(given, answer)
    except (PackagesError, states.StateError) as error:
        module.fail_json(msg="the engine was not upgraded: %s" % error, **answer)
    except OSError as error:
        module.fail_json(msg="the engine was not upgraded: %s" % files.why(error), **answer)
    for text in unsaid(given, answer):
        module.warn("the engine is not upgraded: %s" % text)
    module.exit_json(changed=bool(answer["updated"] or answer["restarted"]), **answer)


if __name__ == "__main__":
    main()
