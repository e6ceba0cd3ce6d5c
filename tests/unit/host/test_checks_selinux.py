"""The checks of SELinux: what the kernel says decides, and the reason names what is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.host.test_checks import Reading, options, run

ENFORCING: dict[str, Any] = {
    "enabled": True,
    "enforcing": True,
    "boot": "enforcing",
    "arguments": [],
    "menu": True,
    "menu_seen": True,
    "init": "init_t",
}
POLICY: dict[str, Any] = {
    "known": True,
    "permissive": False,
    "wrong": [],
    "current": True,
    "booleans": {"x": True},
    "lasting": {"x": True},
    "wanted": {"x": True},
}


def host(reading: Reading, **found: Any) -> Reading:
    reading["surfaces"] = {"mandatory_access": {"selinux": {**ENFORCING, **found}}}
    return reading


@pytest.mark.parametrize(
    ("found", "why"),
    [
        ({"enabled": False}, "without SELinux"),
        ({"enforcing": False}, "permissive"),
        ({"boot": "permissive"}, "permissive for the next boot"),
        ({"boot": ""}, "nothing for the next boot"),
        ({"arguments": ["enforcing=0"]}, "enforcing=0"),
        ({"menu": False}, "next boot without"),
        ({"init": "kernel_t"}, "kernel_t"),
    ],
)
def test_enforcing_fails(reading: Reading, found: dict[str, Any], why: str) -> None:
    verdict = run("selinux_enforcing", host(reading, **found))
    assert verdict.status == "fail"
    assert why in verdict.reason


def test_enforcing_passes(reading: Reading) -> None:
    assert run("selinux_enforcing", host(reading)).status == "pass"


def test_a_boot_loader_that_nobody_looked_at_is_said(reading: Reading) -> None:
    verdict = run("selinux_enforcing", host(reading, menu_seen=False))
    assert verdict.status == "pass"
    assert "not looked at" in verdict.reason


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (None, "does not know"),
        ({**POLICY, "known": False}, "does not know"),
        ({**POLICY, "permissive": True}, "permissive"),
        ({**POLICY, "wrong": ["rawip_socket create is allowed"]}, "rawip_socket"),
        ({**POLICY, "current": False}, "store"),
        ({**POLICY, "unlabelled": "/data is labelled default_t"}, "/data is labelled default_t"),
        ({**POLICY, "booleans": {"x": False}}, "x is off"),
        ({**POLICY, "lasting": {"x": False}}, "x is on, but not after the next boot"),
        ({**POLICY, "lasting": {}}, "x is on, but not after the next boot"),
    ],
)
def test_policy_fails(reading: Reading, found: dict[str, Any] | None, why: str) -> None:
    verdict = run("selinux_container_policy", host(reading, policy=found))
    assert verdict.status == "fail"
    assert why in verdict.reason


def test_policy_passes(reading: Reading) -> None:
    assert run("selinux_container_policy", host(reading, policy=POLICY)).status == "pass"


@pytest.fixture
def labelled(reading: Reading, container: dict[str, Any]) -> Reading:
    reading["file"]["options"]["selinux-enabled"] = True
    reading["file"]["read"]["selinux-enabled"] = True
    reading["info"]["SecurityOptions"].append("name=selinux")
    reading["containers"] = [{**container, "running": True, "privileged": False}]
    reading["containers"][0].update(selinux="container_t", security_options=[])
    return reading


def test_labels(labelled: Reading) -> None:
    verdict = run("selinux_labels", labelled)
    assert verdict.status == "pass"
    assert "1 running" in verdict.reason


def test_labels_that_the_daemon_ignores(labelled: Reading) -> None:
    labelled["info"]["SecurityOptions"].remove("name=selinux")
    assert run("selinux_labels", labelled).status == "fail"
    wanted = options(selinux_enabled=True)
    assert run("daemon_option", labelled, wanted).status == "fail"


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"selinux": "spc_t", "security_options": ["label=disable"]}, "fail"),
        ({"selinux": "spc_t", "security_options": ["label:disable"]}, "fail"),
        ({"selinux": "spc_t", "privileged": True}, "fail"),
        ({"selinux": "spc_t", "security_options": ["label=type:spc_t"]}, "fail"),
        ({"selinux": "spc_t", "security_options": ["label:type:unconfined_t"]}, "fail"),
        ({"selinux": "spc_t", "pid_mode": "host"}, "fail"),
        ({"selinux": "spc_t", "ipc_mode": "host"}, "fail"),
        ({"selinux": "spc_t", "security_options": ["label=level:s0:c1"]}, "pending"),
        ({"selinux": "spc_t", "pid_mode": "container:other"}, "pending"),
        ({"selinux": "dockerd_t"}, "pending"),
        ({"selinux": ""}, "pending"),
        ({"selinux": None, "running": False}, "pass"),
        ({"selinux": None}, "pass"),  # it runs for the daemon, and has no process
        ({"selinux": "hardhost_container_t"}, "pass"),
    ],
)
def test_labels_of_running_containers(
    labelled: Reading, changed: dict[str, Any], status: str
) -> None:
    labelled["containers"][0].update(changed)
    assert run("selinux_labels", labelled).status == status
