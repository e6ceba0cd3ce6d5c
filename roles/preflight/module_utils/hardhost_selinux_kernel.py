"""Ask the running kernel about SELinux: whether it enforces, which contexts its policy knows, and what it would allow.

The kernel's own answers (selinuxfs), not the files that somebody has written: a module that is installed and not loaded,
or a type that was made permissive, shows here. Changes nothing.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import glob
import os

ROOT = "/sys/fs/selinux"
CONTAINER = "system_u:system_r:container_t:s0"
PERMISSIVE = 1  # the bit in the kernel's answer for a domain that is permissive on its own


def read(root=ROOT):
    """`{enabled, enforcing, containers}`; `containers`: whether the loaded policy knows `container_t`."""
    mode = _text(root + "/enforce")
    enabled = bool(mode) and policy_loaded(root)
    return {
        "enabled": enabled,
        "enforcing": mode == "1",
        "containers": enabled and known(CONTAINER, root),
    }


def policy_loaded(root=ROOT):
    """Whether there is anything to go by: Debian's kernel with `apparmor=0` runs SELinux without a policy."""
    return bool(glob.glob(root + "/class/*"))


def known(context, root=ROOT):
    """Whether the loaded policy has this context."""
    try:
        return _ask(root + "/context", context) is not None
    except OSError:
        return False


def allowed(source, target, kind, root=ROOT):
    """`(permissions, permissive)`: what the loaded policy allows between two contexts for a class of objects.

    OSError where the policy knows one of the contexts, or the class, not.
    """
    with open("%s/class/%s/index" % (root, kind), encoding="ascii") as stream:
        index = stream.read().strip()
    answer = _ask(root + "/access", "%s %s %s" % (source, target, index)).split()
    bits, flags = int(answer[0], 16), int(answer[5], 16) if len(answer) > 5 else 0
    found = set()
    for path in glob.glob("%s/class/%s/perms/*" % (root, kind)):
        if bits >> (int(_text(path)) - 1) & 1:
            found.add(os.path.basename(path))
    return found, bool(flags & PERMISSIVE)


def _ask(path, question):
    """One question and its answer over the same descriptor, as selinuxfs wants it."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.write(descriptor, question.encode("ascii"))
        return os.read(descriptor, 4096).decode("ascii", "replace").strip("\0\n ")
    finally:
        os.close(descriptor)


def label(path):
    """The context of a file; "" where it has none."""
    try:
        return os.getxattr(path, "security.selinux").decode("ascii", "replace").strip("\0")
    except OSError:
        return ""


def process(pid):
    """The context of a process; "" where there is none."""
    return _text("/proc/%s/attr/current" % pid)


def kind(context):
    """The type in a context: `container_t` of `system_u:system_r:container_t:s0`."""
    parts = context.split(":")
    return parts[2] if len(parts) > 2 else ""


def _text(path):
    try:
        with open(path, "rb") as stream:
            return stream.read(4096).decode("ascii", "replace").strip("\0\n ")
    except OSError:
        return ""
