#!/usr/bin/python
"""Take back what controls have set on this host, from the state file alone.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

DOCUMENTATION = r"""
module: undo
short_description: Take back recorded changes
description:
  - Works from C(/var/lib/hardhost/state.json) alone, newest change first.
  - What is neither ours nor the original any more is a conflict. Nothing is touched then, unless told to leave those alone.
  - A step that fails holds back the later ones of its controls alone; the module fails at its end, and names all that is not taken back.
  - Never restarts anything; M(docker_restart) brings the result into force.
options:
  scope: {type: str, required: true, choices: [removed, all, run, controls], description: What to take back.}
  controls: {type: list, elements: str, default: [], description: The ids for the scope controls.}
  scope_run: {type: str, default: '', description: 'For the scope run, the run to take back; else the last one of this host.'}
  decisions: {type: dict, default: {}, description: Those of preflight; for the scope removed.}
  inputs: {type: dict, default: {}, description: docker_daemon_accept_data_root_change and docker_restart_stop_containers.}
  conflicts: {type: str, default: stop, choices: [stop, leave], description: What to do where somebody changed it since.}
  run: {type: str, required: true, description: The run id.}
  holder: {type: str, required: true, description: Who runs.}
  ended: {type: str, default: '', description: A run that has ended without giving its lease back.}
author: hardhost
"""

EXAMPLES = r"""
- name: Take everything back
  undo: {scope: all, run: 20261121T180000Z-00000000, holder: ops@bastion}
"""

RETURN = r"""
undone: {type: list, returned: always, description: What was taken back.}
left: {type: list, returned: always, description: 'What stays, and why.'}
runs: {type: list, returned: always, description: 'The runs that it was of, oldest first.'}
"""

import grp
import json
import os
import pwd
import stat
import subprocess

from ansible.module_utils import hardhost_audit_rules as audit_rules
from ansible.module_utils import hardhost_docker as docker
from ansible.module_utils import hardhost_drop_ins as drop_ins
from ansible.module_utils import hardhost_facts
from ansible.module_utils import hardhost_files as files
from ansible.module_utils import hardhost_given as given
from ansible.module_utils import hardhost_managed as managed
from ansible.module_utils import hardhost_own_lines as own_lines
from ansible.module_utils import hardhost_permissions as permissions
from ansible.module_utils import hardhost_programs as programs
from ansible.module_utils import hardhost_running as running
from ansible.module_utils import hardhost_selinux_back as selinux
from ansible.module_utils import hardhost_state as states
from ansible.module_utils import hardhost_sysctl as sysctl
from ansible.module_utils import hardhost_undo as undo
from ansible.module_utils import hardhost_unit as units
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.hardhost_options import OptionsError, difference
from ansible.module_utils.hardhost_redaction import redact_text

WRITTEN = ("file", "daemon_json_leaf", "line", "own_line")  # kinds of which the target is a file
APPARMOR = "/sys/kernel/security/apparmor"
DOCKER_CHAIN = "DOCKER-USER"  # the one that Docker leaves to others
BOOT_FILES = "/etc/default/grub.d/"


class Refused(Exception):
    """It was not taken back; the text says why."""


class Unfinished(Refused):
    """Something could not be taken back, which the text names; the rest was. `left` is what stays besides."""

    def __init__(self, text, left):
        super().__init__(text)
        self.left = left


# Of one step; where the state cannot be written no further one is taken.
FAILURES = (
    Refused,
    OSError,
    programs.Failed,
    subprocess.SubprocessError,
    states.StateError,
    audit_rules.AuditError,
)


class Work:
    """One undo: what it found, what it took back, what stays."""

    def __init__(self, facts, parameters):
        self.facts, self.state, self.parameters = facts, facts["state"], parameters
        changes = undo.chosen(
            self.state["changes"],
            parameters["scope"],
            parameters["decisions"],
            parameters["controls"],
            parameters["scope_run"],
            flags=facts["flags"],
        )
        found = undo.targets(changes)
        left = undo.stays(found, facts, parameters["inputs"])
        left.update(undo.built_upon(found, self.state["changes"], parameters["scope"]))
        left.update(profiles_in_use(found, facts["containers"]))
        left.update(selinux.out_of_reach(found, facts["selinux"]))
        self.targets = [one for one in found if one["key"] not in left]
        self.runs = undo.runs(changes, self.targets)
        self.left = [
            "%s stays: %s" % (undo.worded(one), left[one["key"]])
            for one in found
            if one["key"] in left
        ]
        if parameters["scope"] == "all" and rebooted():
            self.left.append("the reboot for a newer kernel stays: nothing takes it back")
        self.undone, self.conflicts, self.diffs = [], [], []
        self.steps = []  # (targets, function that takes them back)
        self.failed, self.held = [], set()  # what went wrong, and the controls it was of

    def plan(self):
        """Find out what can be taken back; nothing is written here.

        Kind after kind, newest first within each. This order does no harm where it differs from that of the records: two
        kinds have no target in common but paths, whose owner and mode come after their bytes, and what uses or loads a
        thing comes before it (daemon.json before its user, a profile's file before what the kernel holds, directories last).
        """
        for kind in states.KINDS:
            chosen = [one for one in self.targets if one["kind"] == kind]
            if chosen:
                getattr(self, "_plan_" + kind)(chosen)
        if self.conflicts and self.parameters["conflicts"] == "stop":
            raise Refused(
                "nothing was taken back, for this was changed since by somebody else: %s. Mend it, or set "
                "undo_conflicts: leave to leave it as it is" % "; ".join(self.conflicts)
            )
        self.left += self.conflicts

    def do(self):
        """Take it back, and forget each record once its change is gone. Unfinished where something could not be."""
        for folder in folders(self.targets):
            files.sweep(folder)
        if any(drop_ins.carried(one) for one in self.targets):
            self._note()
        for targets, action in self.steps:
            self._take(targets, action)
        self._take([], lambda: reload_systemd(self.targets))
        if any(one["target"].startswith("/etc/audit/rules.d/") for one in self.targets):
            self._take([], audit_rules.merge)
        taken = {control for one in self.targets for control in one["controls"]} - self.held
        running.ask_no_more(self.state, taken)
        # What is left of them are conflicts which the operator has told us to leave.
        self._forget([one for one in self.targets if not self.held & set(one["controls"])])
        if self.failed:
            self._complain()

    def _complain(self):
        if self.held:
            held = ", ".join(sorted(self.held))
            self.failed.append("until then stays what is left of %s" % held)
        raise Unfinished(
            "not everything was taken back: %s; mend it and run again" % "; ".join(self.failed),
            [redact_text(text) for text in self.left],
        )

    def _take(self, targets, action):
        """One step. Where one fails, the later ones of its controls wait: a user is not removed while it is in daemon.json."""
        controls = {control for one in targets for control in one["controls"]}
        if controls & self.held:
            self.held |= controls
            return
        try:
            action()
        except FAILURES as error:
            self.failed.append(failure(error, targets))
            self.held |= controls
        else:
            if targets:
                self._forget(targets)

    def _forget(self, targets):
        numbers = {number for one in targets for number in one["numbers"]}
        gone = [change for change in self.state["changes"] if change["number"] in numbers]
        self.state["changes"] = [
            change for change in self.state["changes"] if change["number"] not in numbers
        ]
        # The daemon has not taken over its file yet: should it refuse, these count again.
        self.state["undone"] += [
            change
            for change in gone
            if change["kind"] == "daemon_json_leaf"
            or drop_ins.carried(change)
            or self._waits(change)
        ]
        states.save(self.state)

    def _waits(self, one):
        """Whether a file, or a directory above one, goes by docker_restart, when dockerd has been started without it."""
        above = given.holds_one(one) and any(given.is_one(other) for other in self.targets)
        return above or given.is_one(one)

    def _add(self, targets, words, action):
        self.steps.append((targets, action))
        self.undone += words

    def _plan_daemon_json_leaf(self, targets):
        daemon = self.facts["daemon_json"]
        if daemon["error"]:
            raise Refused(daemon["error"])
        options, done, conflicts = undo.options_back(daemon["options"], targets)
        self.conflicts += conflicts
        if not done:
            return
        numbers = {number for one in done for number in one["numbers"]}
        others = [
            change
            for change in states.owned(self.state, "daemon_json_leaf", daemon["path"])
            if change["number"] not in numbers
        ]
        before = self.state["files"].get(daemon["path"], {}).get("before", {"present": False})
        original = states.kept(before["blob"]) if before.get("present") else None
        data = undo.bytes_back(options, daemon["data"], original, others)
        before = before if data is not None and data == original else {}
        if data != daemon["data"]:
            self.diffs.append(difference(daemon["data"], data, daemon["path"]))
        words = ["%s: %s" % (daemon["path"], ".".join(one["leaf"])) for one in done]
        self._add(done, words, lambda: self._put(daemon, data, before))

    def _put(self, daemon, data, before):
        if files.read(daemon["path"]) != daemon["data"]:
            raise Refused(
                "%s was changed by somebody else while we were at it; run again" % daemon["path"]
            )
        self._note()
        if data is None:
            files.remove(daemon["path"])
        elif data != daemon["data"]:
            files.replace(daemon["path"], data, self._like(daemon["path"], before))

    def _like(self, path, before):
        """Owner and mode of daemon.json: those of `before`, which comes with the old bytes, or as they are.

        What a control has made of them stays until its own record is taken back.
        """
        now = files.describe(path)
        if before and not (now and states.owned(self.state, "permissions", os.path.realpath(path))):
            return before
        return dict(now, mtime_ns=before.get("mtime_ns")) if now else None

    def _note(self):
        """Remember what dockerd was started with, before it changes."""
        in_force = running.known(self.facts)
        if in_force is not None:
            running.note(self.state, self.facts["process"], in_force)
        states.save(self.state)

    def _plan_permissions(self, targets):
        for one in targets:
            if self._made_anew(one):
                self.left.append("%s: owner and mode stay, for it was made anew" % one["target"])
                self._add([one], [], lambda: None)
                continue
            present = files.describe(one["target"])
            now = {key: present[key] for key in ("uid", "gid", "mode")} if present else None
            if now and not between(now, one["known"]):
                self.conflicts.append(
                    "%s: is now %s; it was %s, and we had set %s"
                    % (
                        one["target"],
                        permissions.worded(now),
                        permissions.worded(one["original"]),
                        permissions.worded(one["ours"]),
                    )
                )
                continue
            if now not in (None, one["original"]):
                self.diffs.append(
                    {
                        "before": permissions.worded(now) + "\n",
                        "after": permissions.worded(one["original"]) + "\n",
                        "before_header": one["target"],
                        "after_header": one["target"],
                    }
                )
            self._add(
                [one],
                ["%s: owner and mode" % one["target"]],
                lambda one=one, now=now: self._give_back(one, now),
            )

    def _made_anew(self, one):
        """Whether this is a socket that was made after ours: what somebody had let into that one is gone with it.

        Not where we made its unit say so: then the one of before is to be open as it was.
        """
        if not is_socket(one["target"]):
            return False
        if any(
            other["kind"] == "file" and set(other["controls"]) & set(one["controls"])
            for other in self.targets
        ):
            return False
        set_by_us = [
            change["time"] for change in self.state["changes"] if change["number"] in one["numbers"]
        ]
        return files.describe(one["target"])["mtime_ns"] / 1e9 > max(set_by_us) + 1

    def _give_back(self, one, now):
        if now in (None, one["original"]):
            return
        try:
            permissions.change(one["target"], one["original"])
        except FileNotFoundError:  # it went with what we had written
            return
        except (OSError, permissions.PermissionsError) as error:
            raise Refused("%s: %s" % (one["target"], error)) from error

    def _plan_file(self, targets):
        for one in targets:
            now = managed.content(one["target"])
            known = [
                {key: value for key, value in content.items() if key not in ("blob", "mtime_ns")}
                for content in one["known"]
            ]
            if now not in known:
                self.conflicts.append(
                    "%s: is neither as it was nor as we had written it" % one["target"]
                )
                continue
            self._add(
                [one],
                [one["target"]],
                lambda one=one: self._waits(one) or put_back(one["target"], one["original"]),
            )

    def _plan_audit_rules(self, targets):
        mine = []
        for one in targets:
            known = [[], *[content["rules"] for content in one["known"]]]
            if audit_rules.of_file(one["controls"][-1]) in known:
                mine.append(one)
            else:
                self.conflicts.append(
                    "%s: the rules with the key %s were changed" % (audit_rules.PATH, one["target"])
                )
        controls = [one["controls"][-1] for one in mine]
        if mine:
            words = ["the audit rules of %s" % control for control in controls]
            self._add(mine, words, lambda: self._remove_audit_rules(controls))

    def _remove_audit_rules(self, controls):
        data = audit_rules.without(controls)
        if data is None:
            files.remove(audit_rules.PATH)
        else:
            files.replace(audit_rules.PATH, data, {"uid": 0, "gid": 0, "mode": 0o640})
        if audit_rules.status()["enabled"] == audit_rules.IMMUTABLE:
            self.left.append("audit rules stay in the kernel until the next boot: they are locked")
        elif audit_rules.program("auditctl"):
            audit_rules.unload(controls, audit_rules.loaded())
            audit_rules.merge()

    def _plan_line(self, targets):
        for one in targets:
            line, file_before = one["ours"]["value"], one["original"].get("file", True)
            self._add(
                [one],
                ["%s: %s" % (one["target"], line)],
                lambda one=one, words=(line, file_before): remove_line(one["target"], *words),
            )

    def _plan_own_line(self, targets):
        for one in targets:
            line = one["ours"]["value"]
            self._add(
                [one],
                ["%s: %s" % (one["target"], line)],
                lambda one=one, line=line: own_lines.remove(one["target"], line),
            )

    def _plan_sysctl(self, targets):
        for one in targets:
            key, ours, before = one["target"], one["ours"]["value"], one["original"]["value"]
            now = sysctl.live(key)
            if now not in (None, *[content["value"] for content in one["known"]]):
                self.conflicts.append(
                    "%s: is now %s; it was %s, and we had set %s" % (key, now, before, ours)
                )
                continue
            if now not in (None, before):
                self.diffs.append(
                    {
                        "before": now + "\n",
                        "after": before + "\n",
                        "before_header": key,
                        "after_header": key,
                    }
                )
            words = ["%s: %s" % (key, before)]
            self._add(
                [one], words, lambda key=key, now=now, before=before: set_back(key, now, before)
            )

    def _plan_module(self, targets):
        self._add(targets, ["the module %s" % one["target"] for one in targets], lambda: None)

    def _plan_member(self, targets):
        for one in targets:
            user, back = one["ours"]["value"], one["original"]["present"]
            self._add(
                [one],
                ["%s %s the group %s" % (user, "again in" if back else "out of", one["target"])],
                lambda one=one, user=user, back=back: set_member(one["target"], user, back),
            )

    def _plan_user(self, targets):
        for one in targets:
            self._add(
                [one],
                ["the user %s" % one["ours"]["value"]],
                lambda one=one: remove_user(one["ours"]["value"]),
            )

    def _plan_image(self, targets):
        for one in targets:
            users = containers_of(one["target"])
            if users:
                self.left.append(
                    "the image %s stays: in use by %s" % (one["target"], ", ".join(users))
                )
                self._add([one], [], lambda: None)
            else:
                self._add(
                    [one],
                    ["the image %s" % one["target"]],
                    lambda one=one: self._remove_image(one["target"]),
                )

    def _remove_image(self, reference):
        why = remove_image(reference)
        if why:
            self.left.append("the image %s stays: %s" % (reference, why))

    def _plan_unit(self, targets):
        for one in targets:
            words = ["systemctl", "enable" if one["original"]["enabled"] else "disable", "--quiet"]
            if words[1] == "disable" and one["target"].endswith(".timer"):
                words.append("--now")  # it would start its service until the next boot
            self._add(
                [one],
                ["%s is %sd at boot" % (one["target"], words[1])],
                lambda one=one, words=words: set_enabled(one["target"], words),
            )

    def _plan_apparmor_profile(self, targets):
        for one in targets:
            self._add(
                [one],
                ["the AppArmor profile %s" % one["target"]],
                lambda one=one: unload_profile(one["target"], one["original"]["present"]),
            )

    def _plan_chain(self, targets):
        for one in targets:
            tool, name = one["target"].split()
            self._add(
                [one],
                ["the chain %s of %s" % (name, tool)],
                lambda tool=tool, name=name: remove_chain(tool, name),
            )

    def _plan_selinux(self, targets):
        for one in targets:
            if selinux.changed_since(one):
                self.conflicts.append("%s: its text is not ours any more" % selinux.words(one))
                continue
            self._add([one], [selinux.words(one)], lambda one=one: take_back(one))

    _plan_selinux_mode = _plan_selinux_boolean = _plan_selinux_module = _plan_selinux

    def _plan_directory(self, targets):
        for one in targets:
            self._add(
                [one],
                ["the directory %s" % one["target"]],
                lambda one=one: remove_directory(one["target"]),
            )


def rebooted(path=states.REBOOT):
    """Whether a run of ours has rebooted the host, and not only was about to."""
    try:
        last = json.loads((files.read(path) or b"{}").decode("utf-8"))
    except ValueError:
        return False
    return bool(last) and last.get("boot") != units.boot()


def profiles_in_use(found, containers):
    """`{key: why}`: AppArmor profiles that containers have stay, with the files that bring them back at boot."""
    held = {}
    for one in found:
        if one["kind"] != "apparmor_profile":
            continue
        why = needed_by(one["target"], containers)
        if why:
            files_of_it = [
                other
                for other in found
                if other["kind"] == "file" and os.path.basename(other["target"]) == one["target"]
            ]
            held.update({other["key"]: why for other in [one, *files_of_it]})
    return held


def needed_by(profile, containers):
    """Who runs under a profile, or would not start without it; "" where nobody."""
    users = confined_by(profile)
    if users:
        return "%d processes run under it (%s); stop their containers and run again" % (
            len(users),
            ", ".join(str(pid) for pid in users[:10]),
        )
    options = {"apparmor=" + profile, "apparmor:" + profile}
    names = [one["name"] for one in containers if options & set(one["security_options"])]
    if names:
        return "containers were created with it: %s; remove them, and undo again" % (
            ", ".join(names[:10])
        )
    return ""


def confined_by(profile):
    """The processes that the kernel confines by a profile."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            text = files.read("/proc/%s/attr/current" % pid) or b""
        except OSError:
            continue
        if text.decode("utf-8", "replace").rpartition(" (")[0] == profile:
            found.append(int(pid))
    return sorted(found)


def unload_profile(name, present_before):
    """Take a profile of ours out of the kernel; for one that was there before us its own file is loaded, where it has one."""
    file = "/etc/apparmor.d/" + name
    if present_before and os.path.exists(file):
        done_by_program(["apparmor_parser", "--replace", "--skip-cache", file])
    loaded = files.read(APPARMOR + "/profiles") if os.path.isdir(APPARMOR) else b""
    names = [line.rpartition(b" (")[0] for line in (loaded or b"").splitlines()]
    if not present_before and name.encode() in names:
        with open(APPARMOR + "/.remove", "wb") as stream:
            stream.write(name.encode())


def done_by_program(words):
    """Whether a program of the host did what it was asked to; what it says is nobody's business."""
    try:
        programs.run(words, seconds=60)
    except programs.Failed:  # it may be gone, and with it what it had made
        return False
    return True


def run_program(words):
    """Run one of the host's programs. Refused with its words."""
    try:
        programs.run(words)
    except programs.Failed as error:
        raise Refused("%s: %s" % (" ".join(words[:3]), error)) from error


def failure(error, targets):
    """What went wrong with a step, in words that name its target."""
    text = files.why(error) if isinstance(error, OSError) else str(error)
    name = targets[0]["target"] if targets else ""
    return text if text.startswith(name) else "%s: %s" % (name, text)


def set_enabled(unit, words):
    """Enable or disable a unit; nothing where it is gone, and its package with it."""
    if units.show(unit).get("LoadState") != "not-found":
        run_program([*words, unit])


def is_socket(path):
    """Whether a path leads to a socket. Its time is that of its making: nobody writes to it by its name."""
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)
    except OSError:
        return False


def between(now, known):
    """Whether owner, group and mode each are known ones: a run may have been killed between them."""
    cleared = [dict(one, mode=one["mode"] & 0o1777) for one in known]  # a change of owner does that
    return all(now[key] in [one[key] for one in known + cleared] for key in now)


def folders(targets):
    """Where a run that was killed while it wrote may have left what it wrote: nothing of it stays, whatever is put back."""
    paths = [one["target"] for one in targets if one["kind"] in WRITTEN]
    paths += [audit_rules.PATH for one in targets if one["kind"] == "audit_rules"]
    made = [one["target"] for one in targets if one["kind"] == "directory"]
    return {os.path.dirname(os.path.realpath(path)) for path in paths}.union(made)


def put_back(path, original):
    """Restore a file's bytes, owner, mode and time, or its absence, and GRUB's menu with it: it is forgotten after this."""
    if original["present"]:
        files.replace(path, states.kept(original["blob"]), original)
    else:
        stop_own_unit(path)
        files.remove(path)
    if path.startswith(BOOT_FILES):
        run_program(["update-grub"])


def stop_own_unit(path):
    """Stop a unit that we brought before its file goes; nothing else of systemd's is touched."""
    folder, name = os.path.split(path)
    if folder == "/etc/systemd/system" and name.startswith("hardhost-"):
        done_by_program(["systemctl", "stop", name])


def remove_line(path, line, file_before=True):
    """Remove exactly one line from a line file; others stay as they are, in their order. The file goes where it was not there."""
    data, described = files.read(path), files.describe(path)
    lines = (data or b"").splitlines(keepends=True)
    kept = [one for one in lines if one.rstrip(b"\r\n") != line.encode("utf-8")]
    if not kept and not file_before:
        files.remove(path)
    elif kept != lines:
        files.replace(path, b"".join(kept), {key: described[key] for key in ("uid", "gid", "mode")})


def containers_of(reference):
    """The names of the containers of an image. The engine itself would take from it all names but the last."""
    try:
        image = docker.get("/images/%s/json" % reference)["Id"]
        listed = docker.get("/containers/json?all=1")
    except docker.ApiError:
        return []
    return sorted(one["Names"][0].lstrip("/") for one in listed if one["ImageID"] == image)


def set_back(key, now, before):
    """Give a kernel parameter the value of before. Refused with the kernel's word."""
    if now in (None, before):
        return
    try:
        sysctl.write(key, before)
    except OSError as error:
        raise Refused("%s = %s: %s" % (key, before, error.strerror)) from error


def set_member(group, user, present):
    """Put a user into a group's line, or take it out; nothing where it is so already, or one of them has gone."""
    try:
        pwd.getpwnam(user)
        there = user in grp.getgrnam(group).gr_mem
    except KeyError:
        return
    if there != present:
        run_program(["gpasswd", "--add" if present else "--delete", user, group])


def remove_image(reference):
    """Take away an image's name, and the image with its last one; why it stays, where it is in use."""
    try:
        docker.request("DELETE", "/images/%s" % reference)
    except docker.ApiError as error:
        return "" if error.status == 404 else str(error)
    return ""


def remove_chain(tool, name):
    """Take away a chain of the packet filter and the jump to it; one that others use by now stays."""
    while done_by_program([tool, "-w", "10", "-D", DOCKER_CHAIN, "-j", name]):
        pass
    if name != DOCKER_CHAIN:
        done_by_program([tool, "-w", "10", "-F", name])
    done_by_program([tool, "-w", "10", "-X", name])


def reload_systemd(targets):
    """Make systemd forget files that are gone; no service is restarted."""
    if any(
        one["kind"] == "file" and one["target"].startswith("/etc/systemd/system/")
        for one in targets
    ):
        done_by_program(["systemctl", "daemon-reload"])


def take_back(one):
    """What was done with SELinux. Refused with the program's words."""
    try:
        selinux.back(one)
    except programs.Failed as error:
        raise Refused(str(error)) from error


def remove_user(name):
    """Remove a user and its group. Refused with the tool's words."""
    try:
        pwd.getpwnam(name)
    except KeyError:
        return
    run_program(["userdel", name])


def remove_directory(path):
    """Remove a directory that we made, if nobody put anything into it."""
    if os.path.isdir(path) and not os.listdir(path):
        os.rmdir(path)


def take_over(ended):
    """End the lease of a run that has ended on its controller, unless something of it is still at work on this host."""
    with states.locked():
        state = states.load()
        if not units.job_runs() and not states.at_work(state["lease"] or {}):
            states.release(state, ended)
            states.save(state)


def apply(parameters, check_mode):
    """The module's result. Refused where nothing may be taken back."""
    facts = hardhost_facts.collect()
    if facts["state_error"]:
        raise Refused(facts["state_error"])
    work = Work(facts, parameters)
    work.plan()
    if parameters["ended"] and not check_mode:
        take_over(parameters["ended"])
    if work.steps and not check_mode:
        with states.work(parameters["run"], parameters["holder"]) as work.state:
            if work.state["changes"] != facts["state"]["changes"]:
                raise Refused("the state was changed by another run while we were at it; run again")
            work.do()
    return {
        "changed": bool(work.steps),
        "undone": [redact_text(text) for text in work.undone],
        "left": [redact_text(text) for text in work.left],
        "runs": work.runs,
        "diff": work.diffs,
    }


def main():
    module = AnsibleModule(
        argument_spec={
            "scope": {
                "type": "str",
                "required": True,
                "choices": ["removed", "all", "run", "controls"],
            },
            "controls": {"type": "list", "elements": "str", "default": []},
            "scope_run": {"type": "str", "default": ""},
            "decisions": {"type": "dict", "default": {}},
            "inputs": {"type": "dict", "default": {}},
            "conflicts": {"type": "str", "default": "stop", "choices": ["stop", "leave"]},
            "run": {"type": "str", "required": True},
            "holder": {"type": "str", "required": True},
            "ended": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    try:
        result = apply(module.params, module.check_mode)
    except Unfinished as error:  # no failure yet: what was taken back is to come into force first
        warn(module, error.left)
        module.exit_json(changed=True, unfinished=redact_text(str(error)))
    except (Refused, states.StateError, OptionsError, audit_rules.AuditError) as error:
        module.fail_json(msg=redact_text(str(error)))
    except OSError as error:
        module.fail_json(
            msg="not everything was taken back: %s; mend it and run again" % files.why(error)
        )
    warn(module, result["left"])
    module.exit_json(**result)


def warn(module, left):
    """Say what stays."""
    for text in left:
        module.warn(text)


if __name__ == "__main__":
    main()
