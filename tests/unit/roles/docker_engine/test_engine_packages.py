"""What was announced is upgraded and nothing else; a replaced dockerd is to be restarted, once."""

from __future__ import annotations

import contextlib
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
        monkeypatch.setattr(running, "ask_for_restart", lambda *given: self.whys.append(given[2]))
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


class Containerd:
    """A host on which containerd was replaced, and what is asked of systemd."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, mode: str = "process") -> None:
        self.done: list[list[str]] = []
        self.looks = [{}, {"containerd": "1.7.24"}]
        components = engine_packages.components
        monkeypatch.setattr(components, "service_replaced", lambda: "it was replaced")
        monkeypatch.setattr(components, "kill_mode", lambda: mode)
        monkeypatch.setattr(components, "in_use", lambda _facts: self.looks.pop(0))
        monkeypatch.setattr(engine_packages, "PAUSE", 0)
        monkeypatch.setattr(
            engine_packages.packages, "output", lambda words, _seconds: self.done.append(words)
        )


def test_a_containerd_that_was_replaced_is_started_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the run goes on only when dockerd has found it again."""
    Asked(monkeypatch, facts())
    containerd, answer = Containerd(monkeypatch), engine_packages.nothing()
    only = dict(given(), controls=["docker_engine/engine_running_updated"])
    engine_packages.apply(only, answer)
    assert containerd.done == [["systemctl", "restart", "containerd.service"]]
    assert containerd.looks == []
    assert answer["restarted"] == ["containerd.service"]


def test_a_unit_whose_restart_would_end_containers_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Asked(monkeypatch, facts())
    containerd = Containerd(monkeypatch, mode="control-group")
    with pytest.raises(engine_packages.PackagesError, match="KillMode of its unit"):
        engine_packages.restart_containerd(given(), engine_packages.nothing())
    assert containerd.done == []
