"""What becomes of a daemon.json with a given engine: the modules' own code, without a host."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from ansible.module_utils import hardhost_decisions as decisions
from ansible.module_utils import hardhost_options as options
from ansible.module_utils import hardhost_undo as undo

from tests.unit.roles.hosts import TODAY, facts, module

ROLE = Path(__file__).parents[2] / "roles/docker_daemon"
PATH = "/etc/docker/daemon.json"
Json = dict[str, Any]
daemon_json = module("docker_daemon", "daemon_json")


@cache
def controls() -> list[Json]:
    """All controls of the role, as preflight sends them."""
    found = []
    for file in sorted((ROLE / "controls").glob("*.yml")):
        given = yaml.safe_load(file.read_text(encoding="utf-8"))
        one: Json = {"id": f"docker_daemon/{file.stem}", "mode": "apply", "waiver": None}
        one |= {"engine": "", "platforms": [], "needs": {}, "requires": [], "preconditions": []}
        one |= {"unless": [], "applied_by": None}
        one["settings"] = given.get("settings", {})
        one |= {key: given[key] for key in one if key in given}
        if one["applied_by"]:  # an order of the operator's own
            one["mode"] = "report"
        found.append(one)
    return found


@cache
def inputs() -> Json:
    """The role's defaults."""
    found: Json = yaml.safe_load((ROLE / "defaults/main.yml").read_text(encoding="utf-8"))
    return found


def host(data: bytes | None, engine: str, *, in_force: bool) -> Json:
    """Facts of a host with this file: one the daemon runs with, or one that nobody has tried."""
    found = facts(engine={"version": engine})
    # Older than the daemon, or from after every start.
    described = {"uid": 0, "gid": 0, "mode": 0o600, "mtime_ns": 0 if in_force else 2**62}
    found["daemon_json"] |= {
        "data": data,
        "exists": data is not None,
        "described": described if data is not None else None,
    }
    try:
        found["daemon_json"]["options"] = options.parse(data)
    except options.OptionsError as error:
        found["daemon_json"]["error"] = f"{PATH}:{error}"
    return found


def outcome(data: bytes | None, engine: str, *, in_force: bool = False) -> tuple[Any, bytes | None]:
    """`(outcome, new bytes)`; the outcome is "merged", {"held": ids} or {"refused": words}."""
    found = host(data, engine, in_force=in_force)
    refused = decisions.refusal(found)
    if refused:
        return {"refused": refused}, data
    made = decisions.decide(controls(), found, inputs(), [], TODAY)
    wanted = decisions.applied(made, found)
    written, edits = daemon_json.plan(found, wanted)
    assert_nothing_lost(found, written, edits)
    held = sorted(not_applied(made) - elsewhere(engine))
    return ({"held": held} if held else "merged"), written


def not_applied(made: Json) -> set[str]:
    return {name for name, one in made.items() if one["decision"] != "apply"}


@cache
def elsewhere(engine: str) -> frozenset[str]:
    """What is not applied on this engine whatever the file holds: gates, inputs, orders."""
    found = host(None, engine, in_force=False)
    return frozenset(not_applied(decisions.decide(controls(), found, inputs(), [], TODAY)))


def assert_nothing_lost(found: Json, written: bytes | None, edits: list[Json]) -> None:
    """What no control set is as before, in its order; an undo brings back the very bytes."""
    before, after = found["daemon_json"]["options"], options.parse(written)
    ours = {edit["leaf"][0] for edit in edits}
    foreign = [key for key in before if key not in ours]
    assert [key for key in after if key in foreign] == foreign
    assert all(options.same(before[key], after[key]) for key in foreign)
    changes = [
        {**edit, "number": number, "kind": "daemon_json_leaf", "target": PATH}
        for number, edit in enumerate(edits, 1)
    ]
    back, done, conflicts = undo.options_back(after, undo.targets(changes))
    assert not conflicts
    assert len(done) == len({json.dumps(edit["leaf"]) for edit in edits})
    data = found["daemon_json"]["data"]
    if edits:
        assert undo.bytes_back(back, written, data, []) == data
    else:
        assert written == data
