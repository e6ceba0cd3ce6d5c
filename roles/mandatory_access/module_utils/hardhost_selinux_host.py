"""Read what tells how far a host is with SELinux: configuration, packages, boot, labels, denials. Changes nothing.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import bz2
import glob
import os
import re
import subprocess

from ansible.module_utils import hardhost_facts
from ansible.module_utils import hardhost_files as files
from ansible.module_utils import hardhost_managed as managed
from ansible.module_utils import hardhost_selinux_kernel as kernel
from ansible.module_utils import hardhost_unit as units
from ansible.module_utils.hardhost_selinux_policy import MODULE, PRIORITY

CONFIG = "/etc/selinux/config"
RELABEL = "/.autorelabel"
STORE = "/var/lib/selinux"
AUDIT = "/var/log/audit/audit.log"
# What shows that a package is there, by family.
PACKAGES = {
    "debian": {
        "selinux-policy-default": "/etc/selinux/default/policy",
        "policycoreutils": "/usr/sbin/semodule",
        "auditd": "/usr/sbin/auditd",
    },
    "redhat": {
        "selinux-policy-targeted": "/etc/selinux/targeted/policy",
        "container-selinux": "/usr/share/containers/selinux/contexts",
        "policycoreutils": "/usr/sbin/semodule",
    },
}
# Debian's policy has the module "container" from the first release of 2024 on; 2022's names a type that it lacks.
FIRST = 20240000
LABELS = (("/etc/shadow", "shadow_t"), ("/usr/sbin/sshd", "sshd_exec_t"))


def read(facts, system, changes, dockerd):
    """What the host shows; `facts` are those of the kernel, `changes` the recorded ones."""
    config, family = configuration(), system["family"]
    found = dict(facts, family=family, config=config, dockerd=dockerd)
    found.update(
        kernel=facts["enabled"] or kernel_has_it(os.uname().release),
        apparmor=os.path.exists("/sys/kernel/security/apparmor"),
        grub=os.path.exists("/usr/sbin/update-grub") and os.path.exists("/boot/grub/grub.cfg"),
        arguments=arguments(),
        missing=[
            name for name, path in PACKAGES.get(family, {}).items() if not os.path.exists(path)
        ],
        relabel=os.path.exists(RELABEL),
        domains={"init": kernel.kind(kernel.process(1)), "dockerd": dockerd},
        labels=[
            [path, kernel.kind(kernel.label(path)), right]
            for path, right in LABELS
            if facts["enabled"] and os.path.exists(path)
        ],
        denials=denials() if facts["enabled"] and not facts["enforcing"] else [],
        login=login(),
        enforced=max([one["time"] for one in changes if one["kind"] == "selinux_mode"], default=0),
    )
    found["policy"] = policy(found)
    return found


def arguments():
    """Those that the kernel was booted with."""
    return (files.read("/proc/cmdline") or b"").decode("utf-8", "replace").split()


def configuration():
    """`{SELINUX, SELINUXTYPE}` of the configuration; {} where there is none."""
    text = (files.read(CONFIG) or b"").decode("utf-8", "replace")
    return dict(re.findall(r"^(SELINUX|SELINUXTYPE)=(\S+)", text, re.MULTILINE))


def configured(mode, control):
    """The configuration as a wanted file, with another mode."""
    data, described = files.read(CONFIG) or b"", files.describe(CONFIG) or {}
    text = data.decode("utf-8", "surrogateescape")
    changed = re.sub(r"^SELINUX=.*$", "SELINUX=" + mode, text, flags=re.MULTILINE)
    return managed.wanted(
        CONFIG,
        changed.encode("utf-8", "surrogateescape"),
        control,
        described.get("mode", 0o644),
        described.get("uid", 0),
        described.get("gid", 0),
    )


def kernel_has_it(release):
    """Whether the kernel, which runs without it, was built with SELinux: only its own configuration tells."""
    data = files.read("/boot/config-%s" % release) or b""
    return b"\nCONFIG_SECURITY_SELINUX=y\n" in data


def policy(found):
    """ "known": the policy knows `container_t`; "offered": that of the packages will; "unknown": neither."""
    if found["enabled"]:
        return "known" if found["containers"] else "unknown"
    kind = found["config"].get("SELINUXTYPE", "")
    if kind and os.path.isdir("%s/%s/active/modules" % (STORE, kind)):
        there = glob.glob("%s/%s/active/modules/*/container" % (STORE, kind))
        return "known" if there else "unknown"
    if found["family"] == "redhat":
        return "offered"
    return (
        "offered"
        if new_enough(_output(["apt-cache", "policy", "selinux-policy-default"]))
        else "unknown"
    )


def new_enough(text):
    """Whether `apt-cache policy` offers a policy with a type for containers."""
    candidate = re.search(r"Candidate: (?:\d+:)?2\.(\d{8})", text)
    return bool(candidate) and int(candidate.group(1)) >= FIRST


def module_text(kind):
    """The text of our module in the policy's store; None where it is not installed."""
    path = "%s/%s/active/modules/%d/%s/cil" % (STORE, kind, PRIORITY, MODULE)
    data = files.read(path)
    if data is None:
        return None
    return (bz2.decompress(data) if data.startswith(b"BZh") else data).decode("utf-8", "replace")


def booleans(names):
    """`{name: value in the loaded policy}` of those that it knows."""
    found = {}
    for name in names:
        text = (files.read("%s/booleans/%s" % (kernel.ROOT, name)) or b"").decode(
            "ascii", "replace"
        )
        if text[:1] in ("0", "1"):
            found[name] = text[0] == "1"
    return found


def denials():
    """What was let through since this boot and would be denied; None where nothing has recorded it."""
    data = files.read(AUDIT)
    if data is None:
        data = _output(["journalctl", "-k", "-b", "--no-pager", "-o", "cat"]).encode("utf-8")
    since = _boot_time()
    return parsed(data.decode("utf-8", "replace"), since) if data else None


_DENIAL = re.compile(
    r"audit\((?P<time>\d+)\.\d+:\d+\): *avc: +denied +\{ (?P<what>[^}]*?) \}.*?comm=\"?(?P<comm>[^\" ]+)"
    r".*?scontext=\S+?:\S+?:(?P<domain>\w+)\S* tcontext=\S+?:\S+?:(?P<target>\w+)\S* tclass=(?P<kind>\w+)"
    r"(?: permissive=(?P<permissive>[01]))?"
)


def parsed(text, since=0, permissive="1"):
    """`[{domain, text}]` of the denials in audit records; only those that were let through, unless told otherwise."""
    found = []
    for match in _DENIAL.finditer(text):
        if int(match.group("time")) >= since and match.group("permissive") == permissive:
            words = "%(domain)s (%(comm)s): %(what)s %(kind)s of %(target)s" % match.groupdict()
            found.append({"domain": match.group("domain"), "text": words})
    return found


def _boot_time():
    found = re.search(rb"^btime (\d+)", files.read("/proc/stat") or b"", re.MULTILINE)
    return int(found.group(1)) if found else 0


def login():
    """When the ssh session began in which this runs, in seconds since the epoch; None where it is in none."""
    pid, began = os.getpid(), None
    while pid > 1:
        status = (files.read("/proc/%d/status" % pid) or b"").decode("utf-8", "replace")
        name = re.search(r"^Name:\s*(\S+)", status, re.MULTILINE)
        parent = re.search(r"^PPid:\s*(\d+)", status, re.MULTILINE)
        if not name or not parent:
            return began
        if name.group(1).startswith("sshd") and int(parent.group(1)) > 1:
            began = _boot_time() + (units.started(pid) or 0) / os.sysconf("SC_CLK_TCK")
        pid = int(parent.group(1))
    return began


def _output(words):
    try:
        done = subprocess.run(
            words,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=60,
            check=False,
            env={"PATH": hardhost_facts.PATH, "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace")
