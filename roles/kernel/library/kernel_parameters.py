#!/usr/bin/python
"""Set kernel parameters and keep modules out or loaded, now and at every boot, for all controls in one call.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

DOCUMENTATION = r"""
module: kernel_parameters
short_description: Set kernel parameters and choose modules
description:
  - Writes one file each for parameters, for modules that must not be loaded and for those that must be, and sets the live values.
  - Records every line and every live value before changing it.
options:
  controls: {type: list, elements: dict, required: true, description: 'List of {id, settings}.'}
  run: {type: str, required: true, description: The run id.}
  holder: {type: str, required: true, description: Who runs.}
author: hardhost
"""

EXAMPLES = r"""
- name: Hide kernel addresses
  kernel_parameters:
    controls: [{id: kernel/kernel_pointers, settings: {kernel_sysctls: {kernel.kptr_restrict: 2}}}]
    run: 20261121T180000Z-00000000
    holder: ops@bastion
"""

RETURN = r"""
controls: {type: dict, returned: always, description: 'Per control id: applied or unchanged.'}
"""

from ansible.module_utils import hardhost_kernel_modules as modules
from ansible.module_utils import hardhost_own_lines as own_lines
from ansible.module_utils import hardhost_role_module as role_module
from ansible.module_utils import hardhost_state as states
from ansible.module_utils import hardhost_surface_kernel as surface
from ansible.module_utils import hardhost_sysctl as sysctl
from ansible.module_utils.hardhost_role_module import Refused


def record(state, identifier, found, run):
    """Record everything that one control is about to change; the caller saves."""
    for path, (added, _removed) in found["lines"].items():
        own_lines.record(state, run, identifier, path, added)
    for key, (before, after) in found["live"].items():
        states.record(
            state, run, identifier, "sysctl", key, {"present": True, "value": before},
            {"present": True, "value": after},
        )  # fmt: skip
    for name in found["load"]:
        states.record(
            state, run, identifier, "module", name, {"present": False},
            {"present": True, "value": name},
        )  # fmt: skip


def write(state, identifier, found):
    """Make the recorded changes of one control; lines are forgotten once they are gone."""
    for path, (added, removed) in found["lines"].items():
        own_lines.put(path, added, removed)
        own_lines.forget(state, identifier, path, removed)
    for key, (_before, after) in found["live"].items():
        try:
            sysctl.write(key, after)
        except FileNotFoundError:  # an interface that has gone, and its parameters with it
            continue
        except OSError as error:
            raise Refused("%s = %s: %s" % (key, after, error.strerror)) from error
    for name in found["load"]:
        problem = modules.load(name)
        if problem:
            raise Refused("module %s: %s" % (name, problem))


def difference(todo):
    """For --diff: parameters and lines."""
    before, after = [], []
    for found in todo.values():
        before += ["%s = %s" % (key, values[0]) for key, values in found["live"].items()]
        after += ["%s = %s" % (key, values[1]) for key, values in found["live"].items()]
        for path, (added, removed) in found["lines"].items():
            before += ["%s: %s" % (path, line) for line in removed]
            after += ["%s: %s" % (path, line) for line in added]
        after += ["module %s" % name for name in found["load"]]
    return [
        {
            "before": "".join(line + "\n" for line in sorted(before)),
            "after": "".join(line + "\n" for line in sorted(after)),
            "before_header": "kernel",
            "after_header": "kernel",
        }
    ]


def apply(parameters, check_mode):
    """The module's result. Refused where the kernel does not take a value."""
    state, controls = states.load(), parameters["controls"]
    todo = {one["id"]: surface.plan(one, state) for one in controls}
    touched = {identifier for identifier, found in todo.items() if any(found.values())}
    result = {
        **role_module.outcome(todo, touched),
        "diff": difference(todo) if touched else [],
    }
    if touched and not check_mode:
        with states.work(parameters["run"], parameters["holder"]) as state:
            for identifier in sorted(touched):
                record(state, identifier, todo[identifier], parameters["run"])
            states.save(state)
            for identifier in sorted(touched):
                write(state, identifier, todo[identifier])
    return result


if __name__ == "__main__":
    role_module.run(apply, "the kernel is not as wanted")
