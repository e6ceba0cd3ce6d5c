"""The checks of AppArmor: each state alone fails its control, with its reason, and no other."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sabotage import states
from tests.unit.host.test_checks import Reading, run

ACTIVE, DEFAULT, PROFILE = CHECKS = (
    "apparmor_active",
    "apparmor_docker_default",
    "apparmor_container_profile",
)
IN_ORDER: dict[str, Any] = {
    "kernel": "on",
    "mode": "enforce",
    "parser": "/sbin/apparmor_parser",
    "service": {"enabled": True, "active": True, "failed": False},
    "profiles": {"docker-default": "enforce", "hardhost-container": "enforce"},
    "prepared": False,
    "unheeded": "",
    "blind": "",
    "ours": True,
    "uncompared": None,
    "held_back": [],
    "file": True,
    "containers": [{"name": "web", "profile": "docker-default", "mode": "enforce"}],
}
FREE = {"name": "free", "profile": "unconfined", "mode": ""}
DISABLED = "/etc/apparmor.d/disable/hardhost-container"


def profiles(**changed: str | None) -> Reading:
    held = IN_ORDER["profiles"] | {name.replace("_", "-"): mode for name, mode in changed.items()}
    return {"profiles": {name: mode for name, mode in held.items() if mode}}


# What each sabotaged state (tests/sabotage/mandatory_access) shows, and a part of the reason.
State = tuple[str, str]  # of a check, by name
SABOTAGED: dict[State, tuple[Reading, str]] = {
    (ACTIVE, "parser_removed"): (
        {"parser": "", "ours": None, "uncompared": "apparmor_parser is missing"},
        "apparmor_parser is missing",
    ),
    (ACTIVE, "service_disabled"): (
        {"service": {"enabled": False, "active": True, "failed": False}},
        "not enabled",
    ),
    (ACTIVE, "daemon_started_without_the_parser"): (
        {"blind": "apparmor_parser came after dockerd"},
        "restart it, then the containers",
    ),
    (DEFAULT, "unloaded"): (profiles(docker_default=None), "not loaded"),
    (ACTIVE, "a_profile_of_others_does_not_compile"): (
        {"service": {"enabled": True, "active": False, "failed": True}},
        "journalctl -u apparmor.service",
    ),
    (ACTIVE, "the_whole_kernel_complains"): ({"mode": "complain"}, "printf enforce >"),
    (DEFAULT, "complain_mode"): (profiles(docker_default="complain"), "complain mode"),
    (DEFAULT, "container_unconfined"): (
        {"containers": [*IN_ORDER["containers"], FREE]},
        "with a profile: free",
    ),
    (PROFILE, "unloaded"): (profiles(hardhost_container=None), "not loaded"),
    (PROFILE, "complain_mode"): (profiles(hardhost_container="complain"), "complain mode"),
    (PROFILE, "another_text_in_the_kernel"): ({"ours": False}, "another text"),
    (PROFILE, "file_edited"): ({"file": False}, "not as it was written"),
    (PROFILE, "disabled"): ({"held_back": [DISABLED]}, DISABLED),
}
OTHERS: dict[State, tuple[Reading, str]] = {
    (ACTIVE, "service_inactive"): (
        {"service": {"enabled": True, "active": False, "failed": False}},
        "not active",
    ),
    (PROFILE, "forced_to_complain"): (
        {"held_back": ["/etc/apparmor.d/force-complain/hardhost-container"]},
        "force-complain",
    ),
}


def host(reading: Reading, **changed: Any) -> Reading:
    reading["surfaces"] = {"mandatory_access": {"apparmor": IN_ORDER | changed}}
    return reading


def statuses(reading: Reading) -> dict[str, str]:
    return {check: run(check, reading).status for check in CHECKS}


def test_every_state_has_its_reading() -> None:
    there = {
        (check, state.name)
        for check in CHECKS
        for state in states.load(f"mandatory_access/{check}")
    }
    assert there == SABOTAGED.keys()


def test_where_all_is_in_order_all_pass(reading: Reading) -> None:
    assert statuses(host(reading)) == dict.fromkeys(CHECKS, "pass")


def concerned(state: State) -> set[str]:
    """The checks that a state makes fail."""
    check, name = state
    for one in states.load(f"mandatory_access/{check}"):
        if one.name == name:
            return {other for other in CHECKS if one.concerns(f"mandatory_access/{other}")}
    return {check}


@pytest.mark.parametrize("state", [*SABOTAGED, *OTHERS], ids="-".join)
def test_a_state_fails_its_control_and_no_other(reading: Reading, state: State) -> None:
    changed, reason = (SABOTAGED | OTHERS)[state]
    found = host(reading, **changed)
    assert statuses(found) == {
        check: "fail" if check in concerned(state) else "pass" for check in CHECKS
    }
    assert reason in run(state[0], found).reason


@pytest.mark.parametrize("check", CHECKS)
def test_a_kernel_without_it(reading: Reading, check: str) -> None:
    off = {"kernel": "off", "profiles": None}
    assert run(check, host(reading, **off)).status == "fail"
    verdict = run(check, host(reading, **off, prepared=True))
    assert verdict.status == "pending"
    assert "reboot" in verdict.reason


@pytest.mark.parametrize("check", CHECKS)
def test_a_reboot_that_did_not_help_is_not_asked_for_again(reading: Reading, check: str) -> None:
    found = host(reading, kernel="off", profiles=None, prepared=True, unheeded="lsm= is in the way")
    verdict = run(check, found)
    assert verdict.status == "fail"
    assert "lsm=" in verdict.reason


def test_a_kernel_that_keeps_its_list_to_itself_proves_nothing(reading: Reading) -> None:
    found = host(reading, profiles=None)
    assert statuses(found) == {ACTIVE: "pass", DEFAULT: "fail", PROFILE: "fail"}


@pytest.mark.parametrize("mode", ["kill", ""])
def test_a_kernel_that_kills_or_does_not_say_is_no_obstacle(reading: Reading, mode: str) -> None:
    assert statuses(host(reading, mode=mode)) == dict.fromkeys(CHECKS, "pass")


def test_only_those_without_a_profile_are_named(reading: Reading) -> None:
    found = host(reading, containers=[*IN_ORDER["containers"], FREE])
    assert "web" not in run(DEFAULT, found).reason


@pytest.mark.parametrize(("ours", "said"), [(None, "no digest"), (True, "")])
def test_a_text_that_could_not_be_compared_is_said_to_be_so(
    reading: Reading, ours: bool | None, said: str
) -> None:
    verdict = run(PROFILE, host(reading, ours=ours, uncompared="no digest" if said else None))
    assert verdict.status == "pass"
    assert ("could not be compared" in verdict.reason) is bool(said)
    assert said in verdict.reason
