"""What was announced is upgraded and nothing else; a replaced dockerd is to be restarted, once."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest

from tests.unit.roles.hosts import facts, module

engine_packages = module("docker_engine", "engine_packages")

NEWER = {"name": "docker.io", "before": "26.1.5", "after": "26.1.6"}
CHANGE = {"what": "package docker.io", "before": "26.1.5", "after": "26.1.6", "restart": "why"}
LISTS = {"what": "package lists", "before": "none", "after": "refreshed"}


def given(*announced: dict[str, str]) -> dict[str, Any]:
    inputs = {
        "preflight_package_lock_timeout": 1,
        "preflight_package_lists_valid": 1,
        "docker_engine_accept_major": False,
    }
    return {
        "controls": ["docker_engine/engine_updated"],
        "announced": list(announced),
        "last": False,
        "inputs": inputs,
        "os": {"family": "debian"},
        "run": "run",
        "holder": "holder",
    }


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was installed, on a host whose lists offer one newer engine."""
    found: list[Any] = []
    plan = {"todo": [NEWER], "held": [], "major": "", "pin": {}, "problem": ""}
    monkeypatch.setattr(engine_packages.work, "wait_for_locks", lambda _seconds: None)
    monkeypatch.setattr(engine_packages.work, "refresh_where_old", lambda *_: True)
    monkeypatch.setattr(engine_packages.surface, "plan", lambda *_: plan)
    monkeypatch.setattr(engine_packages, "install", lambda todo, *_: found.append(todo))
    monkeypatch.setattr(engine_packages.hardhost_facts, "collect_local", facts)
    return found


def test_what_was_announced_is_upgraded(done: list[Any]) -> None:
    answer = engine_packages.nothing()
    engine_packages.apply(given(CHANGE), answer)
    assert done == [[NEWER]]
    assert not answer["again"]


@pytest.mark.parametrize("announced", [LISTS, {**CHANGE, "after": "26.1.5.1"}])
def test_what_turns_up_is_judged_first(done: list[Any], announced: dict[str, str]) -> None:
    """Nobody has said yet that its restart may happen."""
    answer = engine_packages.nothing()
    engine_packages.apply(given(announced), answer)
    assert done == []
    assert (answer["again"], answer["refreshed"]) == (True, True)


def test_what_turns_up_when_nobody_judges_it_any_more_is_said(done: list[Any]) -> None:
    answer = engine_packages.nothing()
    asked = given({**CHANGE, "after": "26.1.5.1"})
    engine_packages.apply(asked, answer)
    assert engine_packages.unsaid(asked, answer) == []
    (said,) = engine_packages.unsaid({**asked, "last": True}, answer)
    assert "docker.io=26.1.6" in said


class Asked:
    """The restarts that were asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, host: dict[str, Any]) -> None:
        self.whys: list[str] = []
        running, state = engine_packages.running, {"lease": None}
        monkeypatch.setattr(engine_packages.hardhost_facts, "collect_local", lambda: host)
        leased = contextlib.nullcontext(state)
        monkeypatch.setattr(engine_packages.states, "work", lambda *_: leased)
        monkeypatch.setattr(running, "ask_for_restart", lambda _s, _f, why: self.whys.append(why))
        monkeypatch.setattr(running.units, "boot", lambda: "this boot")


def replaced() -> dict[str, Any]:
    process = {"pid": 1, "started": 1, "executable": "/usr/sbin/dockerd (deleted)"}
    return facts(process=process, engine={"running": True, "version": "1", "on_disk": "2"})


def test_a_daemon_that_was_replaced_is_to_be_restarted(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Asked(monkeypatch, replaced())
    only = dict(given(), controls=["docker_engine/engine_running_updated"])
    engine_packages.apply(only, engine_packages.nothing())
    assert asked.whys == ["dockerd 1 runs, and was replaced by 2 since"]


def test_an_upgrade_that_breaks_off_still_asks(
    monkeypatch: pytest.MonkeyPatch, done: list[Any]
) -> None:
    asked = Asked(monkeypatch, replaced())

    def breaks_off(*_: Any) -> None:
        raise engine_packages.PackagesError("half-way")

    monkeypatch.setattr(engine_packages, "install", breaks_off)
    with pytest.raises(engine_packages.PackagesError):
        engine_packages.apply(given(CHANGE), engine_packages.nothing())
    assert len(asked.whys) == 1


def test_nobody_is_asked_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    host = replaced()
    record = {"boot": "this boot", "pid": 1, "started": 1, "file": "", "due": "asked already"}
    host["state"]["daemon"] = record
    asked = Asked(monkeypatch, host)
    engine_packages.ask_for_restart(given())
    assert asked.whys == []


@pytest.fixture
def policy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    path = tmp_path / "policy-rc.d"
    owner = {"uid": path.parent.stat().st_uid, "gid": path.parent.stat().st_gid}
    replace = engine_packages.files.replace
    monkeypatch.setattr(engine_packages, "POLICY", str(path))
    monkeypatch.setattr(
        engine_packages.files, "replace", lambda p, data, d: replace(p, data, {**d, **owner})
    )
    monkeypatch.setattr(engine_packages.work, "at_work", lambda: False)
    return path


def test_packages_do_not_restart_dockerd_while_they_are_installed(policy: Path) -> None:
    with engine_packages.no_restart_by_packages():
        assert policy.read_bytes() == engine_packages.TEXT
        assert policy.stat().st_mode & 0o777 == 0o755
    assert not policy.exists()


def test_the_policy_outlasts_a_run_that_packages_outlast(
    policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_packages.work, "at_work", lambda: True)
    with engine_packages.no_restart_by_packages():
        pass
    assert policy.exists()
    monkeypatch.setattr(engine_packages.work, "at_work", lambda: False)
    with engine_packages.no_restart_by_packages():
        pass
    assert not policy.exists()


def test_a_policy_of_somebody_else_stays(policy: Path) -> None:
    policy.write_text("#!/bin/sh\nexit 101\n")
    with engine_packages.no_restart_by_packages():
        assert policy.read_text() == "#!/bin/sh\nexit 101\n"
    assert policy.read_text() == "#!/bin/sh\nexit 101\n"
