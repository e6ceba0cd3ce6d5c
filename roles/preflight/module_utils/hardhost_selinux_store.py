"""SELinux as it lies on the disk: the configuration of the next boot, and the modules in the policy's store.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import bz2
import re

from ansible.module_utils import hardhost_files as files

CONFIG = "/etc/selinux/config"
STORE = "/var/lib/selinux"
PRIORITY = 400  # that of modules which an administrator installs


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
