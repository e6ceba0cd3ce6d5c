"""One leaf of daemon.json: in force, lost with the next start, awaiting a restart, or not there."""

from __future__ import annotations

from typing import Any

import options_in_force
import pytest
from options_in_force import ABSENT, fulfils, judge, leaves

NEVER = {"never": ["unconfined"]}


def put(reading: dict[str, Any], where: str, key: str, value: Any) -> None:
    target = {
        "file": reading["file"]["options"],
        "read": reading["file"]["read"],
        "flag": reading["daemon"]["flags"]["running"],
        "configured": reading["daemon"]["flags"]["configured"],
    }[where]
    if value is None:
        target.pop(key, None)
    else:
        target[key] = value


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        pytest.param({}, "pass", 'log-level is "info"', id="in_force"),
        pytest.param(
            {"file": None, "read": None}, "pass", '"info"', id="the_default_is_what_is_wanted"
        ),
        pytest.param({"file": "debug"}, "fail", "the next start", id="lost_with_the_next_start"),
        pytest.param({"read": "debug"}, "pending", "restart due", id="written_but_not_restarted"),
        pytest.param({"file": "debug", "read": "debug"}, "fail", 'wanted is "info"', id="wrong"),
        pytest.param(
            {"file": None, "read": None, "flag": "debug", "configured": "debug"},
            "fail",
            '"debug" in the running daemon',
            id="another_value_as_flag",
        ),
        pytest.param(
            {"file": None, "read": None, "flag": "info", "configured": "info"},
            "pass",
            '"info"',
            id="the_same_value_as_flag",
        ),
        pytest.param(
            {"file": None, "read": None, "flag": "info", "configured": "debug"},
            "fail",
            "the next start",
            id="unit_changed_but_not_restarted",
        ),
    ],
)
def test_an_option_the_api_does_not_show(
    reading: dict[str, Any], changes: dict[str, Any], status: str, words: str
) -> None:
    for where, value in changes.items():
        put(reading, where, "log-level", value)
    verdict = judge(reading, ("log-level",), "info")
    assert verdict.status == status
    assert words in verdict.reason


def test_a_file_newer_than_the_daemon_is_pending_where_it_holds_what_is_wanted(
    reading: dict[str, Any],
) -> None:
    reading["file"]["read"] = None
    assert judge(reading, ("log-level",), "info").status == "pending"
    put(reading, "file", "log-level", "warn")
    verdict = judge(reading, ("log-level",), "info")
    assert verdict.status == "fail"
    assert '"warn" in /etc/docker/daemon.json' in verdict.reason


def test_what_the_api_shows_counts_and_not_the_file(reading: dict[str, Any]) -> None:
    assert judge(reading, ("live-restore",), True).status == "pass"
    reading["info"]["LiveRestoreEnabled"] = False
    verdict = judge(reading, ("live-restore",), True)
    assert verdict.status == "fail", "the daemon read the file and still is not in this state"
    reading["file"]["read"]["live-restore"] = False
    assert judge(reading, ("live-restore",), True).status == "pending"


def test_in_force_by_the_api_but_not_in_the_file_is_lost_with_the_next_start(
    reading: dict[str, Any],
) -> None:
    put(reading, "file", "live-restore", None)
    verdict = judge(reading, ("live-restore",), True)
    assert verdict.status == "fail"
    assert "next start" in verdict.reason


@pytest.mark.parametrize(
    ("options", "status"),
    [
        (["name=seccomp,profile=builtin"], "pass"),
        (["name=seccomp,profile=default"], "pass"),
        (["name=seccomp,profile=/etc/docker/seccomp.json"], "pass"),
        (["name=seccomp,profile=unconfined"], "fail"),
        ([], "fail"),
    ],
)
def test_seccomp_may_be_anything_but_unconfined(
    reading: dict[str, Any], options: list[str], status: str
) -> None:
    reading["info"]["SecurityOptions"] = options
    assert judge(reading, ("seccomp-profile",), NEVER).status == status


def test_a_custom_seccomp_profile_must_be_the_one_in_force(reading: dict[str, Any]) -> None:
    put(reading, "file", "seccomp-profile", "/a.json")
    put(reading, "read", "seccomp-profile", "/a.json")
    assert judge(reading, ("seccomp-profile",), "/a.json").status == "fail"
    reading["info"]["SecurityOptions"] = ["name=seccomp,profile=/a.json"]
    assert judge(reading, ("seccomp-profile",), "/a.json").status == "pass"


def test_leaves_of_limits_are_whole_limits_and_wishes_are_leaves() -> None:
    limit = {"Name": "nofile", "Soft": 1, "Hard": 2}
    options = {"default-ulimits": {"nofile": limit}, "log-opts": {"max-file": "5"}, "x": NEVER}
    assert dict(leaves(options)) == {
        ("default-ulimits", "nofile"): limit,
        ("log-opts", "max-file"): "5",
        ("x",): NEVER,
    }


@pytest.mark.parametrize(
    ("value", "wish", "expected"),
    [
        (True, True, True),
        (1, True, False),
        ("true", True, False),
        (ABSENT, False, False),
        (ABSENT, {"never": [True]}, True),
        (True, {"never": [True]}, False),
        (1, {"never": [True]}, True),
        (options_in_force.UNKNOWN, {"never": [True]}, False),
    ],
)
def test_values_are_compared_as_json(value: Any, wish: Any, expected: bool) -> None:
    assert fulfils(value, wish) is expected


WITHOUT = {"without": ["*", "!localhost:*"]}


@pytest.mark.parametrize(
    ("value", "expected"),
    [(ABSENT, True), ([], True), (["localhost:5000"], True), (["a:1"], False), ("text", False)],
)
def test_a_wish_without_patterns(value: Any, expected: bool) -> None:
    assert fulfils(value, WITHOUT) is expected


@pytest.mark.parametrize(
    ("version", "option", "status"),
    [("2", "name=cgroupns", "pass"), ("1", "", "fail"), ("1", "name=cgroupns", "fail")],
)
def test_what_is_private_by_default_depends_on_the_hierarchy(
    reading: dict[str, Any], version: str, option: str, status: str
) -> None:
    """The last is private now, by an order that the next start does not have."""
    reading["info"]["CgroupVersion"] = version
    reading["info"]["SecurityOptions"] += [option] if option else []
    assert judge(reading, ("default-cgroupns-mode",), "private").status == status
