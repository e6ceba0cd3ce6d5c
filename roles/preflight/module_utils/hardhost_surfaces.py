"""The surfaces that roles bring themselves: what each reads of the host, and what applying its settings would change.

A role ships `module_utils/hardhost_surface_<role>.py` with

* `read(facts, inputs)`: what its controls need to know of the host; kept as `facts["surfaces"][<role>]`;
* `changes(control, facts, inputs)`: `[{what, before, after}]` for a control `{id, settings}` of the role, [] where nothing
  is left to do; one with `restart` says why dockerd has to be started anew for it, and the role's module asks for it by
  `hardhost_running.ask_for_restart`, or writes one of `hardhost_drop_ins.CARRIED`, which asks for it by being there;
* `given(inputs, texts)`, where it has secret inputs: `(inputs, problem)`, with paths in place of `{variable: bytes}`, whose files its
  module writes (`hardhost_given`); `facts["texts"]` holds them;
* `observe(facts, inputs, settings)`: what the checks want to know, for `{control id: settings}`; only verify asks, and it
  may take longer;
* `PRECONDITIONS`: like the registry of `hardhost_preconditions`, for names that only this role's controls use.

Only the roles of a rendered project are there, so each import is optional; it is named here for Ansible to find it.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations


def present():
    """`{role: module}` of the surfaces in this project."""
    found = {}
    try:
        from ansible.module_utils import hardhost_surface_docker_access as docker_access

        found["docker_access"] = docker_access
    except ImportError:
        pass
    try:
        from ansible.module_utils import hardhost_surface_docker_daemon as docker_daemon

        found["docker_daemon"] = docker_daemon
    except ImportError:
        pass
    try:
        from ansible.module_utils import hardhost_surface_docker_audit as docker_audit

        found["docker_audit"] = docker_audit
    except ImportError:
        pass
    try:
        from ansible.module_utils import hardhost_surface_docker_firewall as docker_firewall

        found["docker_firewall"] = docker_firewall
    except ImportError:
        pass
    try:
        from ansible.module_utils import hardhost_surface_docker_engine as docker_engine

        found["docker_engine"] = docker_engine
    except ImportError:
        pass
    try:
        from ansible.module_utils import hardhost_surface_host_patching as host_patching

        found["host_patching"] = host_patching
    except ImportError:
        pass
    try:
        from ansible.module_utils import hardhost_surface_kernel as kernel

        found["kernel"] = kernel
    except ImportError:
        pass
    try:
        from ansible.module_utils import hardhost_surface_image_trust as image_trust

        found["image_trust"] = image_trust
    except ImportError:
        pass
    try:
        from ansible.module_utils import hardhost_surface_mandatory_access as mandatory_access

        found["mandatory_access"] = mandatory_access
    except ImportError:
        pass
    return found


def read(facts, inputs):
    """`{role: what it reads}`."""
    return {role: surface.read(facts, inputs) for role, surface in present().items()}


def given(inputs, texts):
    """`(inputs, problem)`: the inputs with what the surfaces make of secret ones; "" where nothing is wrong with those."""
    problems = []
    for surface in present().values():
        if texts and hasattr(surface, "given"):
            inputs, problem = surface.given(inputs, texts)
            problems.append(problem)
    return inputs, "; ".join(filter(None, problems))


def changes(control, facts, inputs):
    """What applying a control of such a role would change; [] for controls of other roles."""
    surface = present().get(control["id"].split("/")[0])
    return surface.changes(control, facts, inputs) if surface else []


def observe(facts, inputs, settings):
    """`{role: what its checks want to know}`, for the roles of these controls `{id: settings}`."""
    roles = {identifier.split("/")[0] for identifier in settings}
    return {
        role: surface.observe(facts, inputs, settings)
        for role, surface in present().items()
        if role in roles and hasattr(surface, "observe")
    }


def preconditions():
    """The preconditions that surfaces add."""
    found = {}
    for surface in present().values():
        found.update(getattr(surface, "PRECONDITIONS", {}))
    return found
