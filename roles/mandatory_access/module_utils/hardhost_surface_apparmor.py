"""The part of mandatory_access for AppArmor: what must hold, what its controls would change, and the work itself.

`plan` tells preflight and the module the same.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import hashlib
import time

from ansible.module_utils import hardhost_apparmor as apparmor
from ansible.module_utils import hardhost_apparmor_profile as profile
from ansible.module_utils import hardhost_facts
from ansible.module_utils import hardhost_managed as managed
from ansible.module_utils import hardhost_package_work as package_work
from ansible.module_utils import hardhost_programs as programs
from ansible.module_utils import hardhost_running as running
from ansible.module_utils import hardhost_state as states
from ansible.module_utils import hardhost_unit as units
from ansible.module_utils.hardhost_preconditions import hold, not_applicable

ACTIVE = "mandatory_access/apparmor_active"
PACKAGE = "apparmor"
PATH = apparmor.PROFILES + profile.NAME
DUE = "dockerd was started without AppArmor"
LATE = "apparmor_parser came, or was replaced, after dockerd was started, and no container shows that it is used"
INCOMPLETE = "apparmor.service does not load all profiles of this host"
CACHED = 23  # the first major version that looks for the parser at its start
LEASE_SECONDS = 2 * programs.SECONDS  # for what is no package: each program takes a moment


def read(_facts, _inputs):
    """What of AppArmor is on the host."""
    return apparmor.read()


def apparmor_possible(facts, _inputs, control):
    """A kernel of its own that has AppArmor, and no other module in its place."""
    found = _reading(facts)
    if found["shared"]:
        return not_applicable(
            "this host shares its kernel with others, whose AppArmor is not its own"
        )
    if found["kernel"] == "absent":
        return not_applicable("this kernel has no AppArmor")
    if facts["selinux"]["enabled"]:
        return not_applicable("this kernel runs with SELinux")
    if found["kernel"] == "on" or found["grub"] or not _settings(control).get("active"):
        return None
    if found["unheeded"]:  # a reboot is not what is missing: verify looks, and says what is
        return {"decision": "report", "reason": found["unheeded"], "remedy": ""}
    return hold(
        "the kernel was booted without AppArmor, and there is no GRUB whose configuration could be prepared",
        "boot the kernel with: apparmor=1 security=apparmor",
    )


def apparmor_loadable(facts, _inputs, control):
    """A profile that is to be loaded has to be compiled first, and the parser must not have been told to leave it."""
    found = _reading(facts)
    for path, does in apparmor.held_back(profile.NAME).items():
        return hold(
            "%s is there: with it the profile %s, at boot too" % (path, does),
            "remove it, and run again",
        )
    if found["parser"] or not _profile_steps(control, found):
        return None
    return hold(
        "apparmor_parser is missing: the profile cannot be compiled",
        "install the package apparmor, or apply mandatory_access/apparmor_active, and run again",
    )


def apparmor_startable(facts, _inputs, control):
    """A service that has failed is not started in vain in each run; what else the control does goes first."""
    found = _reading(facts)
    if not stuck(found) or plan(control, facts, found):
        return None
    return hold(
        "%s, and has failed" % INCOMPLETE,
        "mend or remove the profile that journalctl -u apparmor.service names, then: systemctl restart apparmor.service",
    )


def stuck(found):
    """Whether the service would fail again: a profile of somebody else does not compile. Without the parser it had to fail."""
    return found["kernel"] == "on" and found["service"]["failed"] and bool(found["parser"])


def _reading(facts):
    """What was read in this run: by preflight already, or now."""
    return facts.get("surfaces", {}).get("mandatory_access", {}).get("apparmor") or apparmor.read()


def _settings(control):
    return control["settings"].get("mandatory_access_apparmor") or {}


def blind(facts, found):
    """Why dockerd does not use the AppArmor that is there, or will be once the parser is installed; "" where it does, or none runs."""
    if not facts["engine"]["running"] or found["kernel"] != "on":
        return ""
    if not any(one.startswith("name=apparmor") for one in facts["info"].get("SecurityOptions", [])):
        return DUE
    return LATE if late(facts, found) and not confines(facts) else ""


def late(facts, found):
    """Whether the parser may have come after dockerd, which looks for it once.

    From 23.0 on it confines nothing then, and says `name=apparmor` all the same (containerd pkg/apparmor, hostSupports, and moby
    pkg/sysinfo; measured on 26.1.5). Before that it asks the kernel alone, and starts no container; so do the first of 23.0,
    whose containerd is older than 1.6.18 (moby 44970, 45043): they are restarted once for nothing, at most.
    """
    major = facts["engine"]["version"].partition(".")[0]
    if not facts["process"] or not major.isdigit() or int(major) < CACHED:
        return False
    return not found["parser"] or found["parser_since"] > time.time() - facts["process"]["age"]


def confines(facts):
    """Whether a container that this dockerd has started has a profile to obey: then it has found the parser.

    What the kernel as a whole makes of profiles (`mode`) is no reason to restart dockerd.
    """
    return any(
        (units.started(one["pid"]) or 0) > facts["process"]["started"]
        and apparmor.label(one["pid"])[1] == "enforce"
        for one in facts["containers"]
        if one["running"]
    )


def plan(control, facts, found):
    """What applying a control does, in this order: `[{what, before, after, do}]`; `restart` where dockerd has to notice."""
    settings, todo = _settings(control), []
    if settings.get("active"):
        if not found["parser"]:
            todo.append(_step("package", "package " + PACKAGE, None, "installed"))
        if not found["service"]["enabled"]:
            todo.append(_step("service", apparmor.SERVICE, "disabled", "enabled"))
        if not found["service"]["active"] and found["kernel"] == "on" and not stuck(found):
            todo.append(_step("start", apparmor.SERVICE, "inactive", "started"))
        if found["kernel"] == "off" and (_boot_files(control) or not found["prepared"]):
            todo.append(_step("boot", apparmor.BOOT, None, "AppArmor with the next boot"))
        why = blind(facts, found)
        if why and not running.due(facts):  # asked for already, and withheld
            todo.append(dict(_step("daemon", "dockerd", why, "restarted"), restart=why))
    if settings.get("profile"):
        todo += _profile_steps(control, found)
    return todo


def _step(name, what, before, after):
    return {"do": name, "what": what, "before": before, "after": after}


def _boot_files(control):
    return managed.different([apparmor.boot_file(control["id"])])


def profile_file(control):
    """The file of our profile: what backs a profile survives reboots and aa-remove-unknown."""
    return managed.wanted(PATH, profile.TEXT, control)


def _profile_steps(control, found):
    todo = []
    if managed.different([profile_file(control["id"])]):
        todo.append(
            _step("file", PATH, "other" if managed.content(PATH)["present"] else None, "our text")
        )
    mode = (found["profiles"] or {}).get(profile.NAME)
    if found["kernel"] == "on" and (todo or mode != "enforce" or compared(found)[0] is False):
        todo.append(_step("load", "profile " + profile.NAME, mode, "enforce"))
    return todo


def compared(found):
    """`(whether the kernel holds what the parser makes of our text, None)`; `(None, why)` where one of them cannot say."""
    held = apparmor.loaded_digest(profile.NAME)
    if not held:
        return None, "the kernel gives no digest of it"
    if not found["parser"]:
        return None, "apparmor_parser is missing"
    try:
        ours = hashlib.new(held[0], apparmor.compiled(profile.TEXT))
    except programs.Failed as error:
        return None, "the parser failed: %s" % error
    return ours.hexdigest() == held[1], None


def changes(control, facts, _inputs):
    """`[{what, before, after}]` of what applying a control would change."""
    return [
        {key: value for key, value in step.items() if key != "do"}
        for step in plan(control, facts, _reading(facts))
    ]


def observe(facts, _inputs, _settings):
    """What the checks want to know: the reading, whether our profile is what is loaded, and each container's confinement."""
    found = apparmor.read()
    found["blind"] = blind(facts, found)
    found["ours"], found["uncompared"] = compared(found)
    found["held_back"] = sorted(apparmor.held_back(profile.NAME))
    found["file"] = not managed.different([profile_file("")])
    running = [one for one in facts["containers"] if one["running"]]
    found["containers"] = list(filter(None, map(_confinement, running)))
    return found


def _confinement(container):
    """None where its process has ended meanwhile, or waits to be started again (pid 0): nothing runs without a profile."""
    name, mode = apparmor.label(container["pid"])
    if units.started(container["pid"]) is None:
        return None
    return {"name": container["name"], "profile": name, "mode": mode}


def apply(controls, parameters, check_mode):
    """`{controls, diff, notes}` of doing what `plan` says. Failed or PackagesError where something cannot be done."""
    facts, found = hardhost_facts.collect(), apparmor.read()
    todo = [(control, plan(control, facts, found)) for control in controls]
    steps = [(control, step) for control, planned in todo for step in planned]
    wanted = [
        one
        for control, step in steps
        for one in {
            "boot": [apparmor.boot_file(control["id"])],
            "file": [profile_file(control["id"])],
        }.get(step["do"], [])
    ]
    if any(step["do"] in ("file", "load") for _control, step in steps) and found["parser"]:
        apparmor.compiled(profile.TEXT)  # what does not compile replaces nothing
    answer = {
        "controls": {one["id"]: "applied" if planned else "unchanged" for one, planned in todo},
        "diff": managed.differences(wanted),
        "notes": [],
    }
    if steps and not check_mode:
        seconds = LEASE_SECONDS + package_work.longest(parameters["inputs"])
        with states.work(parameters["run"], parameters["holder"], seconds) as state:
            for control, step in steps:
                note = STEPS[step["do"]](state, control["id"], parameters, facts)
                answer["notes"] += [note] if note else []
    if any(step["do"] == "boot" for _control, step in steps):
        answer["notes"].append("AppArmor is on with the next boot: reboot the host")
    return answer


def _package(state, control, parameters, facts):
    """The package; again, where it is installed and its parser is gone."""
    family, run, inputs = facts["os"]["family"], parameters["run"], parameters["inputs"]
    package_work.add(state, family, [PACKAGE], control, run, inputs, again=True)
    if not apparmor.read()["parser"]:
        raise programs.Failed(
            "the package %s is installed, its apparmor_parser is gone, and it could not be fetched once more: see what "
            "apt-get install --reinstall %s says" % (PACKAGE, PACKAGE)
        )


def _service(state, control, parameters, _facts):
    before, after = {"enabled": False}, {"enabled": True}
    states.record(state, parameters["run"], control, "unit", apparmor.SERVICE, before, after)
    states.save(state)
    programs.run(["systemctl", "enable", "--quiet", apparmor.SERVICE])


def _start(_state, _control, _parameters, _facts):
    """It loads the profiles that have files, ours among them; the note where one of somebody else's is in its way."""
    try:
        programs.run(["systemctl", "restart", apparmor.SERVICE])
    except programs.Failed:
        return "%s: journalctl -u apparmor.service says which" % INCOMPLETE
    return ""


def _boot(state, control, parameters, _facts):
    managed.write(state, [apparmor.boot_file(control)], parameters["run"])
    programs.run(["update-grub"])
    if not apparmor.prepared():
        raise programs.Failed(
            "update-grub did not take over %s from %s: look what sets GRUB_CMDLINE_LINUX_DEFAULT after it"
            % (apparmor.ARGUMENTS, apparmor.BOOT)
        )


def _daemon(state, control, _parameters, facts):
    """docker_restart does the restart: here it is only said that one is due."""
    running.ask_for_restart(state, facts, DUE, control)
    states.save(state)


def _file(state, control, parameters, _facts):
    """Compiled once more where the parser has just been installed."""
    apparmor.compiled(profile.TEXT)
    managed.write(state, [profile_file(control)], parameters["run"])


def _load(state, control, parameters, _facts):
    name = profile.NAME
    if not states.owned(state, "apparmor_profile", name):
        before, after = {"present": name in (apparmor.profiles() or {})}, {"present": True}
        states.record(state, parameters["run"], control, "apparmor_profile", name, before, after)
        states.save(state)
    apparmor.load(PATH)
    mode = (apparmor.profiles() or {}).get(name)
    if mode != "enforce":  # the parser says 0 where it has left a profile out, too
        why = ", ".join(sorted(apparmor.held_back(name))) or "what apparmor_parser says of " + PATH
        raise programs.Failed(
            "the kernel has not begun to enforce %s (%s): see %s"
            % (name, mode or "it is not loaded", why)
        )


STEPS = {
    "package": _package,
    "service": _service,
    "start": _start,
    "boot": _boot,
    "daemon": _daemon,
    "file": _file,
    "load": _load,
}
