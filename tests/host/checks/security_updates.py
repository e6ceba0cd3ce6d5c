"""No update is pending that the control wants applied, and nobody runs what was replaced."""

from __future__ import annotations

from typing import Any

from verdict import ObservedHost, Verdict, failed, passed, pending

ASKS_ENGINE = False  # it has an answer without the engine's too


def check(host: ObservedHost, control: dict[str, Any], _artifact: dict[str, Any]) -> Verdict:
    found = host.reading["surfaces"]["host_patching"][control["id"]]
    if found["problem"]:
        return (pending if found.get("unknown") else failed)(found["problem"])
    if found["unfinished"]:
        names = ", ".join(name or "its journal" for name in found["unfinished"])
        return failed(f"dpkg was interrupted: {names}; run dpkg --configure -a")
    if found["age"] is None or found["age"] > found.get("limit", found["age"]):
        return pending(f"{_age(found['age'])}: what is pending today is not known; refresh them")
    return _pending(found)


def _pending(found: dict[str, Any]) -> Verdict:
    free = [one for one in found["pending"] if not one["held"]]
    if free:
        return failed(f"{len(free)} updates are pending: {_named(free)}")
    if found["services"]:
        return failed(f"services run files that were replaced: {', '.join(found['services'])}")
    if found["pending"]:
        return pending(f"on hold: {_named(found['pending'])}")
    if found["until_reboot"]:
        names = ", ".join(found["until_reboot"])
        return pending(f"until they are restarted, by you or a reboot, {names} run replaced files")
    if "limit" not in found:
        return passed("none is pending, by dnf's lists")
    return passed(f"none is pending, by package lists that are {int(found['age'] // 60)} min old")


def _age(age: float | None) -> str:
    return (
        "there are no package lists, or sources were changed since"
        if age is None
        else (f"the package lists are {int(age // 3600)} hours old")
    )


def _named(updates: list[dict[str, Any]]) -> str:
    shown = [f"{one['name']} ({one['before']} -> {one['after']})" for one in updates]
    more = f" and {len(shown) - 10} more" if len(shown) > 10 else ""
    return ", ".join(shown[:10]) + more
