"""The kernel has the rules of a control, and records what they ask for, now and after a boot."""

from __future__ import annotations

from typing import Any

from kernel_audit import LOCKED, silent
from verdict import ObservedHost, Verdict, failed, named, passed, pending

ASKS_ENGINE = False  # the kernel is asked


def check(host: ObservedHost, control: dict[str, Any], _artifact: dict[str, Any]) -> Verdict:
    reading = host.reading["surfaces"]["docker_audit"]
    found = reading["controls"][control["id"].partition("/")[2]]
    wrong = silent(reading)
    if wrong:
        return failed(wrong)
    if not found["paths"]:
        return pending("nothing is there to be watched yet; run site.yml once it is")
    if found["unkept"]:
        return failed(f"the rules file does not have the rules for {named(found['paths'])}")
    if not found["unloaded"]:
        return passed(f"the kernel watches {named(found['paths'])}")
    if reading["status"]["enabled"] == LOCKED:
        return pending("the rules were changed while they are locked: start the host again")
    return failed(f"the kernel does not have the rules for {named(found['paths'])}")
