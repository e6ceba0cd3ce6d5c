"""SELinux as it lies on the disk: the configuration of the next boot, the policy's store, and what could be installed.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import bz2
import glob
import os
import re

from ansible.module_utils import hardhost_files as files
from ansible.module_utils import hardhost_programs as programs

CONFIG = "/etc/selinux/config"
STORE = "/var/lib/selinux"
PRIORITY = 400  # that of modules which an administrator installs
# Debian's policy has the module "container" from the first release of 2024 on; 2022's names a type that it lacks.
FIRST = 20240000


def configuration():
    """`{SELINUX, SELINUXTYPE}` of the configuration; {} where there is none."""
    text = (files.read(CONFIG) or b"").decode("utf-8", "replace")
    return dict(re.findall(r"^(SELINUX|SELINUXTYPE)=(\S+)", text, re.MULTILINE))


def module_text(name):
    """The text of a module in the policy's store; None where it is not installed."""
    kind = configuration().get("SELINUXTYPE", "")
    path = "%s/%s/active/modules/%d/%s/cil" % (STORE, kind, PRIORITY, name)
    data = files.read(path) if kind else None
    if data is None:
        return None
    return (bz2.decompress(data) if data.startswith(b"BZh") else data).decode("utf-8", "replace")


def disabled(name):
    """Whether somebody has switched a module off (semodule -d): its text stays, whatever is installed over it, and rules nothing."""
    kind = configuration().get("SELINUXTYPE", "")
    path = "%s/%s/active/modules/disabled/%s" % (STORE, kind, name)
    return bool(kind) and os.path.exists(path)


def booleans():
    """`{name: value}` of the booleans that setsebool -P has recorded: those the next boot has from there, others are the policy's."""
    kind = configuration().get("SELINUXTYPE", "")
    data = files.read("%s/%s/active/booleans.local" % (STORE, kind)) if kind else None
    text = (data or b"").decode("utf-8", "replace")
    found = re.findall(r"^[ \t]*([^\s=#]+)[ \t]*=[ \t]*(\w+)", text, re.MULTILINE)
    return {name: value in ("1", "true", "TRUE") for name, value in found}


def compiler(family):
    """The version of what compiles the policy, "3.8" for instance; "" where it is not known."""
    words = ["dpkg-query", "-W", "-f", "${db:Status-Status} ${Version}\\n", "libsepol*"]
    if family == "redhat":
        words = ["rpm", "-q", "--qf", "installed %{VERSION}\\n", "libsepol"]
    said = programs.answer(words, seconds=60)
    found = re.findall(r"^installed (?:\d+:)?(\d+\.\d+)", said, re.MULTILINE)
    return max(found, key=lambda one: [int(part) for part in one.split(".")], default="")


def policy(selinux, family):
    """ "known": the policy knows `container_t`; "offered": that of the packages will; "unknown": neither.

    "unlisted": the package manager has no lists to say it by.
    `selinux` is what `hardhost_selinux_kernel.read` gives. Asked only where the answer counts: the package manager takes its time.
    """
    if selinux["enabled"]:
        return "known" if selinux["containers"] else "unknown"
    kind = configuration().get("SELINUXTYPE", "")
    if kind and os.path.isdir("%s/%s/active/modules" % (STORE, kind)):
        there = glob.glob("%s/%s/active/modules/*/container" % (STORE, kind))
        return "known" if there else "unknown"
    if family == "redhat":
        return "offered"
    offered = programs.answer(["apt-cache", "policy", "selinux-policy-default"], seconds=60)
    if "Candidate: (none)" in offered or not offered:
        return "unlisted"
    return "offered" if new_enough(offered) else "unknown"


def new_enough(text):
    """Whether `apt-cache policy` offers a policy with a type for containers."""
    candidate = re.search(r"Candidate: (?:\d+:)?2\.(\d{8})", text)
    return bool(candidate) and int(candidate.group(1)) >= FIRST
