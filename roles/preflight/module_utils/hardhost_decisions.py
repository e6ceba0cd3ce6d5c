"""Decide for one host what becomes of each control of the plan, and what a converge would do. Pure: facts in, data out.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import copy

from ansible.module_utils import hardhost_drop_ins as drop_ins
from ansible.module_utils import hardhost_permissions as permissions
from ansible.module_utils import hardhost_running as running_daemon
from ansible.module_utils import hardhost_surfaces as surfaces
from ansible.module_utils import hardhost_unit as units
from ansible.module_utils.hardhost_docker import SOCKET
from ansible.module_utils.hardhost_keys import DATA_ROOT_KEYS
from ansible.module_utils.hardhost_options import (
    BYTE_ORDER_MARK,
    OptionsError,
    changed_keys,
    is_wish,
    leaves,
    look,
    merge,
    put,
    same,
    satisfied,
    word,
)
from ansible.module_utils.hardhost_preconditions import (
    PRECONDITIONS,
    hold,
    named,
    not_applicable,
    running,
)
from ansible.module_utils.hardhost_problems import allows, new_problems
from ansible.module_utils.hardhost_redaction import redact
from ansible.module_utils.hardhost_state import owned
from ansible.module_utils.hardhost_undo import options_back

UPGRADE = "docker_engine/engine_updated"
# live-restore keeps containers started with --rm from here on (moby#46857; measured on 20.10.24 and 26.1.5).
KEEPS_AUTO_REMOVE = "24.0.8"
# Storage drivers that dockerd takes again where none is named, and that name no other store: not vfs, which has to be named, and
# not zfs and fuse-overlayfs, by which 29.0 means containerd's (moby daemon/graphdriver/driver.go, determineImageStoreChoice).
TAKEN_AGAIN = ("btrfs", "overlay2")
OLDEST, NEWEST = (
    "20.10",
    "30",
)  # engines of which the gates and traps are known: from OLDEST on, below NEWEST


def refusal(facts, back=None):
    """Why nothing can be done safely on this host; "" where that is not so.

    `back` is what a rollback takes back: any engine may be left, and daemon.json is judged as it will be then.
    """
    info, engine = facts["info"], facts["engine"]
    if facts["os"]["family"] not in ("debian", "redhat"):
        return "unsupported operating system %s; supported are the Debian and Red Hat families" % (
            facts["os"]["pretty"] or "(unknown)"
        )
    if facts["snap"]:
        return "Docker comes from snap, which keeps its configuration read-only; install it from packages"
    if facts["podman"]:
        return "the docker command is podman's; this project hardens the Docker Engine"
    if any(option.startswith("name=rootless") for option in info.get("SecurityOptions", [])):
        return "the daemon runs rootless; this project hardens the system's daemon"
    version = engine["version"] or engine["candidate"]
    if back is None and version and not allows(">=%s,<%s" % (OLDEST, NEWEST), version):
        return "unsupported engine %s; supported are %s to 29" % (version, OLDEST)
    if facts["daemon_json"]["error"]:
        return "%s; mend it by hand: it is not touched" % facts["daemon_json"]["error"]
    if _unread_mark(facts["daemon_json"]["data"], version):
        return (
            "%s:1: it begins with a byte order mark, which engines before 23.0 do not read, and this is %s; "
            "mend it by hand: it is not touched" % (facts["daemon_json"]["path"], version)
        )
    if facts["process"] and not engine["running"]:
        return "dockerd runs (process %d), but its API does not answer at %s" % (
            facts["process"]["pid"],
            SOCKET,
        )
    if facts["process"] and str(facts["process"]["pid"]) != facts["unit"]["MainPID"]:
        return (
            "dockerd (process %d) was not started by docker.service, and could not be restarted safely"
            % (facts["process"]["pid"])
        )
    if engine["running"] and (facts["api_error"] or not info):
        return "the daemon does not answer all questions: %s" % (
            facts["api_error"] or "no answer to /info"
        )
    if facts["containerd_error"]:
        return (
            "%s: dockerd runs, but starts no container and would not survive a restart; start containerd first"
            % (facts["containerd_error"])
        )
    options, state = unflagged(facts), "stands"
    if back is not None:
        leaves_back = [one for one in back if one["kind"] == "daemon_json_leaf"]
        options, state = options_back(options, leaves_back)[0], "would be after this rollback"
    wrong = new_problems(options, running_daemon.accepted(facts), **context(facts))
    if wrong:
        return "dockerd would not work with %s as it %s: %s" % (
            facts["daemon_json"]["path"],
            state,
            "; ".join(text for _key, text in wrong),
        )
    return facts["state_error"]


def _unread_mark(data, engine):
    """moby 44770 (23.0) reads over the mark; measured on 20.10.24 and 26.1.5."""
    return (
        bool(engine) and not allows(">=23.0", engine) and (data or b"").startswith(BYTE_ORDER_MARK)
    )


def resolve(settings, inputs):
    """A control's settings with inputs filled in; a leaf whose input is empty is left out, or keeps its `never`."""
    resolved = copy.deepcopy(settings)
    for variable, value in settings.items():
        for leaf, wish in list(leaves(value)):
            if is_wish(wish) and "from_input" in wish:
                resolved[variable] = put(resolved[variable], leaf, _filled(wish, inputs))
    return resolved


def _filled(wish, inputs):
    if any(inputs.get(name) != wanted for name, wanted in wish.get("when", {}).items()):
        return {"present": False}
    value = inputs.get(wish["from_input"])
    if value not in (None, ""):
        return {"present": True, "value": value}
    if "never" in wish:
        return {"present": True, "value": {"never": wish["never"]}}
    return {"present": False}


def decide(controls, facts, inputs, exceptions, today):
    """`{id: decision}` for the controls of plan.json; shapes in docs/architecture.md. `today` is YYYY-MM-DD."""
    decisions = {}
    excepted = {one["id"]: one for one in exceptions}
    for planned in controls:
        control = dict(planned, settings=resolve(planned["settings"], inputs))
        found = _unfit(control, facts)
        # Asked once: some of them ask the package manager, or a log's collector.
        answers = [] if found else _answers(control, facts, inputs)
        found = (
            found
            or next((one for one in answers if one["decision"] == "not_applicable"), None)
            or _waiver(control, excepted.get(control["id"]), today)
            or _missing_input(control, inputs)
        )
        mode = _mode(control, inputs)
        if not found and mode == "apply":
            found = _held_back(control, facts, answers)
        if not found:
            found = {"decision": mode, "reason": "", "remedy": ""}
        found.update(changes=[], settings=control["settings"])
        decisions[control["id"]] = found
    _give_way(decisions, controls)
    _hold_problems(decisions, facts)
    _hold_dependants(decisions, controls)
    for identifier, decision in decisions.items():
        if decision["decision"] == "apply":
            control = {"id": identifier, "settings": decision["settings"]}
            decision["changes"] = _changes(control, facts) + surfaces.changes(
                control, facts, inputs
            )
    return decisions


def _mode(control, inputs):
    """What is only reported is applied where its input orders it."""
    ordered = control["applied_by"] and inputs.get(control["applied_by"]) is True
    return "apply" if ordered else control["mode"]


def _give_way(decisions, controls):
    """A control that another one replaces is not applicable where that one is applied."""
    for control in controls:
        winners = [
            other
            for other in control["unless"]
            if decisions.get(other, {}).get("decision") == "apply"
        ]
        if winners and decisions[control["id"]]["decision"] == "apply":
            decisions[control["id"]].update(
                not_applicable("%s is applied here instead" % ", ".join(winners))
            )


def _unfit(control, facts):
    """Why a control makes no sense on such a host, whatever state it is in."""
    version = facts["engine"]["version"] or facts["engine"]["candidate"]
    if control["engine"] and version and not allows(control["engine"], version):
        return not_applicable("needs engine %s, this is %s" % (control["engine"], version))
    if control["platforms"] and facts["os"]["family"] not in control["platforms"]:
        return not_applicable(
            "for %s, this is %s" % (" and ".join(control["platforms"]), facts["os"]["pretty"])
        )
    rules = control["settings"].get("docker_files_paths")
    if rules and not any(permissions.paths(subject, facts) for subject in rules):
        return not_applicable("nothing is there of %s" % ", ".join(sorted(rules)))
    return None


def _answers(control, facts, inputs):
    """What the preconditions have to say."""
    known = dict(PRECONDITIONS, **surfaces.preconditions())
    found = [known[name](facts, inputs, control) for name in control["preconditions"]]
    return [one for one in found if one]


def _waiver(control, exception, today):
    waiver = next(
        (one for one in (exception, control["waiver"]) if one and str(one["expires"]) >= today),
        None,
    )
    if not waiver:
        return None
    return {
        "decision": "waived",
        "remedy": "",
        "reason": "%s (%s, until %s)" % (waiver["reason"], waiver["owner"], waiver["expires"]),
    }


def _missing_input(control, inputs):
    missing = [
        text
        for name, text in sorted(control["needs"].items())
        if inputs.get(name) in (None, "", [], {})
    ]
    if not missing:
        return None
    names = sorted(name for name in control["needs"] if inputs.get(name) in (None, "", [], {}))
    return {
        "decision": "manual",
        "reason": "%s is not given: %s" % (", ".join(names), "; ".join(missing)),
        "remedy": "set it in the inventory or in the profile",
    }


def _held_back(control, facts, answers):
    unusable = permissions.unusable(control["settings"].get("docker_files_paths", {}))
    found = (
        hold(unusable, "mend the control's settings") if unusable else flag_conflict(control, facts)
    )
    settled = [one for one in answers if one["decision"] == "report"]
    return next(iter(settled), found) or next(iter(answers), None)


def flag_conflict(control, facts):
    """A key that the unit gives as a flag cannot stand in daemon.json too; with the wanted value it is in force already."""
    for leaf, wish in leaves(control["settings"].get("docker_daemon_options", {})):
        if leaf[0] in facts["flags"] and not satisfied(look(facts["flags"], leaf), wish):
            return hold(
                "the unit starts dockerd with a flag for %s: %s"
                % (leaf[0], redact(facts["flags"][leaf[0]], leaf[0])),
                "remove the flag from the unit (systemctl cat docker) or from its environment file, and run again",
            )
    return None


def without_flagged(control, facts):
    """The control as `daemon_json` may write it: leaves whose key is a flag of the unit are left out."""
    options = control["settings"].get("docker_daemon_options")
    if options is None:
        return control
    kept = {key: value for key, value in options.items() if key not in facts["flags"]}
    return dict(control, settings=dict(control["settings"], docker_daemon_options=kept))


def applied(decisions, facts):
    """`[{id, settings}]` of what is to be applied, in order of id."""
    chosen = [
        {"id": identifier, "settings": one["settings"]}
        for identifier, one in sorted(decisions.items())
        if one["decision"] == "apply"
    ]
    return [without_flagged(control, facts) for control in chosen]


def candidate(decisions, facts):
    """The options that daemon.json would have after a converge."""
    return merge(unflagged(facts), applied(decisions, facts))[0]


def unflagged(facts):
    """daemon.json without the leaves of ours whose key has become a flag of the unit since: `undo` takes those back."""
    options, path = facts["daemon_json"]["options"], facts["daemon_json"]["path"]
    for change in reversed(owned(facts["state"], "daemon_json_leaf", path)):
        if change["leaf"][0] in facts["flags"]:
            options = put(options, change["leaf"], change["before"])
    return options


def _hold_problems(decisions, facts):
    """Hold back every control whose key would keep dockerd from working; again until nothing is left."""
    while True:
        try:
            found = new_problems(
                candidate(decisions, facts), running_daemon.accepted(facts), **context(facts)
            )
        except OptionsError as error:
            found = [
                (
                    str(error).split(": ", 1)[1].split(" ", 1)[0].split(".")[0],
                    str(error).split(": ", 1)[1],
                )
            ]
        held = [_hold_owners(decisions, key, text) for key, text in found]
        if not any(held):
            return


def _hold_owners(decisions, key, text):
    owners = [
        one
        for one in decisions.values()
        if one["decision"] == "apply" and key in one["settings"].get("docker_daemon_options", {})
    ]
    for decision in owners:
        decision.update(hold(text, "mend daemon.json or the input, or except this control"))
    return bool(owners)


def context(facts):
    """What `hardhost_problems.problems` needs to know of a host."""
    return {
        "flags": facts["flags"],
        "flags_before": units.flags(facts["arguments"]["running"]),
        "engine": facts["engine"]["version"] or facts["engine"]["candidate"],
        "nofile": (facts["process"] or {}).get("nofile"),
        "swarm": facts["info"].get("Swarm", "inactive") not in ("inactive", ""),
    }


def _hold_dependants(decisions, controls):
    """Hold back what needs a control that is not applied here; again, for what needs those, until nothing is left."""
    held = True
    while held:
        held = False
        for control in controls:
            decision = decisions[control["id"]]
            missing = [
                other
                for other in control["requires"]
                if decisions.get(other, {}).get("decision") not in ("apply", "not_applicable")
            ]
            if missing and decision["decision"] == "apply":
                decision.update(
                    hold("needs %s, which is not applied here" % ", ".join(missing), "see there")
                )
                held = True


def _changes(control, facts):
    _options, edits = merge(facts["daemon_json"]["options"], [without_flagged(control, facts)])
    shown = [
        {
            "what": "daemon.json: " + ".".join(edit["leaf"]),
            "before": redact(edit["before"].get("value"), edit["leaf"][-1]),
            "after": redact(edit["after"].get("value"), edit["leaf"][-1]),
        }
        for edit in edits
    ]
    settings = control["settings"]
    return (
        shown
        + permissions.changes(settings.get("docker_files_paths", {}), facts)
        + _engine_changes(settings, facts)
    )


def _engine_changes(settings, facts):
    if "docker_engine_present" not in settings:
        return []
    missing = [
        name
        for name, there in (
            ("engine installed", facts["engine"]["installed"]),
            ("client installed", facts["engine"]["client"]),
            ("engine running", facts["engine"]["running"]),
            ("engine enabled at boot", not _would_be_enabled(facts)),
        )
        if not there
    ]
    return [{"what": name, "before": False, "after": True} for name in missing]


def _would_be_enabled(facts):
    """Whether starting the engine, which enables it, changes what happens at the next boot."""
    return not facts["engine"]["running"] and facts["unit"].get("UnitFileState") == "disabled"


def restart(decisions, facts, inputs, removed, drop_ins_back=False, taken_back=()):
    """What a converge means for the running daemon: `{needed, why, running, containers, allowed, reason}`.

    `removed` are the leaves that `undo` would take back, `drop_ins_back` says whether it takes back a drop-in of the unit, and
    `taken_back` are the controls of which it takes back anything.
    `running` counts the containers that run, `containers` names those that would be stopped and started again.
    """
    answer = {
        "needed": "none",
        "why": [],
        "running": len(running(facts)),
        "containers": [],
        "allowed": True,
        "reason": "",
    }
    if not facts["engine"]["running"]:
        return answer
    daemon = facts["daemon_json"]
    options = candidate(decisions, facts)
    for leaf, content in removed:
        options = put(options, leaf, content)
    data = daemon["data"]
    wanted = data if same(options, daemon["options"]) else word(options, data)
    found = running_daemon.step(
        running_daemon.known(facts),
        wanted,
        running_daemon.shown(facts),
        running_daemon.reloads(facts),
    )
    answer["needed"], answer["why"] = running_daemon.with_due(
        found, _due(decisions, facts, drop_ins_back, taken_back)
    )
    if answer["needed"] == "restart":
        answer["reason"], containers = withheld(
            facts, options, bool(inputs.get("docker_restart_stop_containers"))
        )
        answer.update(allowed=not answer["reason"], containers=[one["name"] for one in containers])
    return answer


def _due(decisions, facts, drop_ins_back, taken_back):
    """Why dockerd is to be started anew besides its file: due already, or announced by a change to come or by an undo."""
    announced = [
        change["restart"]
        for one in decisions.values()
        if one["decision"] == "apply"
        for change in one["changes"]
        if "restart" in change
    ]
    if drop_ins_back:
        announced.append(drop_ins.UNIT)
    return running_daemon.due(facts, taken_back) or next(iter(announced), "")


def hold_upgrade(decisions, foreseen):
    """Hold an upgrade of the engine back whose restart may not happen: whether it did, so that all else is told anew."""
    upgrade = decisions.get(UPGRADE, {})
    coming = [one for one in upgrade.get("changes", []) if one["what"].startswith("package ")]
    if foreseen["allowed"] or not any("restart" in one for one in coming):
        return False
    upgrade.update(hold(foreseen["reason"], "see there"), changes=[])
    return True


def unsettled(facts):
    """Whether an earlier run or somebody's restart has left something for `docker_restart`.

    A daemon down, a lease, a change not confirmed; or a daemon that others have started since we recorded its start: while
    its file is still older than it, that can be recorded again, and later changes of the file put nothing in doubt.
    """
    recorded, process = facts["state"]["daemon"], facts["process"] or {}
    others = recorded and any(recorded[key] != process.get(key) for key in ("pid", "started"))
    return bool(
        not facts["engine"]["running"]
        or facts["state"]["lease"]
        or facts["state"]["undone"]
        or (others and running_daemon.known(facts) is not None)
    )


def withheld(facts, options, ordered):
    """`(reason, containers)`: why a restart into these options must not happen now, and which containers it would stop.

    `ordered`: the operator accepts that containers stop. Nobody can order a restart into flags or a file with which dockerd
    has never been seen to start: there would be no way back; nor one that containers would not survive.
    """
    why, containers = stopped_by_restart(facts, options)
    if running_daemon.known(facts) is None:
        return (
            "%s was changed by somebody since dockerd was started; restart Docker by hand first, to see that it starts "
            "with it" % facts["daemon_json"]["path"]
        ), containers
    if drop_ins.in_force(facts["state"], facts["process"]) is None:
        return (
            "a drop-in of docker.service was changed by somebody since dockerd was started; restart Docker by hand first, "
            "to see that it starts with it"
        ), containers
    started, now = units.flags(facts["arguments"]["running"]), drop_ins.flags_without_pending(facts)
    if not same(started, now):
        return (
            "the unit's flags were changed since dockerd was started (%s); restart Docker by hand first, to see that it "
            "starts with them" % ", ".join(changed_keys(started, now))
        ), containers
    silent = _without_collector(facts)
    if silent:
        return silent, containers
    if containers and not ordered:
        return "%s; docker_restart_stop_containers: true orders it" % why, containers
    return "", containers


def _without_collector(facts):
    """Running containers whose logs nobody takes: a dockerd that starts cannot attach to them (moby daemon.go, restore).

    It would go on without them, their network taken down. Nobody can order that: they would not start again either.
    """
    silent = facts["silent_collectors"]
    lost = [one for one in running(facts) if one["log_target"] in silent]
    if not lost:
        return ""
    return (
        "%s, and a dockerd that starts now would lose the containers that log there: %s; start the collector, or stop them"
        % (
            "; ".join(sorted({silent[one["log_target"]] for one in lost})),
            named(lost),
        )
    )


def moves(facts, options):
    """Whether a restart into these options gives containers, images, volumes and networks another home."""
    before = running_daemon.accepted(facts)
    changed = [key for key in changed_keys(before, options) if key in DATA_ROOT_KEYS]
    return any(
        key != "storage-driver" or not _same_store(facts, before, options) for key in changed
    )


def _same_store(facts, before, options):
    """Whether a storage driver that is written out, or no longer, is the one in force, and images stay where they are.

    Where none is named dockerd takes the one that its data root holds.
    """
    named_there = [one["storage-driver"] for one in (before, options) if "storage-driver" in one]
    driver = facts["info"].get("Driver")
    status = dict(pair for pair in facts["info"].get("DriverStatus") or [] if len(pair) == 2)
    features = options.get("features")
    return (
        named_there == [driver]
        and driver in TAKEN_AGAIN
        and "containerd" not in status.get("driver-type", "")
        and not (isinstance(features, dict) and features.get("containerd-snapshotter") is True)
    )


def stopped_by_restart(facts, options):
    """`(why, containers)`: the running containers that a restart into these options stops, [] where it keeps them all."""
    busy = running(facts)
    if not busy:
        return "", []
    if moves(facts, options):
        return "containers run, and dockerd is to move to another data root", busy
    if context(facts)["swarm"]:
        return "containers run, and live-restore does not work on a swarm node", busy
    if not facts["info"].get("LiveRestoreEnabled"):
        if not options.get("live-restore"):
            return "containers run, and live-restore is not switched on to keep them", busy
        if not running_daemon.reloads(facts):
            return (
                "containers run, and live-restore cannot be switched on first to keep them: %s"
                % running_daemon.NO_RELOAD
            ), busy
    removed = [one for one in busy if one["auto_remove"]]
    if removed and not allows(">=" + KEEPS_AUTO_REMOVE, facts["engine"]["version"]):
        return "engine %s ends and removes containers started with --rm when it restarts: %s" % (
            facts["engine"]["version"],
            named(removed),
        ), removed
    return "", []
