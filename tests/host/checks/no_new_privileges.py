"""Programs in containers cannot gain privileges, as setuid programs do."""

from __future__ import annotations

from typing import Any

from options_in_force import Reading, judge, security_option
from verdict import PASS, ObservedHost, Verdict, failed, named, passed, pending

LEAF = ("no-new-privileges",)
SHOWN_SINCE = (24, 0)  # the engine names it among its security options from here on


def check(host: ObservedHost, _control: dict[str, Any], _artifact: dict[str, Any]) -> Verdict:
    reading = host.reading
    verdict = judge(reading, LEAF, True)
    if verdict.status != PASS:
        return verdict
    if _shows(reading) and security_option(reading, "no-new-privileges") is None:
        return failed(
            "dockerd was given no-new-privileges, but does not list it among its security options"
        )
    without = [one for one in reading["containers"] if not one["no_new_privileges"]]
    chosen = sorted(one["name"] for one in without if _opted_out(one))
    older = sorted(one["name"] for one in without if not _opted_out(one))
    if older:
        return pending(
            f"in force for new containers; created before and to be re-created: {named(older)}"
        )
    note = f"; opted out by themselves: {named(chosen)}" if chosen else ""
    return passed(f"new containers get it{note}")


def _shows(reading: Reading) -> bool:
    numbers = [int(part) for part in reading["engine"]["version"].split(".")[:2] if part.isdigit()]
    return tuple(numbers) >= SHOWN_SINCE


def _opted_out(container: dict[str, Any]) -> bool:
    return any(
        option.replace(":", "=") == "no-new-privileges=false"
        for option in container["security_options"]
    )
