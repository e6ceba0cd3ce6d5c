"""The surface of mandatory_access: hands each control to the part that knows its security module.

A part has `read(facts, inputs)`, `changes(control, facts, inputs)`, `observe(facts, inputs, settings)` and, for the
module, `apply(controls, parameters, check_mode)`.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from ansible.module_utils import hardhost_surface_apparmor as apparmor
from ansible.module_utils import hardhost_surface_selinux as selinux

PARTS = {"apparmor": apparmor, "selinux": selinux}


def part(identifier):
    """The part that a control's name begins with; None where it is another role's."""
    role, _, name = identifier.partition("/")
    return PARTS.get(name.partition("_")[0]) if role == "mandatory_access" else None


def read(facts, inputs):
    """`{part: what it reads}`."""
    return {name: one.read(facts, inputs) for name, one in PARTS.items()}


def changes(control, facts, inputs):
    """`[{what, before, after}]` of what applying a control would change."""
    one = part(control["id"])
    return one.changes(control, facts, inputs) if one else []


def observe(facts, inputs, settings):
    """`{part: what its checks want to know}`, for the controls that are to be checked."""
    wanted = {
        identifier.partition("/")[2].partition("_")[0]
        for identifier in settings
        if identifier.startswith("mandatory_access/")
    }
    return {
        name: one.observe(facts, inputs, settings) for name, one in PARTS.items() if name in wanted
    }


PRECONDITIONS = {
    "apparmor_loadable": apparmor.apparmor_loadable,
    "apparmor_possible": apparmor.apparmor_possible,
    "apparmor_startable": apparmor.apparmor_startable,
    "selinux_booleans_known": selinux.booleans_known,
    "selinux_compiler": selinux.compiler,
    "selinux_in_force": selinux.in_force,
    "selinux_module_enabled": selinux.module_enabled,
    "selinux_next_step": selinux.next_step,
    "selinux_possible": selinux.possible,
}
