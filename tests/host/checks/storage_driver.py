"""The daemon says which storage driver it uses."""

from __future__ import annotations

from typing import Any

from verdict import ObservedHost, Verdict, failed, passed

UNMAINTAINED = ("aufs", "devicemapper", "vfs")


def check(host: ObservedHost, _control: dict[str, Any], _artifact: dict[str, Any]) -> Verdict:
    driver = host.reading["info"].get("Driver") or ""
    if not driver:
        return failed("the daemon does not say which storage driver it uses")
    if driver in UNMAINTAINED:
        return failed(f"the storage driver is {driver}")
    return passed(f"the storage driver is {driver}")
