"""What the running dockerd was started with, and what it takes to bring a daemon.json into force.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import time

from ansible.module_utils import hardhost_drop_ins as drop_ins
from ansible.module_utils import hardhost_files as files
from ansible.module_utils import hardhost_state as states
from ansible.module_utils import hardhost_unit as units
from ansible.module_utils.hardhost_keys import KEYS
from ansible.module_utils.hardhost_options import OptionsError, changed_keys, parse, same

# A reload leaves a key alone that the file no longer has (moby daemon/reload.go, IsValueSet): to undo one of these by
# reload, the default is written out first.
RELOAD_DEFAULTS = {"debug": False, "live-restore": False}
DEFAULTS = {"debug": False, "icc": True, "ip": "0.0.0.0", "live-restore": False}  # noqa: S104 - dockerd's
NO_RELOAD = "a reload would switch off the authorization plugins that a flag of the unit names"
MARGIN = 0.5  # seconds between a file's time and a process's start that are not told apart


def in_force(data, described, process, boot, state, directory=states.DIRECTORY):
    """The bytes of daemon.json that the running daemon has taken over; None when that cannot be known.

    By the record of its start where this is the process that was recorded, else by a file that is older than the process.
    """
    recorded = state["daemon"]
    if recorded and (recorded["boot"], recorded["pid"], recorded["started"]) == (
        boot,
        process["pid"],
        process["started"],
    ):
        if data is not None and files.digest(data) == recorded["file"]:
            return data
        return states.kept(recorded["file"], directory)
    if data is None:
        return b""
    written = described["mtime_ns"] / 1e9
    return data if written < time.time() - process["age"] + MARGIN else None


def known(facts, directory=states.DIRECTORY):
    """`in_force` for collected facts; None too where no daemon runs."""
    if not facts["process"]:
        return None
    daemon = facts["daemon_json"]
    return in_force(
        daemon["data"],
        daemon["described"],
        facts["process"],
        units.boot(),
        facts["state"],
        directory,
    )


def accepted(facts):
    """The options that the running daemon has shown to work with; {} where that is not known."""
    try:
        return parse(known(facts))
    except OptionsError:
        return {}


def outdated(facts):
    """Why the dockerd that runs is not the one that is installed; "" where it is, or none runs."""
    process, engine = facts["process"], facts["engine"]
    if not process or not engine["running"]:
        return ""
    if process.get("executable", "").endswith(" (deleted)"):
        return "dockerd %s runs, and was replaced by %s since" % (
            engine["version"],
            engine.get("on_disk") or "another one",
        )
    if engine.get("on_disk") and engine["on_disk"] != engine["version"]:
        return "dockerd %s runs, %s is installed" % (engine["version"], engine["on_disk"])
    return ""


def note(state, process, data, started_with=None):
    """Record with which daemon.json (bytes, b"" for none) this process runs, and keep the bytes. The caller saves.

    `started_with`: the drop-ins of the unit, as `hardhost_drop_ins.on_disk` gives them; by default those known so far.
    What a role has asked this very process for stays asked for: neither a reload nor another record fulfils it.
    """
    if started_with is None:
        started_with = drop_ins.in_force(state, process)
    asked = _asked(state, process)
    state["daemon"] = {
        "boot": units.boot(),
        "pid": process["pid"],
        "started": process["started"],
        "file": states.keep(data),
        "drop_ins": started_with,
    }
    state["daemon"].update(asked)


def ask_for_restart(state, facts, why, control):
    """Have docker_restart start this very process anew for a control, though its file is in force. The caller saves.

    Kept with the record of the daemon's start, which the next start replaces. Where it is not known with which file dockerd
    runs, a restart is due anyway.
    """
    in_force = known(facts)
    if not facts["process"] or in_force is None:
        return
    note(state, facts["process"], in_force)
    state["daemon"].update(due=why, due_for=control)


def ask_no_more(state, controls):
    """Forget what these controls have asked for: they were taken back. The caller saves."""
    if state["daemon"] and state["daemon"].get("due_for") in controls:
        del state["daemon"]["due"], state["daemon"]["due_for"]


def due(facts, taken_back=()):
    """Why this process of dockerd is to be started anew besides its file; "" where nothing asks for it.

    A role has asked for it, and its control is not one of those that are `taken_back`; or a drop-in of the unit waits.
    """
    record = _asked(facts["state"], facts["process"])
    asked = "" if record.get("due_for") in taken_back else record.get("due", "")
    waits = drop_ins.UNIT if facts["process"] and drop_ins.pending(facts) else ""
    return ", ".join(filter(None, (asked, waits)))


def _asked(state, process):
    """`{due, due_for}`: why, and for which control, a role has asked for a restart of this very process; {} where none has."""
    recorded, process = state["daemon"] or {}, process or {}
    same_process = all(recorded.get(key) == process.get(key) for key in ("pid", "started"))
    if not same_process or recorded.get("boot") != units.boot():
        return {}
    return {key: recorded[key] for key in ("due", "due_for") if key in recorded}


def with_due(found, why):
    """`(step, keys)` with a restart that somebody has asked for."""
    step_found, keys = found
    return ("restart", keys + [why]) if why else (step_found, keys)


def reloads(facts):
    """Whether the dockerd that runs may be reloaded.

    A reload takes the authorization plugins of the file (moby cmd/dockerd/daemon.go, reloadConfig), and there are none in it
    where a flag names them: dockerd does not start with both.
    """
    return "authorization-plugins" not in units.flags(facts["arguments"]["running"])


def shown(facts):
    """`{key: value}` of options as the API shows them, where the daemon may have drifted from the file it started with.

    Somebody may have reloaded it since; and containers that ran on through its start made it keep the old bridge. A
    live-restore that stays on for want of a reload does not count: with it on, no restart of ours switches it off.
    """
    found = {
        "debug": facts["info"].get("Debug"),
        "live-restore": facts["info"].get("LiveRestoreEnabled"),
        "default-cgroupns-mode": _cgroup_namespaces(facts["info"].get("SecurityOptions")),
    }
    bridge = facts.get("bridge", {})
    if not any(one["running"] for one in facts["containers"]):
        bridged = bridge.get("com.docker.network.bridge.enable_icc")
        found["icc"] = bridged == "true" if bridged else None
        found["ip"] = bridge.get("com.docker.network.bridge.host_binding_ipv4")
    if found["live-restore"] and not reloads(facts):
        del found["live-restore"]
    return {
        key: value
        for key, value in found.items()
        if value is not None and key not in facts["flags"]
    }


def _cgroup_namespaces(security_options):
    """The mode that a daemon shows, which lists it where it is private; None where it shows nothing."""
    if not security_options:
        return None
    return "private" if "name=cgroupns" in security_options else "host"


def step(running, wanted, seen=None, may_reload=True):
    """`(step, keys)`: "none", "reload" or "restart", and the keys that ask for it.

    `running` and `wanted` are bytes; `running` None means unknown, which only a restart settles. `seen` is what `shown`
    gives: it counts more than the file. `may_reload` is what `reloads` gives.
    """
    if running is None:
        return "restart", ["daemon.json is newer than the daemon"]
    try:
        before, after = parse(running), parse(wanted)
    except OptionsError:
        return "restart", ["daemon.json"]
    for key, value in (seen or {}).items():
        if (key in before or key in after or key in DEFAULTS) and not same(
            before.get(key, DEFAULTS.get(key)), value
        ):
            before[key] = value
    keys = [key for key in changed_keys(before, after) if not _default(key, before, after)]
    if not keys:
        return "none", []
    reloadable = all(
        KEYS.get(key, {}).get("reload") and (key in after or key in RELOAD_DEFAULTS) for key in keys
    )
    if reloadable and not may_reload:
        return "restart", keys + [NO_RELOAD]
    return ("reload" if reloadable else "restart"), keys


def _default(key, before, after):
    """Whether a key differs only in being written out: absent on one side, its default on the other."""
    default = DEFAULTS.get(key)
    return default is not None and same(before.get(key, default), after.get(key, default))
