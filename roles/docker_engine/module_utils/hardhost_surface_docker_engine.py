"""The surface of docker_engine: which version runs, is installed and could be, and what is open in it.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import re

from ansible.module_utils import hardhost_components as components
from ansible.module_utils import hardhost_mounts as mounts
from ansible.module_utils import hardhost_packages as packages
from ansible.module_utils import hardhost_running as running
from ansible.module_utils import hardhost_sources as sources
from ansible.module_utils.hardhost_packages import PackagesError
from ansible.module_utils.hardhost_preconditions import hold

UPDATED = "docker_engine/engine_updated"
RUNNING = "docker_engine/engine_running_updated"
FIXED = "docker_engine/engine_fixed"
PARTITION = "docker_engine/data_root_partition"
MAIN = ("docker.io", "docker-ce", "moby-engine")  # the engine's own package, by whoever packaged it
PINNED = MAIN + ("docker-ce-cli", "docker-cli", "moby-cli", "docker-ce-rootless-extras")
# What keeps containers running while dockerd is away, and knows only shims of its own time (containerd 2.0 has dropped v1's).
KEEPERS = ("containerd", "containerd.io")
PACKAGE = "package "  # before a package's name, in what would change
CONTAINERD = "containerd"


def read(_facts, _inputs):
    """Nothing that every converge must know: what a control asks for first, where it is planned, is kept in this."""
    return {}


def changes(control, facts, inputs):
    """`[{what, before, after}]` of what applying a control would change; `restart` where dockerd has to be started anew."""
    if control["id"] == RUNNING:
        return restart_due(facts)
    if control["id"] != UPDATED or facts["os"]["family"] != "debian":
        return []
    try:
        return upgrades(facts, inputs) + restart_due(facts)
    except PackagesError as error:
        return [{"what": "packages", "before": str(error), "after": "mended, or named"}]


def restart_due(facts):
    """A dockerd or containerd that was replaced, by an upgrade of ours that was cut off or by somebody else."""
    why, replaced = running.outdated(facts), components.service_replaced()
    shown = [{"what": CONTAINERD, "before": replaced, "after": "restarted"}] if replaced else []
    if why:
        shown.append({"what": "dockerd", "before": why, "after": "restarted", "restart": why})
    return shown


def upgrades(facts, inputs):
    """The lists that are to be fetched, and what is not the newest by those that are there."""
    shown = packages.list_changes(inputs)
    if packages.lists_age() is None:
        return shown
    return shown + [upgrade_of(one) for one in planned(facts, inputs)["todo"]]


def upgrade_of(one):
    """One package; the engine's own goes on as it was until dockerd is restarted."""
    change = {"what": PACKAGE + one["name"], "before": one["before"], "after": one["after"]}
    if one["name"] in MAIN:
        change["restart"] = "%s -> %s" % (one["name"], one["after"])
    return change


def today():
    """This day, as pins word it."""
    return packages.output(["date", "-u", "+%Y-%m-%d"]).strip()


def planned(facts, inputs):
    """`plan` by one reading of the host: several questions are asked about it, and apt is slow to answer."""
    kept = facts.get("surfaces", {}).get("docker_engine", {})
    if "plan" not in kept:
        kept["plan"] = plan(inputs, today())
    return kept["plan"]


def plan(inputs, date):
    """`{todo, major, held, pin, problem}`: what of the engine is not the newest of the repositories, or not the pinned."""
    there = packages.engine_packages()
    known, on_hold = packages.policy(list(there)), packages.held()
    pin = inputs.get("docker_engine_pin") or {}
    problem = wrong_pin(pin, there, known, date)
    todo = []
    for name in sorted(there):
        one = known.get(name, {})
        after = one.get("candidate", "")
        if pin and name in PINNED:
            after = pinned(pin, one) or there[name]
        if after and after != there[name] and newer(after, there[name]):
            todo.append({"name": name, "before": there[name], "after": after})
    return {
        "todo": [one for one in todo if one["name"] not in on_hold],
        "held": [one for one in todo if one["name"] in on_hold],
        "major": major_jump(todo),
        "pin": pin,
        "problem": problem,
        "offered": any(from_repository(one) for one in known.values()),
    }


def newer(version, than):
    """Whether a version is newer, as dpkg counts."""
    return packages.run(["dpkg", "--compare-versions", version, "gt", than], 20)[0] == 0


def from_repository(one):
    """Whether a repository, and not only dpkg's own record, knows a package."""
    return any(
        "/var/lib/dpkg/status" not in place
        for _version, places in one["versions"]
        for place in places
    )


def pinned(pin, one):
    """The newest offered version that a pin names, in full or by its beginning; "" where none is."""
    offered = [version for version, _places in one.get("versions", [])]
    exact = [version for version in offered if pin["version"] in (version, upstream(version))]
    begun = [version for version in offered if upstream(version).startswith(pin["version"])]
    return next(iter(exact + begun), "")


def upstream(version):
    """A package's version without its epoch."""
    return version.partition(":")[2] if re.match(r"\d+:", version) else version


def wrong_pin(pin, there, known, date):
    """Why a pin cannot be followed; "" where it can, or there is none."""
    if not pin:
        return ""
    if not all(
        isinstance(pin.get(key), str) and pin[key] for key in ("version", "until", "reason")
    ):
        return "docker_engine_pin needs version, until (YYYY-MM-DD) and reason"
    if not re.match(r"\d{4}-\d\d-\d\d$", pin["until"]) or pin["until"] < date:
        return "docker_engine_pin has ended (until %s): %s" % (pin["until"], pin["reason"])
    name = next((one for one in MAIN if one in there), "")
    if not name:
        return "docker_engine_pin: the engine is not installed from packages"
    version = pinned(pin, known.get(name, {}))
    if not version:
        return "docker_engine_pin: no repository offers %s of %s" % (pin["version"], name)
    if newer(there[name], version):
        return (
            "docker_engine_pin: %s is older than what is installed (%s); nothing is ever downgraded"
            % (
                version,
                there[name],
            )
        )
    return ""


def major_jump(todo):
    """`"docker.io 20 -> 29"` where an update of engine or containerd leaves its major version; "" elsewhere."""
    for one in todo:
        before, after = (upstream(one[key]).partition(".")[0] for key in ("before", "after"))
        if one["name"] in MAIN + KEEPERS and before != after:
            return "%s %s -> %s" % (one["name"], before, after)
    return ""


def engine_upgrade_allowed(facts, inputs, _control):
    """Repositories, holds, pins and major versions: what somebody has to decide comes first."""
    if facts["os"]["family"] != "debian":
        return hold(
            "upgrades of the engine are not made on this family of systems",
            "upgrade it by hand under live-restore, then run again",
        )
    if not sources.listed():
        return hold("no package repository is configured", "configure one, or except this control")
    try:
        if not packages.engine_packages():
            return (
                None
                if not facts["engine"]["installed"]
                else hold(
                    "the engine was not installed from packages",
                    "upgrade it the way it was installed",
                )
            )
        found = planned(facts, inputs)
    except PackagesError as error:
        return hold(str(error), "mend it, then run again")
    return undecided(found, inputs)


def undecided(found, inputs):
    """What of a plan an operator has to decide."""
    if found["problem"]:
        return hold(found["problem"], "give another pin, or none")
    if found["held"]:
        return hold(
            "on hold (apt-mark showhold): %s" % worded(found["held"]),
            "apt-mark unhold them; docker_engine_pin keeps a version with reason and date",
        )
    if found["major"] and not inputs["docker_engine_accept_major"]:
        return hold(
            "the update is another major version (%s), through which live-restore is not promised to keep containers"
            % found["major"],
            "docker_engine_accept_major: true accepts it",
        )
    return None


def worded(updates):
    """Updates for people."""
    return ", ".join(
        "%s (%s -> %s)" % (one["name"], one["before"], one["after"]) for one in updates
    )


def observe(facts, inputs, settings):
    """What the checks want to know, for `{control id: settings}`."""
    readers = {
        UPDATED: observe_updates,
        RUNNING: observe_running,
        FIXED: lambda facts, _inputs: components.observe(facts),
        PARTITION: observe_partition,
    }
    found = {}
    for identifier in sorted(set(settings) & set(readers)):
        try:
            found[identifier] = readers[identifier](facts, inputs)
        except PackagesError as error:
            found[identifier] = {"problem": str(error)}
    return found


def observe_running(facts, _inputs):
    """Why dockerd, and why containerd, is not the installed one; "" where it is."""
    return {
        "why": running.outdated(facts),
        "containerd": components.service_replaced(),
        "problem": "",
    }


def observe_updates(facts, inputs):
    """The plan, and how old the lists are that it was made by."""
    if facts["os"]["family"] != "debian":
        return {"problem": "not looked at on this family of systems", "unknown": True}
    if not sources.listed():
        return {"problem": "no package repository is configured", "unknown": True}
    there, age = packages.engine_packages(), packages.lists_age()
    if not there:
        return {"problem": "the engine was not installed from packages", "unknown": True}
    if age is None or age > packages.OLD_LISTS:
        return {
            "problem": "the package lists are missing, or too old to tell; refresh them",
            "unknown": True,
        }
    return dict(plan(inputs, today()), installed=there, age=age, unknown=False)


def observe_partition(facts, _inputs):
    """The directories that hold images and containers, each with the general directory whose file system it is on."""
    root = facts["info"].get("DockerRootDir") or "/var/lib/docker"
    paths = [re.sub(r"/\d+\.\d+$", "", root)]
    status = dict(pair for pair in facts["info"].get("DriverStatus") or [] if len(pair) == 2)
    if "containerd" in status.get("driver-type", ""):
        paths.append("/var/lib/containerd")
    return {"problem": "", "shared": {path: mounts.shared_with(path) for path in paths}}


PRECONDITIONS = {"engine_upgrade_allowed": engine_upgrade_allowed}
