"""What the job gets to return to."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import hardhost_state as states
from ansible.module_utils import hardhost_unit as units

from tests.unit.roles.hosts import Json, container, facts, module

docker_restart = module("docker_restart", "docker_restart")
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="files are given to root")
NEWER = {"age": 2.0**40, "pid": 7, "started": 1}  # seconds: the daemon is older than any file


def job(host: Json) -> Json:
    parameters: dict[str, Any] = {"run": "r1", "holder": "ops@bastion", "timeout": 120, "image": {}}
    found: Json = docker_restart.describe_job(host, parameters, "restart")
    return found


def test_the_file_in_force(state_directory: Path) -> None:
    host = facts({"icc": False})
    found = job(host)
    assert states.kept(found["wanted"]) == host["daemon_json"]["data"]
    assert found["old"] == {"blob": found["wanted"], "described": host["daemon_json"]["described"]}


def test_no_file(state_directory: Path) -> None:
    assert job(facts())["old"] == {"blob": None, "described": None}


def test_where_no_daemon_runs_there_is_one_file_alone(state_directory: Path) -> None:
    host = facts({"userns-remap": "default"}, process=None)
    found = job(host)
    assert states.kept(found["wanted"]) == states.kept(found["old"]["blob"])
    assert (found["process"], found["stop_first"], found["data_root_changes"]) == (
        None,
        False,
        False,
    )


def started_with(host: Json, data: bytes) -> Json:
    """The host, its dockerd recorded as started with these bytes."""
    process = {"boot": units.boot(), "pid": host["process"]["pid"], "started": 1}
    host["state"]["daemon"] = {**process, "file": states.keep(data)}
    return host


def test_the_kept_original_with_its_owner_and_mode(state_directory: Path) -> None:
    before = {"present": True, "blob": states.keep(b"{}"), "uid": 0, "gid": 0, "mode": 0o600}
    host = started_with(facts({"icc": False}, process=NEWER), b"{}")
    host["state"]["files"] = {"/etc/docker/daemon.json": {"before": before, "written": ""}}
    assert job(host)["old"] == {"blob": before["blob"], "described": before}


def ordered(**planned: Any) -> Json:
    """The operator's word, with what preflight foresaw."""
    order: Json = {"policy": "when_needed", "window": {}, "stop_containers": True}
    return {**order, "planned": planned, "run": "r1", "timeout": 120}


def test_no_restart_into_a_file_that_no_daemon_was_seen_to_start_with(
    state_directory: Path,
) -> None:
    """Nothing says that a daemon ran with what somebody wrote there: no way back."""
    host = facts({"icc": False}, process=NEWER)
    order = ordered()
    assert "by hand first" in docker_restart.withheld(host, order, "restart")
    proved = started_with(host, b"{}")
    assert docker_restart.withheld(proved, order, "restart") == ""


CLOSED = "the restart window (Sun 02:00 for 3h) is closed"
KEPT = f"it was withheld when this run began: {CLOSED}; run again"


@pytest.mark.parametrize(
    ("options", "planned", "pending"),
    [
        ({"icc": False}, {"needed": "restart", "allowed": False, "reason": CLOSED}, KEPT),
        ({"icc": False}, {"needed": "reload", "allowed": False, "reason": CLOSED}, KEPT),
        ({"icc": False}, {"needed": "restart", "allowed": True, "reason": ""}, ""),
        ({"icc": False}, {"needed": "none", "allowed": True, "reason": ""}, ""),
        ({"icc": False}, {}, ""),
        ({"debug": True}, {"needed": "reload", "allowed": False, "reason": CLOSED}, ""),
    ],
)
@pytest.mark.parametrize("check_mode", [False, True])
def test_a_restart_that_was_announced_as_withheld_stays_withheld(
    options: Json,
    planned: Json,
    pending: str,
    check_mode: bool,
    state_directory: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was in its way has cleared, and nobody was drained for it. A reload needs no drain."""
    host, launched = started_with(facts(options, process=NEWER), b"{}"), []
    done = {"outcome": "done", "notes": []}
    monkeypatch.setattr(docker_restart.hardhost_facts, "collect", lambda: host)
    monkeypatch.setattr(docker_restart.hardhost_unit, "job_runs", lambda: False)
    monkeypatch.setattr(docker_restart, "make_sure_of_room", lambda _path: None)
    monkeypatch.setattr(docker_restart, "launch", lambda *_given: launched.append(host))
    monkeypatch.setattr(docker_restart, "wait", lambda *_given: done)
    answer = docker_restart.apply(ordered(**planned), check_mode)
    assert (answer["pending"], answer["changed"]) == (pending, not pending)
    assert bool(launched) is not (bool(pending) or check_mode)


def test_the_job_knows_whether_a_reload_costs_authorization(state_directory: Path) -> None:
    flags = {"running": ["/usr/sbin/dockerd", "--authorization-plugin=opa"]}
    assert (job(facts(arguments=flags))["reloads"], job(facts())["reloads"]) == (False, True)


def test_switching_to_user_namespaces_stops_containers_first(state_directory: Path) -> None:
    host = started_with(facts({"userns-remap": "default"}, process=NEWER), b"{}")
    assert (job(host)["stop_first"], job(facts())["stop_first"]) == (True, False)


def test_the_time_that_containers_get_to_stop_is_time_of_the_job(state_directory: Path) -> None:
    """systemd would end it before they have stopped, and start it again."""
    busy = [container("a", stop_timeout=900), container("b"), container("off", running=False)]
    moving = started_with(
        facts({"userns-remap": "default"}, process=NEWER, containers=busy),
        b'{"default-stop-timeout": 300}',
    )
    quiet = started_with(facts({"userns-remap": "default"}, process=NEWER), b"{}")
    assert job(moving)["stop_timeout"] == 300
    assert job(moving)["longest"] - job(quiet)["longest"] >= 900 + 300


def test_so_is_the_time_to_start_them(state_directory: Path) -> None:
    """On the way forwards, and on the way back after it."""
    busy = [container(str(number)) for number in range(150)]
    assert job(facts(containers=busy))["longest"] >= job(facts())["longest"] + 2 * 150 * 60


def test_the_storage_driver_in_force_stops_nothing_first(state_directory: Path) -> None:
    wanted = {"storage-driver": "overlay2"}
    stops = [
        job(started_with(facts(wanted, process=NEWER, info={"Driver": driver}), b"{}"))[
            "stop_first"
        ]
        for driver in ("overlay2", "btrfs")
    ]
    assert stops == [False, True]


@pytest.mark.parametrize(
    ("outcome", "text"),
    [
        ("returned", "the old daemon.json is in force again"),
        ("down", "DOCKER IS DOWN"),
        ("broken", "run again"),
    ],
)
def test_the_operator_reads_how_things_stand_first(outcome: str, text: str) -> None:
    words = docker_restart.worded(
        {"outcome": outcome, "message": "it did not start", "notes": ["and this"]}
    )
    assert text in words
    assert words.endswith("What happened: it did not start; and this")


@pytest.mark.parametrize("at_work", [False, True])
def test_what_a_power_cut_left_of_the_boot_unit_goes_with_the_next_run(
    at_work: bool, tmp_path: Path, state_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its link was gone and its file was not; while a job is at work, both are its own."""
    left = tmp_path / "hardhost-restart-at-boot.service"
    left.touch()
    boot = docker_restart.hardhost_restart_job
    monkeypatch.setattr(boot, "BOOT_PATH", str(left))
    monkeypatch.setattr(boot, "BOOT_LINK", str(tmp_path / "none"))
    monkeypatch.setattr(docker_restart.hardhost_unit, "job_runs", lambda: at_work)
    docker_restart.settle({"run": "r1"}, facts({}))
    assert left.exists() is at_work
