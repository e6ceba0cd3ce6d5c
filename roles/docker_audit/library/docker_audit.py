#!/usr/bin/python
"""Have auditd, its rules file and the kernel hold the rules of all controls, in one call.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_audit
short_description: Record who changes what Docker is made of
description:
  - Installs auditd where it is missing, writes one rules file, and loads and replaces rules by the key of their control.
  - Rules of others are neither loaded again nor removed.
  - Where the kernel's rules are locked, the file is written, and the kernel has them after the next boot.
  - Records every change before making it.
options:
  controls: {type: list, elements: dict, required: true, description: 'List of {id, settings}.'}
  inputs: {type: dict, required: true, description: 'All inputs of the host; docker_audit_install says whether the package may be installed.'}
  run: {type: str, required: true, description: The run id.}
  holder: {type: str, required: true, description: Who runs.}
author: hardhost
"""

EXAMPLES = r"""
- name: Watch the daemon's configuration
  docker_audit:
    controls:
      - id: docker_audit/etc_docker
        settings: {docker_audit_paths: {/etc/docker: {perm: wa}}}
    inputs: "{{ hardhost_inputs }}"
    run: 20261121T180000Z-00000000
    holder: ops@bastion
"""

RETURN = r"""
controls: {type: dict, returned: always, description: 'Per control id: applied or unchanged.'}
"""

import os

from ansible.module_utils import hardhost_audit_rules as audit_rules
from ansible.module_utils import hardhost_facts
from ansible.module_utils import hardhost_files as files
from ansible.module_utils import hardhost_managed as managed
from ansible.module_utils import hardhost_package_work as work
from ansible.module_utils import hardhost_programs as programs
from ansible.module_utils import hardhost_role_module as role_module
from ansible.module_utils import hardhost_state as states
from ansible.module_utils import hardhost_surface_docker_audit as surface
from ansible.module_utils.hardhost_packages import PackagesError
from ansible.module_utils.hardhost_role_module import Refused


def plan(controls, facts, found):
    """`{control id: what to do}`."""
    return {control["id"]: surface.plan(control, facts, found) for control in controls}


def touched(todo, found):
    """The controls of which something is not as wanted and can be changed now."""
    locked = found["status"]["enabled"] == audit_rules.IMMUTABLE
    silent = not found["installed"] or not found["status"]["enabled"]
    return {
        identifier
        for identifier, one in todo.items()
        if silent
        or one["unkept"]
        or (one["unloaded"] and not locked)
        or one["unlocked"]
        or managed.different(one["files"])
    }


def candidate(todo, version):
    """The bytes of the rules file with the rules of these controls, and those of others as they are."""
    kept = {}
    for line in (files.read(audit_rules.PATH) or b"").decode("utf-8", "replace").splitlines():
        name = line.rpartition(" -k " + audit_rules.PREFIX)[2]
        if line.startswith("-") and " -k " in line:
            kept.setdefault(surface.ROLE + name, []).append(line)
    kept.update({identifier: one["rules"] for identifier, one in todo.items()})
    return audit_rules.text(kept, int(version.partition(".")[0] or 0) >= surface.WITHOUT_WATCHES)


def write(state, todo, data, run):
    """The files, recorded first: rules per control, so that each can be taken back alone."""
    for identifier, one in sorted(todo.items()):
        before = audit_rules.of_file(identifier)
        if one["unkept"]:
            states.record(
                state,
                run,
                identifier,
                "audit_rules",
                audit_rules.key(identifier),
                {"present": bool(before), "rules": before},
                {"present": True, "rules": one["rules"]},
            )
    states.save(state)
    managed.write(state, [file for one in todo.values() for file in one["files"]], run)
    if data is not None and data != files.read(audit_rules.PATH):
        files.replace(audit_rules.PATH, data, {"uid": 0, "gid": 0, "mode": 0o640})
    elif data is None:
        files.remove(audit_rules.PATH)


def load(todo, found):
    """The kernel: recording on, these rules in it, and locked if a control says so. `""` or what has to wait."""
    if found["status"]["enabled"] == audit_rules.IMMUTABLE:
        waiting = sorted(identifier for identifier, one in todo.items() if one["unloaded"])
        return (
            "the audit rules are locked until the next boot: %s" % ", ".join(waiting)
            if waiting
            else ""
        )
    if not found["status"]["enabled"]:
        audit_rules.switch(1)
    audit_rules.load({name: one["rules"] for name, one in todo.items()}, found["rules"])
    audit_rules.merge()
    if any(one["unlocked"] for one in todo.values()):
        audit_rules.switch(audit_rules.IMMUTABLE)
    return ""


def add_package(parameters, facts):
    """Install auditd, whose own start-up files start it where they can; how it is then."""
    family, inputs = facts["os"]["family"], parameters["inputs"]
    name, identifier = surface.PACKAGES[family], parameters["controls"][0]["id"]
    if not inputs["docker_audit_install"]:
        raise Refused("%s is missing, and docker_audit_install is false" % name)
    run, holder = parameters["run"], parameters["holder"]
    with states.work(run, holder, work.longest(inputs)) as state:
        work.add(state, family, [name], identifier, run, inputs)
    return surface.read(facts, {})


def start(facts):
    """Start auditd once more: a rule of somebody else that is refused keeps auditd 4 from starting, until ours are there."""
    programs.run(["systemctl", "start", "auditd.service"], check=False)
    found = surface.read(facts, {})
    if not found["active"]:
        raise Refused(
            "auditd was installed and does not start, its rules are written: "
            "journalctl -u auditd.service -u audit-rules.service says why"
        )
    return found


def shown(before, after):
    """The rules file for --diff."""
    texts = [(data or b"").decode("utf-8", "replace") for data in (before, after)]
    headers = {"before_header": audit_rules.PATH, "after_header": audit_rules.PATH}
    return dict(headers, before=texts[0], after=texts[1])


def apply(parameters, check_mode):
    """The module's result. Refused where something cannot be done."""
    facts = hardhost_facts.collect()
    found = surface.read(facts, {})
    if found["status"]["error"]:
        raise Refused(
            "the kernel's audit system does not answer: %s" % os.strerror(found["status"]["error"])
        )
    todo = plan(parameters["controls"], facts, found)
    changed = touched(todo, found)
    data = candidate(todo, found["version"])
    result = {
        **role_module.outcome(todo, changed),
        "diff": managed.differences([file for one in todo.values() for file in one["files"]]),
    }
    if data != files.read(audit_rules.PATH):
        result["diff"].append(shown(files.read(audit_rules.PATH), data))
    if check_mode or not changed:
        return result
    fresh = not found["installed"]
    if fresh:
        found = add_package(parameters, facts)
        todo = plan(parameters["controls"], facts, found)
        data = candidate(todo, found["version"])
    with states.work(parameters["run"], parameters["holder"]) as state:
        write(state, todo, data, parameters["run"])
        if fresh and not found["active"]:
            found = start(facts)
            todo = plan(parameters["controls"], facts, found)
        waiting = load(todo, found)
    return dict(result, warnings=[waiting] if waiting else [])


if __name__ == "__main__":
    role_module.run(
        apply,
        "audit rules are not as wanted",
        (PackagesError, audit_rules.AuditError),
        inputs={"type": "dict", "required": True},
    )
