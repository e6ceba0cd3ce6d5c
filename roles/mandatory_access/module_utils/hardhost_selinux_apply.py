"""Do on the host what brings SELinux one step further, and what containers need of it; recorded first.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import os
import shutil
import tempfile

from ansible.module_utils import hardhost_facts
from ansible.module_utils import hardhost_files as files
from ansible.module_utils import hardhost_managed as managed
from ansible.module_utils import hardhost_package_work as package_work
from ansible.module_utils import hardhost_selinux as selinux
from ansible.module_utils import hardhost_selinux_containers as containers
from ansible.module_utils import hardhost_selinux_host as host
from ansible.module_utils import hardhost_selinux_kernel as kernel
from ansible.module_utils import hardhost_selinux_policy as policy
from ansible.module_utils import hardhost_selinux_store as store
from ansible.module_utils import hardhost_state as states
from ansible.module_utils import hardhost_unit as units
from ansible.module_utils.hardhost_programs import PATH, Failed, run

SECONDS = 900  # a policy is compiled in seconds, and in minutes on a small host
LEASE_SECONDS = 2 * SECONDS  # the longest that all of it together may take, packages apart
# What would look at the copy from domains of their own, which may not.
NO_PROGRAMS = "".join(
    "\n[%s]\npath = /bin/true\nargs = $@\n[end]\n" % one
    for one in ("setfiles", "sefcontext_compile")
)


FIRST_CONFIGURATION = b"SELINUX=disabled\nSELINUXTYPE=targeted\n"
# Where the policy is compiled: the first on which programs may run. /var/tmp often may hold none.
FOLDERS = ("/var/tmp", "/var/lib", "/root", "/opt")

NOTES = {
    "prepare": "SELinux comes with the next boot, which labels the files and boots a second time: reboot the host",
    "enforce": "SELinux is enforcing until the next reboot; the next run makes it last, over a new connection",
}


class Work:
    """One call: the host as it is found, and what is done to it for whom."""

    def __init__(self, parameters, facts, accepted):
        self.parameters, self.facts, self.accepted = parameters, facts, accepted
        self.found = selinux.read(facts)

    def record(self, state, control, kind, target, before, after):
        states.record(state, self.parameters["run"], control, kind, target, before, after)
        states.save(state)

    def step(self, state, name):
        """Take one step of `selinux.stage`."""
        getattr(self, "_" + name)(state)

    def _prepare(self, state):
        self._bootable()
        missing, family = self.found["missing"], self.found["family"]
        if missing:
            self._before_packages(family)
            run, inputs = self.parameters["run"], self.parameters["inputs"]
            package_work.add(state, family, missing, selinux.CONTROL, run, inputs, again=True)
            self.found = selinux.read(self.facts)
            if self.found["missing"]:
                raise Failed(
                    "%s: installed, and not whole; install them once more, and run again"
                    % ", ".join(self.found["missing"])
                )
        managed.write(state, selinux.prepared(self.found), self.parameters["run"])
        self._menu()
        self._bootable()  # update-grub may have brought it

    def _bootable(self):
        """Asked again, as before enforcing: what boots without labels must not enforce."""
        why = selinux.unbootable(selinux.read(self.facts))
        if why:
            raise Failed("SELinux is held back: %s; %s" % why)

    def _before_packages(self, family):
        """The packages of the Red Hat family bring a configuration that enforces, and a host that is booted before its files have
        labels does not come up with it. It is theirs, and stays with them: where a rollback ends.
        """
        if family == "redhat" and not store.configuration():
            os.makedirs(os.path.dirname(store.CONFIG), mode=0o755, exist_ok=True)
            files.replace(store.CONFIG, FIRST_CONFIGURATION, {"uid": 0, "gid": 0, "mode": 0o644})

    def _menu(self):
        """Have GRUB's menu take the arguments over, also where an earlier run was ended before."""
        if selinux.menu_lacks(self.found):
            run(["update-grub"])
            if not host.in_menu(selinux.BOOT):
                raise Failed(
                    "update-grub did not take over %s from %s: look what sets GRUB_CMDLINE_LINUX_DEFAULT "
                    "after it" % (selinux.BOOT, selinux.DROP_IN)
                )

    def _enforce(self, state):
        # Asked again: preflight may have seen another step, and minutes have passed since.
        why = selinux.blocked(self.found, self.accepted)
        if why:
            raise Failed("SELinux is not enforced: %s; %s" % why)
        # Only of the boot in which it was looked at is it said that enforcing does no harm.
        modes = {"value": "permissive"}, {"value": "enforcing", "boot": units.boot()}
        self.record(state, selinux.CONTROL, "selinux_mode", "kernel", *modes)
        with open(kernel.ROOT + "/enforce", "wb", buffering=0) as stream:
            stream.write(b"1")

    def _keep(self, state):
        why = selinux.unproved(self.found)
        if why:
            raise Failed("SELinux is not made to last: %s; %s" % why)
        managed.write(state, selinux.lasting(self.found), self.parameters["run"])
        self._menu()

    def give(self, state, todo, found):
        """Load our module, set booleans, and label another data root."""
        if todo["module"] is not None:
            before = {"present": found["text"] is not None}
            if before["present"]:
                before["blob"] = states.keep(found["text"].encode("utf-8"))
            after = {"present": True, "sha256": files.digest(todo["module"].encode("utf-8"))}
            self.record(state, containers.CONTROL, "selinux_module", policy.MODULE, before, after)
            with module_file(todo["module"]) as path:
                run(["semodule", "-i", path], seconds=SECONDS)
            if not kernel.known(policy.CONTEXT):
                raise Failed(
                    "semodule -i took the module %s, and the kernel does not know %s: see with semodule -lfull "
                    "whether it is disabled (semodule -e %s) or another of its name goes before it"
                    % (policy.MODULE, policy.TYPE, policy.MODULE)
                )
        for name, (before, after) in todo["booleans"].items():
            values = {"value": before}, {"value": after}
            self.record(state, containers.CONTROL, "selinux_boolean", name, *values)
        if todo["booleans"]:
            pairs = [
                "%s=%s" % (name, "on" if pair[1] else "off")
                for name, pair in todo["booleans"].items()
            ]
            run(["setsebool", "-P"] + pairs, seconds=SECONDS)
        if todo["line"]:
            self._substitute(state, todo["line"], containers.SUBSTITUTIONS % found["kind"])
        if todo["relabel"]:
            relabel(todo["relabel"])

    def _substitute(self, state, line, path):
        data = files.read(path)
        before = {"present": False, "file": data is not None}
        self.record(
            state, containers.CONTROL, "line", path, before, {"present": True, "value": line}
        )
        files.replace(path, line.encode("utf-8") + b"\n" + (data or b""), files.describe(path))


def relabel(root):
    """Give everything below a directory the labels that the policy has for it, and the directory itself last: it is the mark
    that all else was done. Not what is mounted there: it is no container's file system that is to be labelled.
    """
    below = sorted(os.path.join(root, name) for name in os.listdir(root))
    if below:
        run(["restorecon", "-R", "-i", "-x", *below], seconds=SECONDS)
    run(["restorecon", root])


class module_file:  # noqa: N801 - used like a function
    """`with module_file(text) as path`: the text in a file with the module's name, gone afterwards."""

    def __init__(self, text, above="/var/tmp"):
        self.folder, self.text = tempfile.mkdtemp(prefix="hardhost-", dir=above), text

    def __enter__(self):
        path = os.path.join(self.folder, policy.MODULE + ".cil")
        files.replace(path, self.text.encode("utf-8"), {"uid": 0, "gid": 0, "mode": 0o600})
        return path

    def __exit__(self, *_unused):
        shutil.rmtree(self.folder, ignore_errors=True)


def runs_programs():
    """The directory to compile in. Failed where there is none."""
    for path in FOLDERS:
        try:
            flags = os.statvfs(path).f_flag
        except OSError:
            continue
        if not flags & (os.ST_NOEXEC | os.ST_RDONLY):
            return path
    raise Failed("programs may run in none of %s: the policy is not tried" % ", ".join(FOLDERS))


def compile_only(text, kind):
    """Compile the module with a copy of the host's policy. Failed where it does not; nothing of the host is changed."""
    with module_file(text, runs_programs()) as path:
        folder = os.path.dirname(path)
        for source in (store.STORE + "/" + kind, "/etc/selinux/" + kind):
            shutil.copytree(source, folder + source, symlinks=True)
        with open("/etc/selinux/semanage.conf", encoding="utf-8") as stream:
            configuration = stream.read() + NO_PROGRAMS
        files.replace(folder + "/etc/selinux/semanage.conf", configuration.encode("utf-8"))
        # A copy of the program: the host's own would change its domain, which may not write to this directory.
        program = shutil.copy(shutil.which("semodule", path=PATH), folder)
        run(
            [program, "--path", folder, "--store", kind, "--noreload", "--install", path],
            seconds=SECONDS,
        )


def apply(controls, parameters, check_mode):
    """`{controls, diff, notes}` of the next step. Failed where it cannot be taken."""
    facts = hardhost_facts.collect()
    settings = {one["id"]: one["settings"] for one in controls}
    wished = settings.get(selinux.CONTROL, {}).get("mandatory_access_selinux", {})
    work = Work(parameters, facts, wished.get("accepted_denials") or [])
    step = selinux.stage(work.found) if selinux.CONTROL in settings else ""
    asked = settings.get(containers.CONTROL, {}).get("mandatory_access_selinux_policy")
    inputs = {"mandatory_access_selinux_booleans": (asked or {}).get("booleans")}
    found = containers.read(facts, inputs)
    todo = containers.plan(asked, found) if asked is not None else {}
    touched = {
        selinux.CONTROL: step in ("prepare", "enforce", "keep"),
        containers.CONTROL: any(todo.values()),
    }
    result = {
        "controls": {one: "applied" if touched[one] else "unchanged" for one in settings},
        "diff": differences(work.found, step, asked, found),
        "notes": notes(step, work.found) if not check_mode else [],
    }
    if check_mode:
        if todo.get("module") is not None:
            compile_only(todo["module"], found["kind"])
        return result
    if any(touched.values()):
        seconds = LEASE_SECONDS + package_work.longest(parameters["inputs"])
        with states.work(parameters["run"], parameters["holder"], seconds) as state:
            if any(todo.values()):
                work.give(state, todo, found)
            if touched[selinux.CONTROL]:
                work.step(state, step)
    return result


def notes(step, found):
    """What the operator has to know of a step."""
    said = [NOTES[step]] if step in NOTES else []
    if step == "enforce" and found["dropped"]:
        said.append(
            "%d records of the time before auditd ran were not looked at: the kernel had dropped them; with the kernel "
            "arguments audit=1 audit_backlog_limit=8192 it keeps them for auditd" % found["dropped"]
        )
    return said


def differences(found, step, asked, given):
    """For --diff: files, and one line for each other thing."""
    shown = managed.differences(selinux.prepared(found)) if step == "prepare" else []
    lines = (
        [one for one in selinux.changes(found) if not one["what"].startswith("/")] if step else []
    )
    lines += containers.changes(asked, given) if asked is not None else []
    return shown + [
        {
            "before": "%s: %s\n" % (one["what"], one["before"]),
            "after": "%s: %s\n" % (one["what"], one["after"]),
            "before_header": "SELinux",
            "after_header": "SELinux",
        }
        for one in lines
    ]
