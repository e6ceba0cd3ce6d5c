"""Which services go on with libraries or programs that were replaced since, and which of them may be restarted.

Read from the kernel, without another package: what a process has mapped to run, and the unit that it belongs to.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import fnmatch
import os
import re

from ansible.module_utils import hardhost_files as files
from ansible.module_utils import hardhost_packages as packages

SYSTEM = ("/usr/", "/lib", "/bin/", "/sbin/")
# Never restarted: dockerd and containerd have their own way; the others take sessions, the network or packet filters with them.
NEVER = (
    "docker.service",
    "containerd.service",
    "dbus*.service",
    "systemd-logind.service",
    "user@*.service",
    "getty@*.service",
    "serial-getty@*.service",
    "*network*.service",
    "NetworkManager.service",
    "wpa_supplicant*.service",
    "firewalld.service",
    "openvpn*.service",
    "strongswan*.service",
    "tailscaled.service",
    "iscsid.service",
    "multipathd.service",
    "auditd.service",
    "gdm*.service",
    "lightdm.service",
    "display-manager.service",
    "hardhost-*.service",
    "systemd-nspawn@*.service",
    "libvirtd.service",
    "rc-local.service",
)
SESSIONS = ("ssh.service", "sshd.service")  # restarted only where that ends the main process alone
SECONDS = 60  # for one service
PROPERTIES = "LoadState,ActiveState,RefuseManualStop,KillMode,Type,MainPID"


def replaced(maps):
    """Whether the text of /proc/<pid>/maps shows something to run that is not on the disk any more."""
    for line in maps.splitlines():
        if line.endswith(" (deleted)"):
            words = line.split(None, 5)
            if "x" in words[1] and words[5].startswith(SYSTEM):
                return True
    return False


def unit_of(cgroup):
    """The service that the text of /proc/<pid>/cgroup names, "" for sessions, containers and the kernel's own."""
    for line in cgroup.splitlines():
        _number, controllers, path = line.split(":", 2)
        if controllers in ("", "name=systemd"):
            units = [part for part in path.split("/") if part.endswith(".service")]
            if units and not re.search(r"\.scope$|/user\.slice/", path):
                return units[-1]
    return ""


def services(root="/proc"):
    """The services of this host, and of no container on it, that run what was replaced; sorted."""
    found, own = set(), _namespace(root, "1")
    for pid in os.listdir(root):
        if not pid.isdigit() or _namespace(root, pid) != own:
            continue
        unit = unit_of(_text(root, pid, "cgroup"))
        if unit and unit not in found and replaced(_text(root, pid, "maps")):
            found.add(unit)
    return sorted(found)


def _namespace(root, pid):
    try:
        return os.readlink("%s/%s/ns/pid" % (root, pid))
    except OSError:
        return ""


def _text(root, pid, name):
    try:
        return (files.read("%s/%s/%s" % (root, pid, name)) or b"").decode("utf-8", "replace")
    except OSError:  # it has ended
        return ""


def restartable(units, root="/proc"):
    """`(those that may be restarted, those that may not, or that it would not help)`."""
    may = [unit for unit in units if _may(unit, root)]
    return may, [unit for unit in units if unit not in may]


def _may(unit, root):
    if any(fnmatch.fnmatch(unit, pattern) for pattern in NEVER):
        return False
    code, text, _errors = packages.run(
        ["systemctl", "show", unit, "-p", PROPERTIES],
        30,
    )
    properties = dict(line.partition("=")[::2] for line in text.splitlines())
    if code or properties.get("LoadState") != "loaded" or properties.get("ActiveState") != "active":
        return False
    if properties.get("RefuseManualStop") == "yes" or properties.get("Type") == "oneshot":
        return False
    if properties.get("KillMode") == "process":
        # A restart leaves the other processes alone: it helps only where the main one is concerned.
        return replaced(_text(root, properties.get("MainPID", "0"), "maps"))
    return properties.get("KillMode") != "none" and unit not in SESSIONS + (own_unit(),)


def own_unit():
    """The service that this very run is part of, where an agent has started it; "" in sessions."""
    return unit_of(_text("/proc", "self", "cgroup"))


def restart(units):
    """Restart services one by one; texts on those that did not come back."""
    wrong = []
    for unit in units:
        try:
            code, text, errors = packages.run(["systemctl", "restart", unit], SECONDS)
        except packages.PackagesError as error:
            wrong.append("%s: %s" % (unit, error))
            continue
        if code:
            wrong.append("%s: %s" % (unit, packages.said(errors + text)))
    return wrong
