"""The surface of host_patching: what its controls read of a host, what they would change, and what must hold before.

`changes` is what the module does: what preflight announces is worded by the code that acts.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from ansible.module_utils import hardhost_automatic_updates as automatic
from ansible.module_utils import hardhost_files as files
from ansible.module_utils import hardhost_kernels as kernels
from ansible.module_utils import hardhost_managed as managed
from ansible.module_utils import hardhost_outdated as outdated
from ansible.module_utils import hardhost_packages as packages
from ansible.module_utils import hardhost_redhat as redhat
from ansible.module_utils import hardhost_sources as sources
from ansible.module_utils import hardhost_unit as units
from ansible.module_utils import hardhost_window as window
from ansible.module_utils.hardhost_packages import PackagesError
from ansible.module_utils.hardhost_preconditions import hold, named, not_applicable, running

SECURITY = "host_patching/security_updates"
AUTOMATIC = "host_patching/automatic_updates"
KERNEL = "host_patching/kernel_current"
SIGNED = "host_patching/signed_repositories"
NO_SOURCES = "no package repository is configured"


def read(_facts, _inputs):
    """Nothing that every converge must know: each control reads for itself, and only where it is planned."""
    return {}


def changes(control, facts, inputs):
    """`[{what, before, after}]` of what applying a control would change."""
    found = {
        SECURITY: update_changes,
        AUTOMATIC: automatic_changes,
        KERNEL: kernel_changes,
    }.get(control["id"])
    try:
        return found(control, facts, inputs) if found else []
    except PackagesError as error:
        return [{"what": "packages", "before": str(error), "after": "mended, or named"}]


def update_changes(control, facts, inputs):
    """What the package manager would do, and who goes on with what was replaced."""
    wanted = scope(control)
    if facts["os"]["family"] == "redhat":
        shown = [_upgrade(one) for one in chosen(redhat.pending(wanted))]
    else:
        shown = _debian_changes(wanted, inputs)
    may, _never = outdated.restartable(outdated.services())
    return shown + [
        {"what": "service %s" % one, "before": "runs replaced files", "after": "restarted"}
        for one in may
    ]


def _debian_changes(wanted, inputs):
    """Lists that are too old, what dpkg has left, and what is not the newest."""
    shown = packages.list_changes(inputs)
    shown += [
        {"what": "package %s" % (name or "database"), "before": "half-way", "after": "configured"}
        for name in packages.unfinished()
    ]
    if not shown or packages.lists_age() is not None:
        shown += [_upgrade(one) for one in chosen(packages.pending(wanted))]
    return shown


def scope(control):
    """Which updates: "security" or "all"."""
    return control["settings"]["host_patching_updates"]["scope"]


def chosen(pending):
    """What is upgraded of what is pending."""
    return [one for one in pending if one["possible"] and not one["held"]]


def _upgrade(one):
    return {"what": "package %s" % one["name"], "before": one["before"], "after": one["after"]}


def automatic_files():
    """The drop-in."""
    return [managed.wanted(automatic.PATH, automatic.text(), AUTOMATIC)]


def automatic_changes(_control, facts, _inputs):
    """The tool itself, and its drop-in."""
    if facts["os"]["family"] == "redhat":
        return redhat.automatic_changes(AUTOMATIC)
    shown = []
    if not packages.installed([automatic.PACKAGE]):
        shown.append({"what": "package " + automatic.PACKAGE, "before": None, "after": "installed"})
    return shown + managed.changes(automatic_files()).get(AUTOMATIC, [])


def kernel_changes(_control, _facts, _inputs):
    """The reboot, where policy and window allow it now; elsewhere the precondition has held it back."""
    why = kernels.outdated(kernels.found())
    return [{"what": "reboot", "before": why, "after": "into the newest kernel"}] if why else []


def package_sources_given(facts, _inputs, _control):
    """Without a repository there is nothing that could be applied, or looked at."""
    if sources_of(facts):
        return None
    return hold(NO_SOURCES, "configure one, or except this control")


def sources_of(facts):
    """The repositories that are switched on."""
    return sources.repositories() if facts["os"]["family"] == "redhat" else sources.listed()


def own_kernel(_facts, _inputs, _control):
    """A container has no kernel that it could boot."""
    if kernels.shared():
        return not_applicable("this host is a container: its kernel is that of the machine below")
    return None


def reboot_allowed(facts, inputs, control):
    """A reboot that is due waits for policy, window, and an order where containers would not come back."""
    found = kernels.found()
    why = kernels.outdated(found)
    if not why:
        return None
    wish = control["settings"]["host_patching_reboot"]
    if wish["policy"] == "report":
        return hold(why, "reboot the host, or give host_patching_reboot_policy: now or window")
    if kernels.rebooted_in_vain(found, units.boot()):
        # Another reboot would not help, and nothing that a later run waits for would: it is for the check to say that it failed.
        return {
            "decision": "report",
            "reason": "%s; a reboot for it has not changed that, and is not repeated" % why,
            "remedy": "see which kernel the boot loader starts (GRUB_DEFAULT), then reboot the host yourself",
        }
    closed = window.closed(wish["policy"], wish.get("window") or {}, "host_patching_reboot")
    if closed:
        return hold(
            "%s; %s" % (why, closed),
            "wait for it, give host_patching_reboot_window, or reboot the host yourself",
        )
    lost = [one for one in running(facts) if one["auto_remove"]]
    if lost and not inputs["docker_restart_stop_containers"]:
        return hold(
            "%s; a reboot would remove containers started with --rm: %s" % (why, named(lost)),
            "docker_restart_stop_containers: true orders it",
        )
    return None


def automatic_updates_possible(facts, _inputs, _control):
    """Timers that somebody has switched off stay off."""
    if facts["os"]["family"] == "redhat":
        found = redhat.in_the_way()
        return hold(*found) if found else None
    off = [
        name for name, state in timers().items() if state["UnitFileState"] in ("masked", "disabled")
    ]
    if off:
        return hold(
            "%s switched off on this host"
            % (" and ".join(off) + (" is" if len(off) == 1 else " are")),
            "systemctl unmask and enable --now what shall run, or except this control",
        )
    return None


def timers():
    """`{timer: {UnitFileState, ActiveState}}`."""
    found = {}
    for name in automatic.TIMERS:
        _code, text, _errors = packages.run(
            ["systemctl", "show", name, "-p", "UnitFileState,ActiveState"], 30
        )
        found[name] = {"UnitFileState": "", "ActiveState": ""}
        found[name].update(line.partition("=")[::2] for line in text.splitlines())
    return found


def observe(facts, inputs, settings):
    """What the checks want to know, for `{control id: settings}`; what could not be read says so as `problem`."""
    readers = {
        SECURITY: observe_updates,
        AUTOMATIC: observe_automatic,
        KERNEL: lambda *_: {
            "shared": kernels.shared(),
            "why": kernels.outdated(kernels.found()),
            **kernels.found(),
        },
        SIGNED: observe_sources,
    }
    found = {}
    for identifier in sorted(set(settings) & set(readers)):
        try:
            found[identifier] = readers[identifier](facts, inputs, settings[identifier])
        except PackagesError as error:
            found[identifier] = {"problem": str(error)}
    return found


def observe_updates(facts, _inputs, settings):
    """Lists, what is pending, what dpkg has left, and services that run replaced files."""
    wanted = settings["host_patching_updates"]["scope"]
    if not sources_of(facts):
        return {"problem": NO_SOURCES, "unknown": True}
    may, never = outdated.restartable(outdated.services())
    found = {"problem": "", "unfinished": [], "services": may, "until_reboot": never}
    if facts["os"]["family"] == "redhat":  # dnf sees to the age of its lists itself
        return dict(found, age=0, pending=redhat.pending(wanted))
    age = packages.lists_age()
    return dict(
        found,
        age=age,
        limit=packages.OLD_LISTS,
        unfinished=packages.unfinished(),
        pending=packages.pending(wanted) if age is not None else [],
    )


def observe_automatic(facts, _inputs, _settings):
    """Package, timers, effective configuration, and the tool's own dry run."""
    if facts["os"]["family"] == "redhat":
        return redhat.observe_automatic()
    if not packages.installed([automatic.PACKAGE]):
        return {"problem": "", "installed": False}
    configuration = packages.output(["apt-config", "dump"])
    if automatic.mends(configuration) and packages.unfinished():  # it is not for a look to do so
        problem = "dpkg was interrupted, and the dry run of unattended-upgrades would mend it: it was not asked"
        return {"problem": problem, "unknown": True}
    said = automatic.dry_run()
    return {
        "problem": "",
        "installed": True,
        "timers": {name: one["ActiveState"] for name, one in timers().items()},
        "wrong": automatic.wrong(configuration),
        "chosen": automatic.chosen(said),
        "security_origins": automatic.allows_security(said),
        "engine": sorted(packages.engine_packages()),
        "said": packages.said(said, 2),
    }


def observe_sources(facts, _inputs, _settings):
    """The repositories, and what of them nobody has to have signed."""
    if facts["os"]["family"] == "redhat":
        found = sources.repositories()
        main = (files.read("/etc/dnf/dnf.conf") or b"").decode("utf-8", "replace")
        return {"problem": "", "number": len(found), "unsigned": sources.unchecked(found, main)}
    found = sources.listed()
    wrong = sources.unsigned(found, packages.output(["apt-config", "dump"]))
    return {"problem": "", "number": len(found), "unsigned": wrong}


PRECONDITIONS = {
    "automatic_updates_possible": automatic_updates_possible,
    "own_kernel": own_kernel,
    "package_sources_given": package_sources_given,
    "reboot_allowed": reboot_allowed,
}
