"""Records and times tell whether a daemon.json is in force, its keys which step brings it there."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import hardhost_running as running
from ansible.module_utils import hardhost_state as states

from tests.unit.roles.hosts import facts

NEW, OLD = b'{"icc": false}', b'{"icc": true}'
PROCESS = {"pid": 7, "started": 100, "age": 1000.0}


def described(age: float) -> dict[str, int]:
    """A file that was written so many seconds ago."""
    import time  # noqa: PLC0415

    return {"uid": 0, "gid": 0, "mode": 0o644, "mtime_ns": int((time.time() - age) * 1e9)}


def recorded(data: bytes, **changed: Any) -> dict[str, Any]:
    daemon = {"boot": "b", "pid": 7, "started": 100, "file": hashlib.sha256(data).hexdigest()}
    return {**states.empty(), "daemon": {**daemon, **changed}}


def in_force(
    data: bytes | None, state: dict[str, Any], directory: Path, age: float = 5
) -> bytes | None:
    file = described(age) if data is not None else None
    found: bytes | None = running.in_force(data, file, PROCESS, "b", state, str(directory))
    return found


def test_a_file_older_than_the_daemon_is_in_force(tmp_path: Path) -> None:
    assert in_force(NEW, states.empty(), tmp_path, age=2000) == NEW


def test_a_file_newer_than_the_daemon_may_or_may_not_be(tmp_path: Path) -> None:
    assert in_force(NEW, states.empty(), tmp_path, age=10) is None


def test_without_a_file_the_daemon_runs_with_none(tmp_path: Path) -> None:
    assert in_force(None, states.empty(), tmp_path) == b""


def test_the_record_of_this_start_counts_more_than_times(tmp_path: Path) -> None:
    assert in_force(NEW, recorded(NEW), tmp_path, age=10) == NEW


def test_the_record_brings_back_what_the_daemon_had_read(tmp_path: Path) -> None:
    states.keep(OLD, str(tmp_path))
    assert in_force(NEW, recorded(OLD), tmp_path, age=2000) == OLD


@pytest.mark.parametrize("other", [{"boot": "another"}, {"pid": 8}, {"started": 101}])
def test_the_record_of_another_start_says_nothing(other: dict[str, Any], tmp_path: Path) -> None:
    assert in_force(NEW, recorded(NEW, **other), tmp_path, age=10) is None
    assert in_force(NEW, recorded(OLD, **other), tmp_path, age=2000) == NEW


def test_a_lost_copy_is_an_error_and_no_guess(tmp_path: Path) -> None:
    with pytest.raises(states.StateError):
        in_force(NEW, recorded(OLD), tmp_path)


def test_nothing_is_known_where_nothing_runs() -> None:
    assert running.known(facts(process=None)) is None
    assert running.accepted(facts(process=None)) == {}


def test_accepted_is_what_the_daemon_started_with() -> None:
    assert running.accepted(facts({"icc": False})) == {"icc": False}


@pytest.mark.parametrize(
    ("before", "after", "step", "keys"),
    [
        (b"{}", b"", "none", []),
        (NEW, b'{\n "icc" : false }', "none", []),
        (b"{}", NEW, "restart", ["icc"]),
        (NEW, b"{}", "restart", ["icc"]),
        (b"{}", b'{"live-restore": true}', "reload", ["live-restore"]),
        (b'{"live-restore": true}', b"{}", "reload", ["live-restore"]),
        (b'{"debug": true}', b'{"debug": false}', "reload", ["debug"]),
        (b'{"labels": ["a"]}', b'{"labels": ["b"]}', "reload", ["labels"]),
        (b'{"labels": ["a"]}', b"{}", "restart", ["labels"]),
        (b"{}", b'{"live-restore": true, "icc": false}', "restart", ["icc", "live-restore"]),
        (b'{"debug": 1}', b'{"debug": true}', "reload", ["debug"]),
        (b"{}", b'{"mystery": 1}', "restart", ["mystery"]),
        (None, NEW, "restart", ["daemon.json is newer than the daemon"]),
        (b"{", NEW, "restart", ["daemon.json"]),
    ],
)
def test_the_mildest_step_that_is_enough(
    before: bytes | None, after: bytes, step: str, keys: list[str]
) -> None:
    assert running.step(before, after) == (step, keys)


def test_plugins_of_a_flag_outlast_no_reload() -> None:
    """dockerd takes those of the file then, and there are none."""
    named = facts(arguments={"running": ["/usr/sbin/dockerd", "--authorization-plugin=opa"]})
    assert (running.reloads(named), running.reloads(facts())) == (False, True)
    steps = [
        running.step(b"{}", wanted, None, running.reloads(named))
        for wanted in (b"{}", b'{"debug": true}', NEW)
    ]
    assert steps == [
        ("none", []),
        ("restart", ["debug", running.NO_RELOAD]),
        ("restart", ["icc"]),
    ]


@pytest.mark.parametrize(
    ("flag", "step"), [([], "reload"), (["--authorization-plugin", "a"], "none")]
)
def test_a_live_restore_that_no_reload_switches_off_asks_for_nothing(
    flag: list[str], step: str
) -> None:
    """A restart would keep it on, and so would the next one."""
    host = facts(
        info={"LiveRestoreEnabled": True}, arguments={"running": ["/usr/sbin/dockerd", *flag]}
    )
    found = running.step(b"{}", b"{}", running.shown(host), running.reloads(host))
    assert found[0] == step
    host["info"]["LiveRestoreEnabled"] = False
    wanted = b'{"live-restore": true}'
    found = running.step(wanted, wanted, running.shown(host), running.reloads(host))
    assert found[0] == ("restart" if flag else "reload")


def test_the_address_of_the_bridge_counts_once_no_container_holds_it() -> None:
    """A restart with containers keeps the old one, whatever the file says."""
    bridge = {"com.docker.network.bridge.host_binding_ipv4": "0.0.0.0"}
    seen = running.shown(facts(bridge=bridge))
    assert seen["ip"] == "0.0.0.0"
    wanted = b'{"ip": "127.0.0.1"}'
    assert running.step(wanted, wanted, seen) == ("restart", ["ip"])
    assert running.step(b"{}", b"{}", seen) == ("none", [])


def test_a_mode_that_somebody_reloaded_is_brought_back() -> None:
    """The file is as it was at the start, and the daemon is not: only it can tell."""
    wanted = b'{"default-cgroupns-mode": "private"}'
    shared = facts(info={"SecurityOptions": ["name=seccomp,profile=default"]})
    private = facts(info={"SecurityOptions": ["name=cgroupns"]})
    assert running.step(wanted, wanted, running.shown(shared)) == (
        "reload",
        ["default-cgroupns-mode"],
    )
    assert running.step(wanted, wanted, running.shown(private)) == ("none", [])
    assert running.step(b"{}", b"{}", running.shown(private)) == ("none", [])
    assert running.step(b"{}", b"{}", running.shown(shared)) == ("none", [])


def test_what_was_asked_for_survives_a_record_of_the_same_process(
    state_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """daemon.json is written after a role has asked, and may need a reload only."""
    monkeypatch.setattr(running.units, "boot", lambda: "b")
    host = facts(process=PROCESS)
    running.ask_for_restart(host["state"], host, "AppArmor", "a/b")
    running.note(host["state"], PROCESS, OLD)
    assert running.due(host) == "AppArmor"
    running.note(host["state"], {**PROCESS, "started": 101}, OLD)
    assert running.due({**host, "process": {**PROCESS, "started": 101}}) == ""


def test_what_was_asked_for_goes_with_the_control_that_asked(
    state_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is foreseen, before it is done."""
    monkeypatch.setattr(running.units, "boot", lambda: "b")
    host = facts(process=PROCESS)
    running.ask_for_restart(host["state"], host, "AppArmor", "a/b")
    assert running.due(host, {"a/b"}) == ""
    assert running.due(host, {"a/c"}) == "AppArmor"
    running.ask_no_more(host["state"], {"a/c"})
    assert running.due(host) == "AppArmor"
    running.ask_no_more(host["state"], {"a/b"})
    assert running.due(host) == ""
    assert set(host["state"]["daemon"]) == {"boot", "pid", "started", "file", "drop_ins"}
    running.ask_no_more(facts()["state"], {"a/b"})
