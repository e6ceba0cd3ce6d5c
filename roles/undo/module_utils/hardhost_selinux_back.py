"""Take back what was done with SELinux: the mode of the running kernel, booleans, our policy module.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import os
import shutil
import tempfile

from ansible.module_utils import hardhost_files as files
from ansible.module_utils import hardhost_programs as programs
from ansible.module_utils import hardhost_selinux_kernel as kernel
from ansible.module_utils import hardhost_selinux_store as store
from ansible.module_utils import hardhost_state as states
from ansible.module_utils.hardhost_programs import run

SECONDS = 900  # the whole policy is compiled anew


def words(one):
    """One line for a target, in the list of what is undone."""
    return {
        "selinux_mode": "SELinux: %s again until the next boot" % one["original"].get("value"),
        "selinux_boolean": "SELinux: the boolean %s" % one["target"],
        "selinux_module": "SELinux: the policy module %s" % one["target"],
    }[one["kind"]]


def changed_since(one):
    """Whether the text of a module is neither ours nor the one of before."""
    text = store.module_text(one["target"]) if one["kind"] == "selinux_module" else None
    known = [content.get("sha256", content.get("blob")) for content in one["known"]]
    return text is not None and files.digest(text.encode("utf-8")) not in known


def out_of_reach(found, facts):
    """`{key: why}`: booleans in the policy's store, which stays with its packages; setsebool does nothing where SELinux is off.

    `facts` are those of the kernel.
    """
    lasting = {} if facts["enabled"] else store.booleans()
    return {
        one["key"]: "SELinux is off, and setsebool does nothing then; boot with it, and undo again"
        for one in found
        if one["kind"] == "selinux_boolean"
        and lasting.get(one["target"], one["original"]["value"]) != one["original"]["value"]
    }


def back(one):
    """Take one target back. hardhost_programs.Failed with the program's words."""
    {"selinux_mode": _mode, "selinux_boolean": _boolean, "selinux_module": _module}[one["kind"]](
        one
    )


def _mode(one):
    if kernel.read()["enabled"] and one["original"]["value"] == "permissive":
        with open(kernel.ROOT + "/enforce", "wb", buffering=0) as stream:
            stream.write(b"0")


def _boolean(one):
    # Where the policy is gone, its booleans are too.
    if os.path.exists("%s/booleans/%s" % (kernel.ROOT, one["target"])):
        value = "on" if one["original"]["value"] else "off"
        run(["setsebool", "-P", "%s=%s" % (one["target"], value)], seconds=SECONDS)


def _module(one):
    if not shutil.which("semodule", path=programs.PATH):
        return
    if not one["original"]["present"]:
        # What is switched off is listed nowhere, and is ours all the same.
        if store.module_text(one["target"]) is not None:
            run(["semodule", "-r", one["target"]], seconds=SECONDS)
        return
    folder = tempfile.mkdtemp(prefix="hardhost-", dir="/var/tmp")
    try:
        path = os.path.join(folder, one["target"] + ".cil")
        files.replace(path, states.kept(one["original"]["blob"]))
        run(["semodule", "-i", path], seconds=SECONDS)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
