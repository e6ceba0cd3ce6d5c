"""The checks of audit rules: recorded now and after a boot, or why not."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from verdict import ObservedHost, Verdict

Json = dict[str, Any]


def surface(**changed: Any) -> Json:
    found = {"paths": ["/etc/docker"], "unkept": False, "unloaded": False}
    found.update({key: value for key, value in changed.items() if key in found})
    return {
        "status": {
            "error": 0,
            "enabled": changed.get("enabled", 1),
            "pid": changed.get("pid", 700),
        },
        "active": changed.get("active", True),
        "suppressed": changed.get("suppressed", ""),
        "controls": {"name": found},
    }


def run(check: str, found: Json) -> Verdict:
    reading = {"surfaces": {"docker_audit": found}}
    module = importlib.import_module(f"checks.{check}")
    verdict: Verdict = module.check(ObservedHost("db1", reading), {"id": "docker_audit/name"}, {})
    return verdict


def test_what_the_kernel_watches_passes() -> None:
    assert run("audit_rules", surface()).reason == "the kernel watches /etc/docker"


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"unloaded": True}, "does not have the rules"),
        ({"unkept": True}, "rules file"),
        ({"enabled": 0}, "switched off"),
        ({"active": False}, "auditd does not run"),
        ({"pid": 0}, "auditd does not run"),
        ({"suppressed": "-a never,task"}, "-a never,task"),
        ({"unkept": True, "unloaded": True, "enabled": 2}, "rules file"),
    ],
)
def test_what_is_not_recorded_or_not_for_long_fails(changed: Json, reason: str) -> None:
    verdict = run("audit_rules", surface(**changed))
    assert verdict.status == "fail"
    assert reason in verdict.reason


def test_a_locked_kernel_waits_for_the_next_boot() -> None:
    verdict = run("audit_rules", surface(unloaded=True, enabled=2))
    assert verdict.status == "pending"
    assert "start the host again" in verdict.reason


def test_nothing_to_watch_yet_is_no_pass() -> None:
    assert run("audit_rules", surface(paths=[])).status == "pending"


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"enabled": 2}, "pass"),
        ({"enabled": 1}, "fail"),
        ({"enabled": 2, "unkept": True}, "fail"),
        ({"enabled": 2, "active": False}, "fail"),
    ],
)
def test_locked_now_and_after_the_next_boot(changed: Json, status: str) -> None:
    assert run("audit_rules_locked", surface(**changed)).status == status
