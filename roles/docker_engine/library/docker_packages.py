#!/usr/bin/python
"""Install the packages that bring what a host lacks of the Docker Engine.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_packages
short_description: Install the packages that the Docker Engine lacks
description:
  - What is not installed yet goes into the state first. Everything is fetched before the first package is touched.
  - In check mode it says what would be installed, without package lists or the network.
  - Records that the service is about to be enabled, where it is not.
options:
  engine: {type: bool, required: true, description: Whether the engine is missing.}
  client: {type: bool, required: true, description: Whether the docker command is missing.}
  start: {type: bool, required: true, description: Whether the service is about to be started and enabled.}
  install: {type: bool, required: true, description: Whether packages may be installed; without it a lack is a failure.}
  os: {type: dict, required: true, description: 'The id, version and family of the operating system.'}
  binary: {type: str, required: true, description: The path of dockerd; empty where there is none.}
  inputs: {type: dict, required: true, description: All inputs of the host.}
  run: {type: str, required: true, description: The run id.}
  holder: {type: str, required: true, description: Who runs.}
author: hardhost
"""

EXAMPLES = r"""
- name: Install what is missing
  docker_packages:
    engine: true
    client: true
    start: true
    install: true
    os: {id: debian, version: "13", family: debian}
    binary: ""
    inputs: {preflight_package_lists_valid: 3600, preflight_package_lock_timeout: 300, preflight_package_timeout: 1800}
    run: 20261121T180000Z-00000000
    holder: ops@bastion
"""

RETURN = r"""
packages: {type: list, returned: always, description: The packages that were missing.}
enabled: {type: bool, returned: always, description: Whether the service has to be enabled.}
"""


from ansible.module_utils import hardhost_package_work as work
from ansible.module_utils import hardhost_programs as programs
from ansible.module_utils import hardhost_state as states
from ansible.module_utils import hardhost_unit as units
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.hardhost_packages import PackagesError

CONTROL = "docker_engine/engine_present"
SERVICE = "docker.service"
INSTALLED = {
    "debian": ["dpkg-query", "--show", "--showformat=${db:Status-Status}"],
    "redhat": ["rpm", "--query"],
}


def packages(os, engine, client, binary):
    """The names of the packages for an operating system.

    A client alone is taken from where the engine came from: Debian has it in /usr/sbin, Docker's own packages in /usr/bin.
    """
    if os["family"] == "redhat":
        return _red_hat(os, engine, client)
    own_client = os["id"] == "debian" and _number(os["version"]) >= 13
    if engine:
        return ["docker.io"] + (["docker-cli"] if client and own_client else [])
    if not client:
        return []
    if not binary.startswith("/usr/sbin/"):
        return ["docker-ce-cli"]
    return ["docker-cli"] if own_client else ["docker.io"]


def _red_hat(os, engine, client):
    """Fedora has an engine of its own; the others get it from Docker's repository, which is for the operator to add."""
    if os["id"] == "fedora":
        return (["moby-engine"] if engine else []) + (["docker-cli"] if client else [])
    return (["docker-ce", "containerd.io"] if engine else []) + (
        ["docker-ce-cli"] if client else []
    )


def _number(version):
    """The major version; a Debian without one is newer than all that have one."""
    head = version.partition(".")[0]
    return int(head) if head.isdigit() else 1000


def installed(name, family):
    """Whether the package manager has a package as installed."""
    try:
        said = programs.run(INSTALLED[family] + [name], seconds=30)
    except programs.Failed:
        return False
    return family != "debian" or said.strip() == "installed"


def disabled():
    """Whether a service that is there would not start at boot; one that a package brings is that package's."""
    return units.show(SERVICE).get("UnitFileState") == "disabled"


def install(names, enable, given):
    """Put what is about to happen into the state, and install; the service is disabled again by an undo, no package removed."""
    run, seconds = given["run"], work.longest(given["inputs"])
    with states.work(run, given["holder"], seconds) as state:
        if enable:
            states.record(
                state, run, CONTROL, "unit", SERVICE, {"enabled": False}, {"enabled": True}
            )
            states.save(state)
        if names:
            family = given["os"]["family"]
            work.add(state, family, names, CONTROL, run, given["inputs"], engine=True)
        # The package manager has a lock of its own; if a later task fails, the operator's next run may follow at once.
        states.release(state, run)


def main():
    module = AnsibleModule(
        argument_spec={
            "engine": {"type": "bool", "required": True},
            "client": {"type": "bool", "required": True},
            "start": {"type": "bool", "required": True},
            "install": {"type": "bool", "required": True},
            "os": {"type": "dict", "required": True},
            "binary": {"type": "str", "required": True},
            "inputs": {"type": "dict", "required": True},
            "run": {"type": "str", "required": True},
            "holder": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    given = module.params
    names = packages(given["os"], given["engine"], given["client"], given["binary"])
    names = [name for name in names if not installed(name, given["os"]["family"])]
    if names and not given["install"]:
        module.fail_json(
            msg="%s is missing, and docker_engine_install is false: install it (%s), or except %s"
            % (
                "the Docker Engine" if given["engine"] else "the docker command",
                ", ".join(names),
                CONTROL,
            )
        )
    enable = given["start"] and disabled()
    try:
        if (names or enable) and not module.check_mode:
            install(names, enable, given)
    except PackagesError as error:
        module.fail_json(msg=str(error))
    except states.StateError as error:
        module.fail_json(msg="nothing was installed or started: %s" % error)
    module.exit_json(
        changed=bool(names),
        packages=names,
        enabled=enable,
        diff={
            "before": "",
            "after": "".join(name + "\n" for name in names),
            "before_header": "installed packages",
            "after_header": "installed packages",
        },
    )


if __name__ == "__main__":
    main()
