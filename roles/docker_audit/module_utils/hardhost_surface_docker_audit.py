"""The surface of docker_audit: which rules a control means on this host, what they would change, and what is in force.

`plan` is shared with the module that applies it: what preflight announces is what is done.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import errno
import os
import re
import shutil

from ansible.module_utils import hardhost_audit_rules as audit_rules
from ansible.module_utils import hardhost_managed as managed
from ansible.module_utils import hardhost_permissions as permissions
from ansible.module_utils import hardhost_programs as programs
from ansible.module_utils.hardhost_preconditions import hold, not_applicable

ROLE = "docker_audit/"
PACKAGES = {"debian": "auditd", "redhat": "audit"}
# It sorts last: augenrules takes the last `-e` of all files.
LOCK = "/etc/audit/rules.d/zz-hardhost-lock.rules"
# Rules are loaded before containerd has made its directory, and one for a directory that is not there is refused.
RUNTIME = "/run/containerd"
RUNTIME_AT_BOOT = "/etc/tmpfiles.d/hardhost-audit.conf"
RUNTIME_LINE = "d %s 0711 root root -\n" % RUNTIME
# What a converge of this project makes itself: rules for it follow once it is there.
MADE_HERE = ("daemon_json", "/etc/docker")
ARCHITECTURES = {"x86_64": ("b64", "b32"), "i686": ("b32",)}
WITHOUT_WATCHES = 4  # the version of auditd that calls the short spelling outdated
PROGRAMS = audit_rules.PROGRAMS + ":/usr/local/sbin:/usr/local/bin"


def read(_facts, _inputs):
    """`{status, installed, active, version, rules, by_hand}`; the first alone where the kernel does not let this host near it."""
    status = audit_rules.status()
    installed = bool(audit_rules.program("auditctl"))
    found = {"status": status, "installed": installed, "active": False, "version": "", "rules": []}
    found["by_hand"] = audit_rules.by_hand()
    if status["error"]:
        return found
    if installed:
        found["active"] = _said(["systemctl", "is-active", "auditd.service"]).strip() == "active"
        found["rules"] = audit_rules.loaded()
    version = _said(["auditctl", "-v"]) if installed else _candidate()
    found["version"] = (re.findall(r"\d+(?:\.\d+)*", version) or [""])[0]
    return found


def _candidate():
    """The version that would be installed, where that can be said without the network."""
    known = re.search(r"Candidate: (?:\d+:)?(\d\S*)", _said(["apt-cache", "policy", "auditd"]))
    return known.group(1) if known else ""


def _said(words):
    return programs.answer([shutil.which(words[0], path=PROGRAMS) or words[0]] + words[1:], 30)


def paths(subject, facts):
    """The existing paths of a subject, canonical: a rule for a link would see the link alone.

    `/path`, `program:NAME`, `unit:NAME`, `option:KEY`, `data_root` or `daemon_json`.
    """
    kind, _separator, name = subject.partition(":")
    if subject == "program:dockerd":
        found = [facts["engine"]["binary"]]
    elif kind == "program":
        found = [shutil.which(name, path=PROGRAMS)]
    elif kind in ("unit", "option"):
        found = permissions.paths(subject, facts)
    elif subject == "data_root":
        found = [_data_root(facts)]
    elif subject == "daemon_json":
        found = [facts["daemon_json"]["path"]]
    else:
        found = [subject]
    real = {os.path.realpath(one) for one in found if one and one.startswith("/")}
    return sorted(one for one in real if os.path.exists(one) and one != "/dev/null")


def _data_root(facts):
    """The data root as configured: with userns-remap the daemon names a directory below it."""
    root = facts["info"].get("DockerRootDir") or facts["daemon_json"]["options"].get("data-root")
    return re.sub(r"/\d+\.\d+$", "", root) if isinstance(root, str) and root else "/var/lib/docker"


def rules(control, facts, version, machine=None):
    """The lines for a control, in the spelling that this auditd prefers."""
    found = []
    for subject, wish in sorted(control["settings"].get("docker_audit_paths", {}).items()):
        for path in paths(subject, facts):
            if not unwritable(path):
                lines = _spelled(path, wish, version, machine or os.uname().machine)
                found += ["%s -k %s" % (line, audit_rules.key(control["id"])) for line in lines]
    return found


def _spelled(path, wish, version, machine):
    major = int(version.partition(".")[0] or 0)
    people = wish.get("who") == "people"
    if major < WITHOUT_WATCHES and not people:
        return ["-w %s -p %s" % (path, wish["perm"])]
    kind = "dir" if os.path.isdir(path) else "path"
    rule = "-a always,exit -F arch=%s -F %s=%s -F perm=%s" + (" -F auid!=unset" if people else "")
    return [
        rule % (architecture, kind, path, wish["perm"])
        for architecture in ARCHITECTURES.get(machine, ("b64",))
    ]


def unwritable(path):
    """Whether a path cannot stand in a rule, which is words between blanks."""
    return not re.fullmatch(r"/[!-~]*", path)


def locks(control):
    """Whether a control locks the rules."""
    return bool(control["settings"].get("docker_audit_rules", {}).get("immutable"))


def plan(control, facts, found):
    """What a control wants: `{rules, files}`, and what of it is not so: `{unkept, unloaded, unlocked}`."""
    wanted = {"rules": rules(control, facts, found["version"]), "files": []}
    if locks(control):
        wanted["files"] = [managed.wanted(LOCK, "-e 2\n", control["id"], 0o640)]
    elif RUNTIME in control["settings"].get("docker_audit_paths", {}):
        wanted["files"] = [managed.wanted(RUNTIME_AT_BOOT, RUNTIME_LINE, control["id"])]
    listed = audit_rules.ours(found["rules"], control["id"])
    immutable = found["status"]["enabled"] == audit_rules.IMMUTABLE
    wanted["unkept"] = audit_rules.of_file(control["id"]) != wanted["rules"]
    wanted["unloaded"] = listed != {audit_rules.canonical(one) for one in wanted["rules"]}
    wanted["unlocked"] = locks(control) and not immutable
    return wanted


def changes(control, facts, _inputs):
    """`[{what, before, after}]` of what applying a control would change; a locked kernel takes no rule now."""
    if not control["id"].startswith(ROLE):
        return []
    found = facts["surfaces"]["docker_audit"]
    wanted = plan(control, facts, found)
    shown = managed.changes(wanted["files"]).get(control["id"], [])
    if not found["installed"]:
        shown.append({"what": "auditd", "before": None, "after": "installed"})
    elif found["status"]["enabled"] == 0:
        shown.append({"what": "recording of audit events", "before": "off", "after": "on"})
    if wanted["unkept"]:
        before = audit_rules.of_file(control["id"])
        shown.append(_shown(audit_rules.PATH, before, wanted["rules"]))
    elif wanted["unloaded"] and found["status"]["enabled"] != audit_rules.IMMUTABLE:
        shown.append(_shown("rules in the kernel", [], wanted["rules"]))
    for subject in set(control["settings"].get("docker_audit_paths", {})) & set(MADE_HERE):
        if not paths(subject, facts):
            later = "%s, as soon as it is there" % subject
            shown.append({"what": audit_rules.PATH, "before": None, "after": later})
    if wanted["unlocked"]:
        shown.append({"what": "audit rules", "before": "can be changed", "after": "locked"})
    return shown


def _shown(what, before, after):
    return {"what": what, "before": "; ".join(before) or None, "after": "; ".join(after) or None}


def observe(facts, inputs, settings):
    """For the checks: `{status, active, suppressed, lock_kept, controls: {name: {paths, unkept, unloaded}}}`."""
    found = read(facts, inputs)
    answer = {
        "status": found["status"],
        "active": found["active"],
        "suppressed": audit_rules.suppressed(found["rules"]),
        "lock_kept": os.path.exists(LOCK),
        "controls": {},
    }
    for identifier, wanted in settings.items():
        if identifier.startswith(ROLE):
            control = {"id": identifier, "settings": wanted}
            planned = plan(control, facts, found)
            answer["controls"][identifier.partition("/")[2]] = {
                "paths": watched(control, facts),
                "unkept": planned["unkept"] or bool(managed.different(planned["files"])),
                "unloaded": planned["unloaded"],
            }
    return answer


def watched(control, facts):
    """The paths that a control's rules are about."""
    subjects = control["settings"].get("docker_audit_paths", {})
    return sorted({path for subject in subjects for path in paths(subject, facts)})


def audit_reachable(facts, _inputs, _control):
    """The kernel's audit system answers, and to this host."""
    number = facts["surfaces"]["docker_audit"]["status"]["error"]
    if number in (errno.EPERM, errno.ECONNREFUSED):
        return not_applicable(
            "this host shares its kernel, whose audit system answers to the machine below alone: rules belong there"
        )
    if number:
        return hold(
            "the kernel has no audit system, or was started without it (%s)" % os.strerror(number),
            "take audit=0 out of the kernel's arguments, and start the host again",
        )
    return None


def auditd_usable(facts, inputs, _control):
    """It is there or may be installed, and nobody has stopped it: who has may have had a reason."""
    found = facts["surfaces"]["docker_audit"]
    if found["active"] or found["status"]["error"]:
        return None
    if not found["installed"]:
        if inputs["docker_audit_install"]:
            return None
        return hold(
            "auditd is missing, and docker_audit_install is false",
            "install %s, or set docker_audit_install"
            % PACKAGES.get(facts["os"]["family"], "auditd"),
        )
    return hold(
        "auditd is installed, and does not run: somebody has stopped it, or it cannot start",
        "systemctl enable --now auditd.service; journalctl -u auditd.service -u audit-rules.service says what is in its way",
    )


def rules_merged(facts, _inputs, _control):
    """What is loaded at boot can be made of rules.d without losing a rule of somebody else."""
    found = facts["surfaces"]["docker_audit"]["by_hand"]
    if not found:
        return None
    return hold(
        "%s holds rules that no file of rules.d has, and would lose them: %s"
        % (audit_rules.MERGED, "; ".join(found[:3]) + ("; ..." if found[3:] else "")),
        "move them to a file of %s; where they are to go, run augenrules"
        % os.path.dirname(audit_rules.PATH),
    )


def audited_paths_present(facts, _inputs, control):
    """There is something to watch, and it can be named in a rule."""
    subjects = control["settings"].get("docker_audit_paths", {})
    found = watched(control, facts)
    if not found and not set(subjects) & set(MADE_HERE):
        return not_applicable("nothing is there of %s" % ", ".join(sorted(subjects)))
    odd = [one for one in found if unwritable(one)]
    if odd:
        return hold(
            "%r cannot be named in an audit rule" % odd[0],
            "use a path without blanks or letters past ASCII",
        )
    return None


PRECONDITIONS = {
    "audit_reachable": audit_reachable,
    "auditd_usable": auditd_usable,
    "audited_paths_present": audited_paths_present,
    "rules_merged": rules_merged,
}
