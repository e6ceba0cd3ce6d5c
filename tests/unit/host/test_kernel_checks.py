"""Kernel parameters and modules: what passes, what fails, and which file is named."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from verdict import ObservedHost, Verdict

PLACE = {"file": "/etc/sysctl.d/zzz.conf", "line": 3, "value": "1"}


def run(name: str, **found: Any) -> Verdict:
    seen = {"sysctls": [], "modules": [], **found}
    reading = {"surfaces": {"kernel": {"kernel/x": seen}}}
    check = importlib.import_module(f"checks.{name}").check
    verdict: Verdict = check(ObservedHost("db1", reading), {"id": "kernel/x"}, {})
    return verdict


def parameter(**changed: Any) -> dict[str, Any]:
    return {
        "key": "kernel.sysrq", "wanted": "0", "live": "0", "enough": True,
        "boot": {**PLACE, "value": "0", "over": []}, "boot_enough": True, "afterwards": [],
        **changed,
    }  # fmt: skip


def module(**changed: Any) -> dict[str, Any]:
    return {
        "name": "udf", "wanted": "blocked", "loaded": False, "built_in": False, "refused": True,
        "persisted": False, **changed,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "status", "words"),
    [
        ({}, "pass", "kernel.sysrq is 0"),
        (
            {"boot": {**PLACE, "value": "0", "over": [{**PLACE, "file": "/etc/sysctl.d/a.conf"}]}},
            "pass", "is 0, which overrides 1 (/etc/sysctl.d/a.conf, line 3)",
        ),
        ({"live": "1", "enough": False}, "fail", "wanted is 0"),
        ({"boot": None, "boot_enough": False}, "fail", "no file sets it"),
        ({"boot": PLACE, "boot_enough": False}, "fail", "to 1 (/etc/sysctl.d/zzz.conf, line 3)"),
        ({"afterwards": [{**PLACE, "by": "ufw", "enough": False}]}, "fail", "ufw sets it to 1"),
        ({"afterwards": [{**PLACE, "by": "ufw", "enough": True}]}, "pass", "is 0"),
    ],
)  # fmt: skip
def test_a_parameter(changed: dict[str, Any], status: str, words: str) -> None:
    verdict = run("kernel_parameters", sysctls=[parameter(**changed)])
    assert verdict.status == status
    assert words in verdict.reason


def test_a_parameter_the_kernel_lacks_is_no_obstacle_but_proves_nothing() -> None:
    gone = parameter(live=None, enough=False)
    assert run("kernel_parameters", sysctls=[gone]).status == "fail"
    assert run("kernel_parameters", sysctls=[gone, parameter()]).status == "pass"


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({}, "pass"),
        ({"refused": False}, "fail"),
        ({"loaded": True}, "pending"),
        ({"refused": False, "loaded": True}, "fail"),
        ({"built_in": True}, "fail"),
        ({"wanted": "loaded", "refused": False}, "fail"),
        ({"wanted": "loaded", "refused": False, "loaded": True}, "fail"),
        ({"wanted": "loaded", "loaded": True, "persisted": True}, "pass"),
        ({"wanted": "loaded", "built_in": True}, "pass"),
    ],
)
def test_a_module(changed: dict[str, Any], status: str) -> None:
    assert run("kernel_parameters", modules=[module(**changed)]).status == status


@pytest.mark.parametrize(
    ("live", "boot", "status"),
    [
        ("15000", None, "pass"),
        ("0", None, "fail"),
        (None, None, "fail"),
        ("15000", {**PLACE, "value": "0"}, "fail"),
    ],
)
def test_user_namespaces(live: str | None, boot: dict[str, Any] | None, status: str) -> None:
    found = {"key": "user.max_user_namespaces", "live": live, "boot": boot, "afterwards": []}
    assert run("user_namespaces", user_namespaces=found).status == status
