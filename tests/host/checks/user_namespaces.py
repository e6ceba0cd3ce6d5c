"""The kernel makes user namespaces, and no file forbids it at the next boot."""

from __future__ import annotations

from typing import Any

from verdict import ObservedHost, Verdict, failed, passed

ASKS_ENGINE = False  # it is the kernel's affair


def check(host: ObservedHost, control: dict[str, Any], _artifact: dict[str, Any]) -> Verdict:
    found = host.reading["surfaces"]["kernel"][control["id"]]["user_namespaces"]
    if not found["live"] or int(found["live"]) == 0:
        return failed(f"{found['key']} is {found['live'] or 'not there'}: remapping cannot work")
    for line in [found["boot"], *found["afterwards"]]:
        if line and line["value"] == "0":
            return failed(
                f"{found['key']} is {found['live']}, but {line['file']}, line {line['line']}, "
                "sets it to 0"
            )
    return passed(f"{found['key']} is {found['live']}")
