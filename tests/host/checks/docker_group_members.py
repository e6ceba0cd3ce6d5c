"""Nobody belongs to the group docker, in whatever way, but the named users; and all of them do."""

from __future__ import annotations

from typing import Any

from verdict import ObservedHost, Verdict, failed, named, passed, pending

ASKS_ENGINE = False  # the group is the host's


def check(host: ObservedHost, _control: dict[str, Any], _artifact: dict[str, Any]) -> Verdict:
    found = host.reading["surfaces"]["docker_access"].get("group")
    if not found:
        return failed("there is no group docker")
    wrong = [_worded(kind, found["strangers"][kind]) for kind in ("listed", "primary")]
    if found["missing"]:
        wrong.append(f"does not belong to the group: {named(found['missing'])}")
    if any(wrong):
        return failed("; ".join(filter(None, wrong)))
    if found["holders"]:
        held = [f"{user} ({len(pids)} processes)" for user, pids in found["holders"].items()]
        return pending(f"sessions from before still hold the group: {named(held)}; end them")
    return passed(f"members: {named(found['members']) or 'nobody'}")


def _worded(kind: str, users: list[str]) -> str:
    ways = {"listed": "belongs to the group", "primary": "has it as primary group"}
    return f"{ways[kind]} and is not named: {named(users)}" if users else ""
