"""Choose from the state what is to be taken back, and say what each piece of it becomes. Pure: state and facts in, data out.

SPDX-License-Identifier: Apache-2.0
"""
from __future__ import annotations

from ansible.module_utils.hardhost_options import OptionsError, leaves, look, parse, put, same, word
from ansible.module_utils.hardhost_preconditions import data_root_change, remapped

KEPT = ("apply", "pending")  # decisions under which what a control has set stays


def chosen(changes, scope, decisions, controls=(), run=""):
    """The changes to take back, oldest first.

    `scope`: "removed" (what a converge no longer applies), "all", "run" (the last run, or `run`), "controls" (those named).
    """
    if scope == "all":
        return list(changes)
    if scope == "controls":
        return [change for change in changes if change["control"] in controls]
    if scope == "run":
        last = run or max([change["run"] for change in changes], default="")
        return [change for change in changes if change["run"] == last]
    return [change for change in changes if not _kept(change, decisions)]


def _kept(change, decisions):
    decision = decisions.get(change["control"])
    if not decision or decision["decision"] not in KEPT:
        return False
    if change["kind"] != "daemon_json_leaf" or decision["decision"] == "pending":
        return True
    wished = [list(leaf) for leaf, _wish in leaves(decision["settings"].get("docker_daemon_options", {}))]
    return change["leaf"] in wished


def targets(changes):
    """The changes joined per thing that was changed: `[{key, kind, target, leaf, controls, original, ours, numbers}]`.

    `original` is what was there before the oldest of them, `ours` what the newest left. Newest first.
    """
    joined = {}
    for change in changes:
        key = (change["kind"], change["target"], tuple(change.get("leaf", ())))
        if change["kind"] == "line":
            key += (change["after"]["value"],)
        one = joined.setdefault(key, {"key": key, "kind": change["kind"], "target": change["target"],
                                      "leaf": tuple(change.get("leaf", ())), "controls": [], "numbers": [],
                                      "original": change["before"]})
        one["ours"] = change["after"]
        one["numbers"].append(change["number"])
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
        if not same(present, one["original"]):
            if not same(present, one["ours"]):
                conflicts.append("%s: %s is now %s; it was %s, and we had set %s" % (
                    one["target"], ".".join(one["leaf"]), _shown(present), _shown(one["original"]), _shown(one["ours"])))
                continue
            options = put(options, one["leaf"], one["original"])
        done.append(one)
    return options, done, conflicts



def _shown(content):
    return repr(content["value"]) if content["present"] else "absent"


def held_back(chosen_targets, facts, inputs):
    """`{leaf: reason and remedy}`: switching userns-remap back moves the data root again, under the same conditions."""
    if not remapped(facts):
        return {}
    found = data_root_change(facts, inputs)
    return {one["leaf"]: found for one in chosen_targets if one["leaf"] == ("userns-remap",)} if found else {}


def bytes_back(options, data, original, left):
    """The bytes for daemon.json after an undo: the original ones where nothing of ours is left and nothing else changed.

    `original` are the bytes before our first change, None where there was no file. Returns None for "no file".
    """
    if not left:
        try:
            if same(options, parse(original)):
                return original
        except OptionsError:
            pass
    return data if data is not None and same(options, parse(data)) else word(options, data)
