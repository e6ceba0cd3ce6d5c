#!/usr/bin/python
"""Write the drop-in by which docker.service serves its API over TCP to clients with a certificate.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_listen
short_description: Serve the Docker API over TCP with certificates on both sides
description:
  - Checks certificate, key and authority by a handshake in memory before anything is written.
  - Records every change before making it. Never restarts anything; M(docker_restart) brings it into force.
  - Writes the texts that it is given below C(/etc/docker/hardhost-tls), and keeps no copy of them.
options:
  controls: {type: list, elements: dict, required: true, description: 'List of {id, settings}.'}
  run: {type: str, required: true, description: The run id.}
  holder: {type: str, required: true, description: Who runs.}
  texts: {type: dict, default: {}, description: 'Secret. Per variable, the text in PEM of a file to be written, in base64.'}
author: hardhost
"""

EXAMPLES = r"""
- name: Serve the API over TCP
  docker_listen:
    controls:
      - id: docker_daemon/tls_mutual
        settings:
          docker_daemon_tls:
            {address: "0.0.0.0:2376", ca: /etc/docker/tls/ca.pem, certificate: /etc/docker/tls/cert.pem,
             key: /etc/docker/tls/key.pem, names: [db1.example.org]}
    run: 20261121T180000Z-00000000
    holder: ops@bastion
"""

RETURN = r"""
controls: {type: dict, returned: always, description: 'Per control id: applied or unchanged.'}
"""

from ansible.module_utils import hardhost_certificates as certificates
from ansible.module_utils import hardhost_facts, hardhost_listen
from ansible.module_utils import hardhost_given as given
from ansible.module_utils import hardhost_managed as managed
from ansible.module_utils import hardhost_permissions as permissions
from ansible.module_utils import hardhost_programs as programs
from ansible.module_utils import hardhost_role_module as role_module
from ansible.module_utils import hardhost_running as running
from ansible.module_utils import hardhost_state as states
from ansible.module_utils import hardhost_surface_docker_daemon as surface
from ansible.module_utils.hardhost_role_module import Refused


def judge(controls, facts):
    """Look again before writing: files may have changed since preflight looked."""
    texts = hardhost_listen.parts(facts["texts"])
    for control in controls:
        tls = control["settings"]["docker_daemon_tls"]
        problem = next(filter(None, (other_text(tls, *one) for one in texts.items())), "")
        problem = problem or certificates.wrong(tls, texts) or hardhost_listen.in_the_way(facts)
        if problem:
            raise Refused(problem)


def other_text(tls, part, data):
    """Whether a text is not the one that preflight has judged, by its path; "" where it is."""
    if tls[part] == given.path(part, data):
        return ""
    return (
        "%s is another text than when the host was read: give one that stays the same for a run"
        % (certificates.TEXTS[part])
    )


def write(facts, todo, run, holder):
    """Record, then change; everything under the host's lock and lease."""
    with states.work(run, holder) as state:
        in_force = running.known(facts)
        if in_force is not None:
            running.note(state, facts["process"], in_force)
        for identifier, found in todo.items():
            given.write(state, found["texts"], run)
            for one in found["permissions"]:
                states.record(
                    state, run, identifier, "permissions", one["path"], one["before"], one["after"]
                )
                states.save(state)
                permissions.change(one["path"], one["after"], one["before"])
            given.supersede(state, identifier, paths(facts["texts"]))
        managed.write(state, [one for found in todo.values() for one in found["files"]], run)
    programs.run(["systemctl", "daemon-reload"])  # nothing is restarted by it


def paths(texts):
    """Where the texts are that are given now."""
    return {given.path(part, data) for part, data in hardhost_listen.parts(texts).items()}


def apply(parameters, check_mode):
    """The module's result. Refused where nothing may be written."""
    facts = dict(hardhost_facts.collect_local(), texts=given.decoded(parameters["texts"]))
    controls = [one for one in parameters["controls"] if one["settings"].get("docker_daemon_tls")]
    judge(controls, facts)
    todo = {one["id"]: surface.plan(one, facts) for one in controls}
    touched = {identifier for identifier, found in todo.items() if any(found.values())}
    shown = [one for found in todo.values() for one in differences(found)]  # gone, once written
    if touched and not check_mode:
        write(facts, todo, parameters["run"], parameters["holder"])
    return {**role_module.outcome(todo, touched), "diff": shown}


def differences(found):
    """For --diff."""
    shown = managed.differences(found["files"])
    shown += managed.differences(found["texts"], hidden=[one["path"] for one in found["texts"]])
    for one in found["permissions"]:
        before, after = (permissions.worded(one[key]) + "\n" for key in ("before", "after"))
        names = {"before_header": one["path"], "after_header": one["path"]}
        shown.append(dict(names, before=before, after=after))
    return shown


if __name__ == "__main__":
    wrong = (permissions.PermissionsError,)
    role_module.run(apply, "the API is served as before", wrong, texts=given.PARAMETER)
