"""The surface of kernel: what its controls read of a host, what they would change, and what must hold before.

`plan` is shared with the module that applies it: what preflight announces is what is done.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from ansible.module_utils import hardhost_containment as containment
from ansible.module_utils import hardhost_kernel_modules as modules
from ansible.module_utils import hardhost_own_lines as own_lines
from ansible.module_utils import hardhost_sysctl as sysctl
from ansible.module_utils.hardhost_preconditions import not_applicable

# The last to be read: letters come after figures, and distributions begin theirs with figures.
SYSCTLS = "/etc/sysctl.d/zz-hardhost.conf"
BLOCKED = "/etc/modprobe.d/zz-hardhost.conf"
PERSISTED = "/etc/modules-load.d/zz-hardhost.conf"
NAMESPACES = "user.max_user_namespaces"


def read(_facts, _inputs):
    """Whether the kernel is this host's own."""
    return {"shared": containment.kind()}


def kernel_of_its_own(facts, _inputs, _control):
    """In a container the kernel is the machine's below: what is set there would be set for everybody on it."""
    kind = facts.get("surfaces", {}).get("kernel", {}).get("shared", "")
    if not kind:
        return None
    return not_applicable(
        "this host is a container (%s) and shares its kernel with the machine below: harden that one"
        % kind
    )


def parameters_known(_facts, _inputs, control):
    """A kernel without a parameter has nothing to set."""
    wanted = control["settings"].get("kernel_sysctls", {})
    if not wanted or any(known(key) for key in wanted):
        return None
    return not_applicable("this kernel has no %s" % ", ".join(sorted(wanted)))


def known(key):
    """Whether this kernel has a parameter, or one of a pattern."""
    return any(sysctl.live(one) is not None for one in sysctl.matching(key))


def plan(control, state):
    """What applying one control does: `{lines: {path: (added, removed)}, live: {key: (before, after)}, load: [names]}`."""
    wanted = wished(control["settings"])
    found = {"lines": {}, "live": {}, "load": wanted["load"]}
    for path, lines in wanted["lines"].items():
        there = own_lines.present(path)
        recorded = own_lines.recorded(state, path, control["id"])
        gone = [line for line in recorded if line not in lines]
        gone += _rivals(there, lines) if path == SYSCTLS else []
        added = [line for line in lines if line not in there]
        removed = [line for line in there if line in gone]
        if added or removed:
            found["lines"][path] = (added, removed)
    for key, value in wanted["live"].items():
        before = sysctl.live(key)
        if not sysctl.enough(key, before, value):
            found["live"][key] = (before, value)
    return found


def wished(settings):
    """The lines and live values that settings ask for on this kernel."""
    values = {
        key: for_boot(key, str(value))
        for key, value in settings.get("kernel_sysctls", {}).items()
        if known(key)
    }
    chosen = settings.get("kernel_modules", {})
    blocked = sorted(name for name, state in chosen.items() if state == "blocked")
    loaded = sorted(name for name, state in chosen.items() if state == "loaded")
    missing = set(loaded) - modules.loaded() - modules.built_in() if loaded else set()
    return {
        "lines": {
            SYSCTLS: ["%s = %s" % one for one in sorted(values.items())],
            BLOCKED: [line for name in blocked for line in blocking(name)],
            PERSISTED: loaded,
        },
        "live": {one: value for key, value in values.items() for one in sysctl.matching(key)},
        "load": sorted(missing),
    }


def blocking(name):
    """The lines that keep a module out: as an alias, and by name."""
    return ["blacklist %s" % name, "install %s /bin/false" % name]


def for_boot(key, value):
    """The value for the drop-in: what somebody else has set stricter stays as strict."""
    other = sysctl.at_boot(key, without=(SYSCTLS,))
    return other["value"] if other and sysctl.enough(key, other["value"], value) else value


def _rivals(there, lines):
    """Lines of our file for the same parameters, with other values."""
    keys = {line.partition(" = ")[0] for line in lines}
    return [line for line in there if line.partition("=")[0].strip() in keys and line not in lines]


def changes(control, facts, _inputs):
    """`[{what, before, after}]` of what applying a control would change."""
    if not control["id"].startswith("kernel/"):
        return []
    found = plan(control, facts["state"])
    shown = [
        {"what": key, "before": before, "after": after}
        for key, (before, after) in sorted(found["live"].items())
    ]
    for path, (added, removed) in sorted(found["lines"].items()):
        shown += [
            {"what": "%s: %s" % (path, one), "before": "present", "after": None} for one in removed
        ]
        shown += [
            {"what": "%s: %s" % (path, one), "before": None, "after": "present"} for one in added
        ]
    return shown + [
        {"what": "module %s" % name, "before": None, "after": "loaded"} for name in found["load"]
    ]


def observe(_facts, _inputs, settings):
    """What the checks want to know, per control."""
    present, included = modules.loaded(), modules.built_in()
    return {
        identifier: {
            "sysctls": [
                shown
                for key, value in sorted(one.get("kernel_sysctls", {}).items())
                for shown in _parameters(key, str(value))
            ],
            "modules": [
                _module(name, wanted, present, included)
                for name, wanted in sorted(one.get("kernel_modules", {}).items())
            ],
            "user_namespaces": _parameter(NAMESPACES, "0"),
        }
        for identifier, one in settings.items()
        if identifier.startswith("kernel/")
    }


def _parameters(key, value):
    """One; of a pattern, those that are not as wanted, or one that stands for all."""
    found = [_parameter(one, value) for one in sysctl.matching(key)]
    wrong = [one for one in found if not _lasts(one)]
    return wrong or [dict(one, key=key) for one in found[:1]]


def _lasts(one):
    return (
        one["enough"] and one["boot_enough"] and all(line["enough"] for line in one["afterwards"])
    )


def _parameter(key, value):
    boot = sysctl.at_boot(key)
    later = sysctl.afterwards(key)
    return {
        "key": key,
        "wanted": value,
        "live": sysctl.live(key),
        "enough": sysctl.enough(key, sysctl.live(key), value),
        "boot": boot,
        "boot_enough": bool(boot) and sysctl.enough(key, boot["value"], value),
        "afterwards": [dict(one, enough=sysctl.enough(key, one["value"], value)) for one in later],
    }


def _module(name, wanted, present, included):
    return {
        "name": name,
        "wanted": wanted,
        "loaded": modules.normal(name) in present,
        "built_in": modules.normal(name) in included,
        "refused": wanted == "blocked" and modules.refused(name),
        "persisted": name in own_lines.present(PERSISTED),
    }


PRECONDITIONS = {
    "kernel_of_its_own": kernel_of_its_own,
    "parameters_known": parameters_known,
}
