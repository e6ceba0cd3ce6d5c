#!/usr/bin/python
"""Say which boot, kernel, clock and containers a host has; after a reboot, see to it that they are what they should be.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_health
short_description: Remember a host before a reboot, and prove it after one
description:
  - Without O(before) it answers what there is, and changes nothing.
  - With it, waits until the Docker API answers and the containers of before run again, and starts those which no restart
    policy starts. Fails where boot, kernel, clock, API or a container are not as they should be.
options:
  before: {type: dict, default: {}, description: The answer from before the reboot.}
  controller: {type: float, required: true, description: 'The controller''s clock, in seconds since 1970.'}
  seconds: {type: int, default: 300, description: How long Docker and the containers may take.}
author: hardhost
"""

EXAMPLES = r"""
- name: Remember the host
  host_health: {controller: "{{ now().timestamp() }}"}
"""

RETURN = r"""
boot: {type: str, returned: always, description: The id of the boot.}
kernel: {type: str, returned: always, description: The running kernel.}
offset: {type: float, returned: always, description: Seconds that the host's clock is ahead of the controller's.}
containers: {type: list, returned: always, description: The running containers.}
started: {type: list, returned: always, description: 'Containers that no restart policy has started, and which were started.'}
"""

import os
import time

from ansible.module_utils import hardhost_docker as docker
from ansible.module_utils import hardhost_kernels as kernels
from ansible.module_utils import hardhost_service as service
from ansible.module_utils import hardhost_unit as units
from ansible.module_utils.basic import AnsibleModule

CLOCK = 60  # seconds by which a reboot may move the clock against the controller's
GRACE = 20  # seconds for restart policies, before a container is started by hand


class Worse(Exception):
    """The host did not come back as it was; the text says in what."""


def present(controller):
    """The answer of a host as it is."""
    return {
        "boot": units.boot(),
        "kernel": os.uname().release,
        "offset": time.time() - controller,
        "containers": docker.containers() if docker.answers() else [],
    }


def wrong_boot(before, now):
    """What of boot, kernel and clock is not as it should be; "" where all is."""
    if now["boot"] == before["boot"]:
        return "the host has not been rebooted: it is the same boot as before"
    why = kernels.outdated(kernels.found())
    if why:
        return "%s: see what the boot loader starts" % why
    if abs(now["offset"]) > CLOCK and abs(now["offset"] - before["offset"]) > CLOCK:
        return (
            "the clock is %d seconds away from the controller's, and was %d before the reboot"
            % (
                now["offset"],
                before["offset"],
            )
        )
    return ""


def runs(container):
    """Whether a container of before runs again."""
    found = docker.container_facts(container["id"])
    return bool(found and found["running"])


def start(containers):
    """Start containers; `[(container, error)]` of those that do not. One may need another: they are tried while some start."""
    while containers:
        failed = []
        for one in containers:
            try:
                docker.request("POST", "/containers/%s/start" % one["id"], b"", timeout=60)
            except docker.ApiError as error:
                failed.append((one, error))
        if len(failed) == len(containers):
            return failed
        containers = [one for one, _error in failed]
    return []


def bring_back(containers, seconds):
    """Wait for the containers of before, and start those that no policy starts; their names."""
    ours = [one for one in containers if not one["swarm"] and not one["auto_remove"]]
    service.until(lambda: all(runs(one) for one in ours), min(GRACE, seconds))
    started = [one for one in ours if not runs(one)]
    failed = start(started)
    if failed:
        raise Worse(
            "; ".join(
                "container %s does not start again: %s" % (one["name"], error)
                for one, error in failed
            )
        )
    service.until(lambda: all(runs(one) for one in ours), 5)
    missing = [one["name"] for one in ours if not runs(one)]
    if missing:
        raise Worse(
            "these containers ran before the reboot and do not run now: %s" % ", ".join(missing)
        )
    return [one["name"] for one in started]


def prove(before, controller, seconds):
    """The answer after a reboot."""
    now = present(controller)
    wrong = wrong_boot(before, now)
    if wrong:
        raise Worse(wrong)
    if not service.until(docker.answers, seconds):
        raise Worse("the Docker API does not answer %d seconds after the reboot" % seconds)
    started = bring_back(before["containers"], seconds)
    return dict(present(controller), started=started)


def main():
    module = AnsibleModule(
        argument_spec={
            "before": {"type": "dict", "default": {}},
            "controller": {"type": "float", "required": True},
            "seconds": {"type": "int", "default": 300},
        },
        supports_check_mode=True,
    )
    given = module.params
    try:
        if given["before"] and not module.check_mode:
            found = prove(given["before"], given["controller"], given["seconds"])
        else:
            found = dict(present(given["controller"]), started=[])
    except (Worse, docker.ApiError) as error:
        module.fail_json(msg="after the reboot: %s" % error)
    module.exit_json(changed=bool(found["started"]), **found)


if __name__ == "__main__":
    main()
