"""The kernel takes no change of its audit rules, now and after the next boot."""

from __future__ import annotations

from typing import Any

from kernel_audit import LOCKED, silent
from verdict import ObservedHost, Verdict, failed, passed

ASKS_ENGINE = False  # the kernel is asked


def check(host: ObservedHost, control: dict[str, Any], _artifact: dict[str, Any]) -> Verdict:
    reading = host.reading["surfaces"]["docker_audit"]
    kept = not reading["controls"][control["id"].partition("/")[2]]["unkept"]
    if wrong := silent(reading):
        return failed(wrong)
    if reading["status"]["enabled"] != LOCKED:
        return failed("the kernel's audit rules can be changed")
    if not kept:
        return failed("the rules are locked now, and will not be after the next boot")
    return passed("the kernel's audit rules cannot be changed before the next boot")
