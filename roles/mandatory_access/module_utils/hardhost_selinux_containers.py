"""What containers need of SELinux on this host: our policy module, booleans as chosen, labels for another data root.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import os
import re

from ansible.module_utils import hardhost_files as files
from ansible.module_utils import hardhost_programs as programs
from ansible.module_utils import hardhost_selinux_host as host
from ansible.module_utils import hardhost_selinux_kernel as kernel
from ansible.module_utils import hardhost_selinux_policy as policy
from ansible.module_utils import hardhost_selinux_store as store

CONTROL = "mandatory_access/selinux_container_policy"
STANDARD = "/var/lib/docker"
COMPILER = (3, 6)  # the first libsepol that knows the rule `deny`
DATA = "container_var_lib_t"  # what both families' policies give it
SUBSTITUTIONS = "/etc/selinux/%s/contexts/files/file_contexts.subs"


def read(facts, inputs):
    """The module in the store and in the kernel, booleans now and at boot, and the data root with its type."""
    kind, root = store.configuration().get("SELINUXTYPE", ""), data_root(facts)
    labelled = kernel.kind(kernel.label(root))
    wanted = inputs.get("mandatory_access_selinux_booleans") or {}
    return {
        "kind": kind,
        "text": store.module_text(policy.MODULE),
        "disabled": store.disabled(policy.MODULE),
        "loaded": facts["selinux"]["enabled"] and kernel.known(policy.CONTEXT),
        "compiler": store.compiler(facts["os"]["family"]) if facts["selinux"]["enabled"] else "",
        "booleans": host.booleans(wanted),
        "lasting": store.booleans(),
        "lines": substitutions(kind),
        "root": root,
        "labelled": labelled,
        # What the policy has for it: asked only where the answer counts.
        "right": labelled if labelled in ("", DATA) else by_policy(root),
    }


def data_root(facts):
    """Where Docker keeps its data, without the part that user namespaces add, and without symbolic links."""
    named = facts["daemon_json"]["options"].get("data-root") or facts["flags"].get("data-root")
    root = named or facts["info"].get("DockerRootDir") or STANDARD
    return os.path.realpath(re.sub(r"/\d+\.\d+$", "", str(root)))


def by_policy(path):
    """The type that the policy on the disk gives a path; "" where it cannot be asked."""
    return kernel.kind(programs.answer(["matchpathcon", "-n", path], seconds=60).strip())


def substitutions(kind):
    data = files.read(SUBSTITUTIONS % kind) if kind else None
    return [line.strip() for line in (data or b"").decode("utf-8", "replace").splitlines()]


def line(found):
    """The line that gives another data root the labels of the standard one; "" where that is there or not needed."""
    root = found["root"]
    known = any(one.split()[:1] == [root] for one in found["lines"])
    return "" if root == STANDARD or known or re.search(r"\s", root) else "%s %s" % (root, STANDARD)


def plan(settings, found):
    """`{module: text or None, booleans: {name: [before, after]}, line, relabel}`: what is to be done.

    `before`: what lasts, where that is recorded; otherwise what is in force.
    `relabel`: the data root, where it has not the type yet that the policy gives it; it is labelled last.
    """
    wanted, substitution = settings.get("booleans") or {}, line(found)
    unlabelled = found["labelled"] not in ("", DATA) and (substitution or found["right"] == DATA)
    missing = found["text"] != policy.TEXT or not found["loaded"]
    return {
        "module": policy.TEXT if missing else None,
        # One that is so already and is recorded nowhere may be set for this boot alone: what the policy has for it is not known.
        "booleans": {
            name: [found["lasting"].get(name, found["booleans"][name]), value]
            for name, value in sorted(wanted.items())
            if name in found["booleans"]
            and not found["booleans"][name] == found["lasting"].get(name) == value
        },
        "line": substitution,
        "relabel": found["root"] if unlabelled else "",
    }


def unknown(settings, found):
    """Chosen booleans that the loaded policy does not have, or that are none."""
    return sorted(
        name
        for name, value in (settings.get("booleans") or {}).items()
        if name not in found["booleans"] or not isinstance(value, bool)
    )


def changes(settings, found):
    """`[{what, before, after}]` of `plan`."""
    todo, shown = plan(settings, found), []
    if todo["module"] is not None:
        before = "another text" if found["text"] else None
        shown.append(
            {"what": "policy module " + policy.MODULE, "before": before, "after": "loaded"}
        )
    for name, (_before, after) in todo["booleans"].items():
        what, before = "boolean " + name, found["booleans"][name]
        if before == after:
            what, before = what + " at boot", found["lasting"].get(name)
        shown.append({"what": what, "before": before, "after": after})
    if todo["line"]:
        what = "%s: %s" % (SUBSTITUTIONS % found["kind"], todo["line"])
        shown.append({"what": what, "before": None, "after": "present"})
    if todo["relabel"]:
        what = "labels of " + todo["relabel"]
        shown.append({"what": what, "before": found["labelled"], "after": DATA})
    return shown


def observe(settings):
    """What the loaded policy answers about our type: `{known, permissive, wrong}`, and booleans now and at boot."""
    if not kernel.known(policy.CONTEXT):
        return {"known": False, "permissive": False, "wrong": [], "booleans": {}, "lasting": {}}
    wrong, permissive = [], False
    for expected, table in ((True, policy.GRANTED), (False, policy.REFUSED)):
        for kind, permission, target in table:
            answer = _answer(kind, target)
            permissive = permissive or answer[1]
            if (permission in answer[0]) != expected:
                wrong.append(
                    "%s %s is %s" % (kind, permission, "refused" if expected else "allowed")
                )
    wanted = settings.get("booleans") or {}
    return {
        "known": True,
        "permissive": permissive,
        "wrong": wrong,
        "booleans": host.booleans(wanted),
        "lasting": store.booleans(),
    }


def _answer(kind, target):
    """A class that this kernel or its policy does not have grants nothing."""
    try:
        return kernel.allowed(policy.CONTEXT, target, kind)
    except OSError:
        return set(), False
