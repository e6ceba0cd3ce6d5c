"""The distribution's tool is on, would take security updates, and would leave the engine alone."""

from __future__ import annotations

from typing import Any

from verdict import ObservedHost, Verdict, failed, passed, pending

ASKS_ENGINE = False  # it has an answer without the engine's too


def check(host: ObservedHost, control: dict[str, Any], _artifact: dict[str, Any]) -> Verdict:
    found = host.reading["surfaces"]["host_patching"][control["id"]]
    if found["problem"]:
        return (pending if found.get("unknown") else failed)(found["problem"])
    if not found["installed"]:
        return failed("the distribution's tool for unattended updates is not installed")
    off = [name for name, state in found["timers"].items() if state != "active"]
    if off:
        return failed(f"not running: {', '.join(off)}")
    if found["wrong"]:
        return failed("; ".join(found["wrong"]))
    return _dry_run(found)


def _dry_run(found: dict[str, Any]) -> Verdict:
    if found["chosen"] is None:
        return failed(f"its dry run does not say what it would do: {found['said']}")
    if not found["security_origins"]:
        return failed("its allowed origins hold no security archive")
    engine = sorted(set(found["chosen"]) & set(found["engine"]))
    if engine:
        return failed(f"it would upgrade the engine's packages: {', '.join(engine)}")
    would = ", ".join(found["chosen"]) or "nothing just now"
    return passed(f"on, without the engine; its dry run would upgrade {would}")
