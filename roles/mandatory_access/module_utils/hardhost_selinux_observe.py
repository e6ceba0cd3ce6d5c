"""What verify asks about SELinux: the kernel's mode, what boots with it, and our policy for containers.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from ansible.module_utils import hardhost_selinux as selinux
from ansible.module_utils import hardhost_selinux_containers as containers
from ansible.module_utils import hardhost_selinux_host as host
from ansible.module_utils import hardhost_selinux_kernel as kernel
from ansible.module_utils import hardhost_selinux_store as store


def observe(facts, inputs, settings):
    """`{enabled, enforcing, boot, arguments, menu, menu_seen, init, policy}`; `policy` where the control is checked."""
    enabled = facts["selinux"]["enabled"]
    boot = selinux.read(facts) if enabled else None
    found = {
        "enabled": enabled,
        "enforcing": facts["selinux"]["enforcing"],
        "boot": store.configuration().get("SELINUX", ""),
        "arguments": overriding(host.arguments()),
        "menu": not (boot and (selinux.menu_lacks(boot) or boot["against"])),
        "menu_seen": bool(boot and boot["grub"]),
        "init": kernel.kind(kernel.process(1)) if enabled else "",
        "policy": None,
    }
    chosen = settings.get(containers.CONTROL)
    if chosen is not None and enabled:
        asked = chosen.get("mandatory_access_selinux_policy", {})
        found["policy"] = containers.observe(asked)
        found["policy"]["wanted"] = asked.get("booleans") or {}
        there = containers.read(facts, inputs)
        todo = containers.plan(asked, there)
        found["policy"]["current"] = todo["module"] is None
        if todo["line"]:
            found["policy"]["unlabelled"] = "the policy has none for %s" % there["root"]
        elif there["labelled"] not in ("", containers.DATA):
            words = there["root"], there["labelled"], there["right"] or "none"
            found["policy"]["unlabelled"] = "%s is labelled %s, and the policy says %s" % words
    return found


def overriding(arguments):
    """Arguments of this boot that win over the configuration."""
    off = [
        "%s=%s" % (name, value)
        for name, value in (("selinux", "0"), ("security", "apparmor"))
        if host.last(arguments, name) == value
    ]
    return off + host.permissive(arguments)
