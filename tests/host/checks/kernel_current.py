"""The kernel that runs is the newest that is installed."""

from __future__ import annotations

from typing import Any

from verdict import ObservedHost, Verdict, failed, passed

ASKS_ENGINE = False  # it has an answer without the engine's too


def check(host: ObservedHost, control: dict[str, Any], artifact: dict[str, Any]) -> Verdict:
    found = host.reading["surfaces"]["host_patching"][control["id"]]
    if found.get("problem"):
        return failed(found["problem"])
    if found["why"]:
        decided = artifact["decisions"][control["id"]]
        if decided["reason"]:
            return failed(f"{decided['reason']}: {decided['remedy']}")
        return failed(f"{found['why']}: reboot the host")
    return passed(f"{found['running']} runs, and none of its kind is newer")
