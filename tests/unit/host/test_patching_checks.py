"""Pending updates, services that go on with replaced files, and lists that say nothing of today."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from verdict import ObservedHost, Verdict

UPDATE = {"name": "openssl", "before": "1", "after": "2", "held": False}


def run(check: str, role: str, **found: Any) -> Verdict:
    reading = {"surfaces": {role: {f"{role}/x": {"problem": "", **found}}}}
    judge = importlib.import_module(f"checks.{check}").check
    verdict: Verdict = judge(ObservedHost("db1", reading), {"id": f"{role}/x"}, {})
    return verdict


@pytest.mark.parametrize(
    ("changed", "status", "words"),
    [
        ({}, "pass", "none is pending, by package lists that are 10 min old"),
        ({"pending": [UPDATE]}, "fail", "1 updates are pending: openssl (1 -> 2)"),
        ({"pending": [{**UPDATE, "held": True}]}, "pending", "on hold: openssl (1 -> 2)"),
        ({"services": ["cron.service"]}, "fail", "services run files that were replaced: cron"),
        ({"until_reboot": ["dbus.service"]}, "pending", "by you or a reboot, dbus.service run"),
        ({"services": ["a"], "until_reboot": ["b"]}, "fail", "replaced: a"),
        ({"pending": [UPDATE], "until_reboot": ["b"]}, "fail", "openssl"),
        ({"unfinished": [""]}, "fail", "dpkg was interrupted: its journal"),
        ({"age": None}, "pending", "there are no package lists"),
        ({"age": 200_000}, "pending", "the package lists are 55 hours old"),
        ({"problem": "E: apt"}, "fail", "E: apt"),
        ({"problem": "none", "unknown": True}, "pending", "none"),
    ],
)
def test_security_updates(changed: dict[str, Any], status: str, words: str) -> None:
    whole = {"age": 600, "limit": 172800, "unfinished": [], "pending": [], "services": []}
    verdict = run("security_updates", "host_patching", **{**whole, "until_reboot": [], **changed})
    assert verdict.status == status
    assert words in verdict.reason


def test_dnf_sees_to_its_lists_itself() -> None:
    found = {"age": 0, "unfinished": [], "pending": [], "services": [], "until_reboot": []}
    verdict = run("security_updates", "host_patching", **found)
    assert (verdict.status, verdict.reason) == ("pass", "none is pending, by dnf's lists")


def kernel(why: str, reason: str) -> Verdict:
    found = {"problem": "", "why": why, "running": "1"}
    reading = {"surfaces": {"host_patching": {"host_patching/x": found}}}
    decision = {"decision": "report", "reason": reason, "remedy": "see the boot loader"}
    judge = importlib.import_module("checks.kernel_current").check
    artifact = {"decisions": {"host_patching/x": decision}}
    verdict: Verdict = judge(ObservedHost("db1", reading), {"id": "host_patching/x"}, artifact)
    return verdict


def test_an_old_kernel_and_one_that_a_reboot_does_not_change() -> None:
    assert kernel("", "").status == "pass"
    assert kernel("1 runs, 2 is installed", "").reason == "1 runs, 2 is installed: reboot the host"
    vain = kernel("1 runs", "1 runs; not repeated")
    assert (vain.status, vain.reason) == ("fail", "1 runs; not repeated: see the boot loader")


@pytest.mark.parametrize(
    ("why", "containerd", "words"),
    [("", "", ""), ("dockerd 1 runs", "", "restart Docker"), ("", "it was replaced", "containerd")],
)
def test_what_runs_of_the_engine_is_what_is_installed(
    why: str, containerd: str, words: str
) -> None:
    found = {"problem": "", "why": why, "containerd": containerd}
    reading = {"surfaces": {"docker_engine": {"a/x": found}}, "engine": {"version": "26.1.5"}}
    judge = importlib.import_module("checks.engine_running_updated").check
    verdict: Verdict = judge(ObservedHost("db1", reading), {"id": "a/x"}, {})
    assert (verdict.status == "pass") == (not words)
    assert words in verdict.reason
