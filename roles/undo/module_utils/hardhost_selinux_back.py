"""Take back what was done with SELinux: the mode of the running kernel, booleans, our policy module.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile

from ansible.module_utils import hardhost_facts
from ansible.module_utils import hardhost_files as files
from ansible.module_utils import hardhost_selinux_kernel as kernel
from ansible.module_utils import hardhost_selinux_store as store
from ansible.module_utils import hardhost_state as states

SECONDS = 900  # the whole policy is compiled anew


class NotTaken(Exception):
    """Something could not be taken back; the text says what and why."""


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
    known = (one["ours"].get("sha256"), one["original"].get("blob"))
    return text is not None and files.digest(text.encode("utf-8")) not in known


def back(one):
    """Take one target back."""
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
        _run(["setsebool", "-P", "%s=%s" % (one["target"], value)])


def _module(one):
    if not shutil.which("semodule", path=hardhost_facts.PATH):
        return
    if not one["original"]["present"]:
        if one["target"] in _run(["semodule", "-l"]).split():
            _run(["semodule", "-r", one["target"]])
        return
    folder = tempfile.mkdtemp(prefix="hardhost-", dir="/var/tmp")
    try:
        path = os.path.join(folder, one["target"] + ".cil")
        files.replace(path, states.kept(one["original"]["blob"]))
        _run(["semodule", "-i", path])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(command):
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=SECONDS,
            check=False,
            env={"PATH": hardhost_facts.PATH, "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotTaken("%s: %s" % (command[0], error)) from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip()
        raise NotTaken("%s ended with %d: %s" % (" ".join(command), done.returncode, said[-400:]))
    return done.stdout.decode("utf-8", "replace")
