"""Choose from the state what is to be taken back, and say what each piece of it becomes. Pure: state and facts in, data out.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from ansible.module_utils import hardhost_sysctl as sysctl
from ansible.module_utils.hardhost_options import (
    OptionsError,
    leaves,
    look,
    parse,
    put,
    same,
    without_empty,
    word,
)
from ansible.module_utils.hardhost_preconditions import data_root_change, remapped
from ansible.module_utils.hardhost_redaction import redact, redact_text

KEPT = ("apply", "pending")  # decisions under which what a control has set stays
ONE_WAY = ("package",)  # kinds that nothing takes back
RANGES = ("/etc/subuid", "/etc/subgid")


def chosen(changes, scope, decisions, controls=(), run="", flags=()):
    """The changes to take back, oldest first.

    `scope`: "removed" (what a converge no longer applies), "all", "run" (the last run, or `run`), "controls" (those named).
    `flags` are the keys that the unit gives as flags: what we set for one in daemon.json would stop dockerd by now.
    """
    if scope == "all":
        return list(changes)
    if scope == "controls":
        return [change for change in changes if change["control"] in controls]
    if scope == "run":
        wanted = run or last_run(changes)
        return [change for change in changes if change["run"] == wanted]
    return [
        change
        for change in changes
        if change["kind"] not in ONE_WAY and not _kept(change, decisions, flags)
    ]


def last_run(changes):
    """The run that has recorded the newest of these changes; "" where there is none."""
    # By the order of the records: names of runs hold the controller's clock, and controllers disagree.
    return max(changes, key=lambda change: change["number"])["run"] if changes else ""


def runs(changes, chosen_targets):
    """The runs that these targets are of, oldest first."""
    numbers = {number for one in chosen_targets for number in one["numbers"]}
    return list(dict.fromkeys(one["run"] for one in changes if one["number"] in numbers))


def _kept(change, decisions, flags):
    decision = decisions.get(change["control"])
    if not decision or decision["decision"] not in KEPT:
        return False
    if change["kind"] != "daemon_json_leaf":
        return True
    if change["leaf"][0] in flags:
        return False
    if decision["decision"] == "pending":
        return True
    wished = [
        list(leaf) for leaf, _wish in leaves(decision["settings"].get("docker_daemon_options", {}))
    ]
    return change["leaf"] in wished


def targets(changes):
    """The changes joined per thing that was changed: `[{key, kind, target, leaf, controls, original, ours, known, numbers}]`.

    `original` is what was there before the oldest of them, `ours` what the newest left. `known` is all that was recorded
    before or after one of them: a run that was killed has recorded the newest and left what was there. Newest first.
    """
    joined = {}
    for change in changes:
        key = (change["kind"], change["target"], tuple(change.get("leaf", ())))
        if change["kind"] in ("line", "own_line", "member"):
            key += (change["after"]["value"],)
        one = joined.setdefault(
            key,
            {
                "key": key,
                "kind": change["kind"],
                "target": change["target"],
                "leaf": tuple(change.get("leaf", ())),
                "controls": [],
                "numbers": [],
                "known": [],
                "original": change["before"],
            },
        )
        one["ours"] = change["after"]
        one["numbers"].append(change["number"])
        one["known"] += [change["before"], change["after"]]
        if change["control"] not in one["controls"]:
            one["controls"].append(change["control"])
    return sorted(joined.values(), key=lambda one: -max(one["numbers"]))


def options_back(options, chosen_targets):
    """`(options, done, conflicts)`: daemon.json with our leaves taken back.

    A leaf that is neither ours nor the original is a conflict and stays as it is.
    """
    done, conflicts = [], []
    for one in chosen_targets:
        present = look(options, one["leaf"])
        if not any(same(present, content) for content in one["known"]):
            conflicts.append(
                "%s: %s is now %s; it was %s, and we had set %s"
                % (
                    one["target"],
                    ".".join(one["leaf"]),
                    *[
                        _shown(content, one["leaf"])
                        for content in (present, one["original"], one["ours"])
                    ],
                )
            )
            continue
        if not same(present, one["original"]):
            options = put(options, one["leaf"], one["original"])
        done.append(one)
    return options, done, conflicts


def _shown(content, leaf):
    return repr(redact(content["value"], leaf[-1])) if content["present"] else "absent"


def stays(all_targets, facts, inputs):
    """`{key: why}` of the targets that are not taken back now.

    Packages; a switch of userns-remap that would move the data root, under the same conditions as switching it on; and the
    user and the ranges of a data root that exists: without them its files would belong to nobody.
    """
    found = {
        one["key"]: "packages are not taken back" for one in all_targets if one["kind"] in ONE_WAY
    }
    found.update(
        {one["key"]: "only the next boot takes it back" for one in all_targets if _until_boot(one)}
    )
    switch = [one for one in all_targets if one["leaf"] == ("userns-remap",)]
    held = data_root_change(facts, inputs) if remapped(facts) else None
    if held:
        found.update({one["key"]: "%s; %s" % (held["reason"], held["remedy"]) for one in switch})
    in_use = "userns-remap" in facts["daemon_json"]["options"] and (held or not switch)
    for one in all_targets:
        if one["kind"] == "line" and one["target"] in RANGES:
            start = one["ours"]["value"].split(":")[1]
            roots = [path for path in facts["data_roots"] if "/%s." % start in path]
            if roots or in_use:
                found[one["key"]] = "%s exists" % roots[0] if roots else "userns-remap is set"
    ranges = [
        one["ours"]["value"]
        for one in all_targets
        if one["target"] in RANGES and one["key"] in found
    ]
    found.update(_policies_in_use(all_targets, facts))
    for one in all_targets:
        if one["kind"] == "user" and (
            in_use or any(_owner(line) == one["ours"]["value"] for line in ranges)
        ):
            found[one["key"]] = "its range stays"
    return found


def built_upon(all_targets, changes, scope):
    """`{key: why}` of the targets of one run whose control a later run has changed again: what that one built upon stays."""
    found = {}
    for one in all_targets if scope == "run" else []:
        later = [
            change
            for change in changes
            if change["number"] > max(one["numbers"])
            and change["control"] in one["controls"]
            and change["run"] not in runs(changes, [one])
        ]
        if later:
            found[one["key"]] = "run %s has changed %s since; take that one back first" % (
                later[-1]["run"],
                later[-1]["control"],
            )
    return found


def _until_boot(one):
    """Whether the kernel keeps what was changed until it is booted: one-way parameters, modules that something may use."""
    if one["kind"] == "sysctl":
        return sysctl.stays(one["target"], one["ours"]["value"]) and one["original"] != one["ours"]
    return one["kind"] == "module" and sysctl.has_module(one["target"])


def _policies_in_use(all_targets, facts):
    """Policy modules of SELinux whose type a container has: without it no kernel knows what the container may."""
    found = {}
    for one in all_targets:
        wanted = ":%s_t" % one["target"]
        users = [
            container["name"]
            for container in facts["containers"]
            if any(option.endswith(wanted) for option in container["security_options"])
        ]
        if one["kind"] == "selinux_module" and users:
            found[one["key"]] = (
                "containers were created with it: %s; remove them, and undo again"
                % (", ".join(users[:10]))
            )
    return found


def _owner(line):
    return line.partition(":")[0]


def worded(target):
    """One line for a thing that is taken back, or stays."""
    name = ".".join(target["leaf"]) or (target["ours"] or {}).get("value", "")
    what = name if name != target["target"] else ""
    return redact_text(
        "%s: %s (%s)" % (target["target"], what or target["kind"], ", ".join(target["controls"]))
    )


def bytes_back(options, data, original, left):
    """The bytes for daemon.json after an undo: the original ones where nothing of ours is left and nothing else changed.

    `original` are the bytes before our first change, None where there was no file. Returns None for "no file".
    """
    if not left:
        try:
            if same(without_empty(options), without_empty(parse(original))):
                return original
        except OptionsError:
            pass
    return data if data is not None and same(options, parse(data)) else word(options, data)
