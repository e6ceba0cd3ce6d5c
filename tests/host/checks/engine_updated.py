"""Nothing of the engine is older than what the repositories offer, or than its pin."""

from __future__ import annotations

from typing import Any

from verdict import ObservedHost, Verdict, failed, passed, pending

ASKS_ENGINE = False  # it has an answer without the engine's too


def check(host: ObservedHost, control: dict[str, Any], _artifact: dict[str, Any]) -> Verdict:
    found = host.reading["surfaces"]["docker_engine"][control["id"]]
    if found["problem"]:
        return (pending if found.get("unknown") else failed)(found["problem"])
    if found["todo"]:
        return failed(f"not the newest: {_named(found['todo'])}")
    if found["held"]:
        return pending(f"on hold (apt-mark showhold): {_named(found['held'])}")
    if not found["offered"]:
        return pending("no repository offers any of the installed packages")
    installed = ", ".join(f"{name} {version}" for name, version in found["installed"].items())
    if found["pin"]:
        return passed(
            f"pinned until {found['pin']['until']} ({found['pin']['reason']}): {installed}"
        )
    return passed(f"{installed}: nothing newer is offered")


def _named(updates: list[dict[str, Any]]) -> str:
    return ", ".join(f"{one['name']} ({one['before']} -> {one['after']})" for one in updates)
