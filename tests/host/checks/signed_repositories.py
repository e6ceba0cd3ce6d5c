"""No package source is exempt from signatures."""

from __future__ import annotations

from typing import Any

from verdict import ObservedHost, Verdict, failed, passed

ASKS_ENGINE = False  # it has an answer without the engine's too


def check(host: ObservedHost, control: dict[str, Any], _artifact: dict[str, Any]) -> Verdict:
    found = host.reading["surfaces"]["host_patching"][control["id"]]
    if found["problem"]:
        return failed(found["problem"])
    if found["unsigned"]:
        return failed("; ".join(found["unsigned"][:10]))
    if not found["number"]:
        return passed("no source is configured at all")
    return passed(f"{found['number']} sources, each with signatures that are checked")
