"""The part of mandatory_access for SELinux: what must hold, what the next step would change, and what verify asks.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from ansible.module_utils import hardhost_selinux as selinux
from ansible.module_utils import hardhost_selinux_containers as containers
from ansible.module_utils import hardhost_selinux_policy as policy
from ansible.module_utils.hardhost_preconditions import hold, not_applicable, policy_for_containers
from ansible.module_utils.hardhost_selinux_apply import apply  # noqa: F401 - part of the surface
from ansible.module_utils.hardhost_selinux_observe import observe  # noqa: F401 - part of the surface


def read(facts, inputs):
    """How far the host is with SELinux, and what of it containers have."""
    return {"host": selinux.read(facts), "containers": containers.read(facts, inputs)}


def _reading(facts):
    return facts["surfaces"]["mandatory_access"]["selinux"]


def changes(control, facts, _inputs):
    """What applying a control would change now; the next steps come with later runs."""
    found, settings = _reading(facts), control["settings"]
    if "mandatory_access_selinux" in settings:
        return selinux.changes(found["host"])
    if "mandatory_access_selinux_policy" in settings:
        return containers.changes(settings["mandatory_access_selinux_policy"], found["containers"])
    return []


def possible(facts, _inputs, control):
    """Only where the kernel can, and the policy knows what containers are to run as."""
    found = _reading(facts)["host"]
    if not found["kernel"]:
        return not_applicable("the kernel of this host has no SELinux, or is not its own")
    if control["mode"] == "report" and not found["enabled"] and found["apparmor"]:
        return not_applicable(
            "AppArmor is this host's security module; choose the control to switch to SELinux"
        )
    return policy_for_containers(facts)


def next_step(facts, _inputs, control):
    """Held back where the next step is the operator's, or not safe yet."""
    found = _reading(facts)["host"]
    if control["mode"] != "apply":
        return None
    step = selinux.stage(found)
    if selinux.unbootable(found):
        return hold(*selinux.unbootable(found))
    if step == "reboot":
        boot = (
            ""
            if found["grub"] or found["family"] == "redhat"
            else ", with the kernel arguments %s" % selinux.BOOT
        )
        return hold(
            "SELinux is prepared, permissive at first; the kernel runs without it%s"
            % _why_off(found),
            "reboot%s: the host labels its files and boots a second time" % boot,
        )
    if step == "relabel":
        return hold("files wait for their labels (/.autorelabel)", "reboot")
    if step == "enforce":
        settings = control["settings"].get("mandatory_access_selinux", {})
        why = selinux.blocked(found, settings.get("accepted_denials") or [])
        return hold(*why) if why else None
    if step == "keep" and selinux.unproved(found):
        return hold(*selinux.unproved(found))
    if step == "keep" and found["login"] is not None and found["login"] <= found["enforced"]:
        return hold(
            "enforcing now, and not yet at boot: nobody has logged in since",
            "run again over a new connection; a reboot goes back to permissive",
        )
    return None


def _why_off(found):
    """What the kernel was booted with that wins over ours: `lsm=` over `security=`, and the last of two `security=`."""
    off = [
        one
        for one in found["arguments"]
        if one in ("selinux=0", "security=apparmor") or one.startswith("lsm=")
    ]
    return " (booted with %s)" % ", ".join(off) if off else ""


def in_force(facts, _inputs, control):
    """The policy for containers is loaded into a kernel that has one."""
    found = _reading(facts)["host"]
    if found["enabled"]:
        return None
    if control["mode"] == "report":
        return not_applicable("SELinux is off on this host")
    return hold("SELinux is off on this host", "first what mandatory_access/selinux_enforcing says")


def compiler(facts, _inputs, _control):
    """Our module takes rights away by rules that older compilers of policies do not know."""
    found = _reading(facts)["containers"]
    if not found["compiler"] or _numbers(found["compiler"]) >= containers.COMPILER:
        return None
    return not_applicable(
        "this host's libsepol is %s; hardhost_container_t needs %d.%d"
        % (found["compiler"], *containers.COMPILER)
    )


def _numbers(version):
    return tuple(int(one) for one in version.split(".")[:2])


def module_enabled(facts, _inputs, control):
    """Who has switched our module off has given an order: what is installed over it stays off."""
    if control["mode"] != "apply" or not _reading(facts)["containers"]["disabled"]:
        return None
    return hold(
        "the policy module %s was switched off (semodule -d)" % policy.MODULE,
        "semodule -e %s" % policy.MODULE,
    )


def booleans_known(facts, _inputs, control):
    """A boolean that the policy does not have is a mistake in the input."""
    settings = control["settings"].get("mandatory_access_selinux_policy", {})
    names = containers.unknown(settings, _reading(facts)["containers"])
    if not names or not _reading(facts)["host"]["enabled"]:
        return None
    return hold(
        "the policy has no such booleans, or they are neither true nor false: %s"
        % ", ".join(names),
        "mend mandatory_access_selinux_booleans",
    )
