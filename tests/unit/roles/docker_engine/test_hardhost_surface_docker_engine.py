"""Advisories by version and changelog, pins, major versions, and who holds an upgrade back."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import hardhost_advisories as advisories
from ansible.module_utils import hardhost_decisions as decisions
from ansible.module_utils import hardhost_running as running
from ansible.module_utils import hardhost_surface_docker_engine as surface

from tests.unit.roles.hosts import facts

MASKED_PATHS = next(one for one in advisories.ADVISORIES if one["cve"] == "CVE-2025-31133")
NEWER = {"name": "docker.io", "before": "26.1.5", "after": "26.1.6"}


@pytest.mark.parametrize(
    ("version", "affected"),
    [
        ("1.1.15+ds1", True),
        ("1.2.7", True),
        ("1.2.8", False),
        ("1.3.2", True),
        ("1.3.3", False),
        ("1.4.0-rc.2", True),
        ("1.4.0-rc.3", False),
        ("1.4.0", False),
        ("1.5.0", False),
        ("1.0.0~rc93+ds1", True),
    ],
)
def test_a_version_is_judged_by_its_own_line(version: str, affected: bool) -> None:
    assert advisories.affected(version, MASKED_PATHS) is affected


def test_what_never_had_the_fault_is_not_affected() -> None:
    unpack = next(one for one in advisories.ADVISORIES if one["cve"] == "CVE-2025-47290")
    assert not advisories.affected("1.7.24", unpack)
    assert advisories.affected("2.1.0", unpack)


def test_a_changelog_that_names_the_cve_counts_as_fixed() -> None:
    versions = {"engine": "29.9.0", "containerd": "2.3.5", "runc": "1.1.15+ds1-2"}
    found = {one["cve"] for one in advisories.findings(versions, {})}
    assert {"CVE-2025-31133", "CVE-2025-52565", "CVE-2025-52881"} <= found
    changelog = {"runc": "  * CVE-2025-31133: mask paths\n  * CVE-2025-528810\n"}
    left = {one["cve"] for one in advisories.findings(versions, changelog)}
    assert found - left == {"CVE-2025-31133"}


def test_the_newest_components_have_nothing_open() -> None:
    versions = {"engine": "29.9.0", "containerd": "2.3.5", "runc": "1.4.4"}
    assert advisories.findings(versions, {}) == []


def test_every_advisory_is_whole() -> None:
    for key in ("cve", "advisory"):
        assert len({one[key] for one in advisories.ADVISORIES}) == len(advisories.ADVISORIES)
    for one in advisories.ADVISORIES:
        assert one["component"] in advisories.COMPONENTS
        assert re.fullmatch(r"GHSA(-[23456789cfghjmpqrvwx]{4}){3}", one["advisory"])
        assert all(advisories.number(version) for version in one["fixed"])
        assert one["effect"]


def found(**changed: Any) -> dict[str, Any]:
    return {"todo": [NEWER], "held": [], "major": "", "pin": {}, "problem": "", **changed}


def test_what_an_operator_has_to_decide() -> None:
    given = {"docker_engine_accept_major": False}
    assert surface.undecided(found(), given) is None
    assert "on hold" in surface.undecided(found(held=[NEWER]), given)["reason"]
    assert "26 -> 29" in surface.undecided(found(major="26 -> 29"), given)["reason"]
    accepted = {"docker_engine_accept_major": True}
    assert surface.undecided(found(major="26 -> 29"), accepted) is None


def test_a_major_jump_is_the_engines_or_containerds() -> None:
    jump = {**NEWER, "after": "29.1.3-0ubuntu3"}
    assert surface.major_jump([jump]) == "docker.io 26 -> 29"
    assert surface.major_jump([{**jump, "before": "5:26.1.5-1", "after": "5:26.1.6-1"}]) == ""
    containerd = {"name": "containerd.io", "before": "1.7.29-1", "after": "2.2.1-1"}
    assert surface.major_jump([containerd]) == "containerd.io 1 -> 2"
    assert surface.major_jump([{**jump, "name": "runc"}]) == ""


PIN = {"version": "26.1", "until": "2027-01-31", "reason": "a driver"}
OFFERED = {"docker.io": {"versions": [["26.1.5", ["x"]], ["20.10.24", ["x"]]]}}


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({}, ""),
        ({"until": "2026-01-31"}, "has ended"),
        ({"until": "soon"}, "has ended"),
        ({"reason": ""}, "needs version, until"),
        ({"version": "28"}, "no repository offers 28"),
        ({"version": "20.10"}, "nothing is ever downgraded"),
    ],
)
def test_a_pin_has_a_day_and_a_reason_and_never_downgrades(
    changed: dict[str, str], says: str
) -> None:
    problem = surface.wrong_pin({**PIN, **changed}, {"docker.io": "26.1.5"}, OFFERED, "2026-11-21")
    assert says in problem
    assert bool(says) == bool(problem)


def test_a_pin_means_one_version_before_all_that_begin_like_it() -> None:
    offered = {"versions": [["26.1.5+2", ["x"]], ["26.1.5", ["x"]], ["5:26.1.4", ["x"]]]}
    assert surface.pinned({"version": "26.1.5"}, offered) == "26.1.5"
    assert surface.pinned({"version": "26.1"}, offered) == "26.1.5+2"
    assert surface.pinned({"version": "26.1.4"}, offered) == "5:26.1.4"
    assert surface.pinned({"version": "27"}, offered) == ""


def replaced(**engine: str) -> dict[str, Any]:
    process = {"pid": 1, "started": 1, "executable": "/usr/sbin/dockerd (deleted)"}
    return facts(process=process, engine={"running": True, "version": "26.1.5", **engine})


def test_a_daemon_that_was_replaced_is_told() -> None:
    assert "26.1.5 runs, and was replaced by 26.1.6" in running.outdated(replaced(on_disk="26.1.6"))
    host = replaced(on_disk="26.1.6")
    host["process"]["executable"] = "/usr/sbin/dockerd"
    assert running.outdated(host) == "dockerd 26.1.5 runs, 26.1.6 is installed"
    host["engine"]["on_disk"] = "26.1.5"
    assert running.outdated(host) == ""
    assert running.outdated({**host, "process": None}) == ""


def decision(**changed: Any) -> dict[str, Any]:
    change = surface.upgrade_of(NEWER)
    found = {"decision": "apply", "reason": "", "remedy": "", "changes": [change], "settings": {}}
    return {decisions.UPGRADE: {**found, **changed}}


def test_an_upgrade_of_the_engine_needs_its_restart() -> None:
    answer = decisions.restart(decision(), facts(), {}, [])
    assert answer["needed"] == "restart"
    assert answer["why"] == ["docker.io -> 26.1.6"]
    assert decisions.restart(decision(changes=[]), facts(), {}, [])["needed"] == "none"
    runc = [surface.upgrade_of({**NEWER, "name": "runc"})]
    assert decisions.restart(decision(changes=runc), facts(), {}, [])["needed"] == "none"
    held = decisions.restart(decision(decision="pending"), facts(), {}, [])
    assert held["needed"] == "none"


@pytest.mark.parametrize("control", [surface.UPDATED, surface.RUNNING])
def test_a_daemon_that_was_replaced_is_announced_as_a_restart(
    control: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(surface, "upgrades", lambda *_: [])
    (change,) = surface.changes({"id": control, "settings": {}}, replaced(on_disk="26.1.6"), {})
    assert "was replaced by 26.1.6" in change["restart"]
    assert surface.changes({"id": control, "settings": {}}, facts(), {}) == []


def test_a_containerd_that_was_replaced_is_announced_without_a_restart_of_dockerd(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(surface.components, "service_replaced", lambda: "replaced")
    (change,) = surface.changes({"id": surface.RUNNING, "settings": {}}, facts(), {})
    assert change == {"what": "containerd", "before": "replaced", "after": "restarted"}
    assert surface.observe(facts(), {}, {surface.RUNNING: {}})[surface.RUNNING] == {
        "why": "",
        "containerd": "replaced",
        "problem": "",
    }


def test_a_replaced_containerd_is_seen_in_its_process(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "containerd"
    program.touch()
    process = {"executable": f"{program} (deleted)"}
    monkeypatch.setattr(surface.components.units, "show", lambda _unit: {"MainPID": "7"})
    monkeypatch.setattr(surface.components.units, "process", lambda _pid: process)
    assert "was replaced" in surface.components.service_replaced()
    program.unlink()
    assert surface.components.service_replaced() == "", "nothing is there to start"
    process["executable"] = str(program)
    assert surface.components.service_replaced() == ""
    monkeypatch.setattr(surface.components.units, "show", lambda _unit: {"MainPID": "0"})
    assert surface.components.service_replaced() == ""


def test_a_restart_that_is_due_holds_no_upgrade_back_that_was_made() -> None:
    why = "dockerd 26.1.5 runs, 26.1.6 is installed"
    due = {"what": "dockerd", "before": why, "after": "restarted", "restart": why}
    planned = decision(changes=[due])
    assert decisions.restart(planned, facts(), {}, [])["why"] == [why]
    assert not decisions.hold_upgrade(planned, {"allowed": False, "reason": "containers run"})
    assert planned[decisions.UPGRADE]["decision"] == "apply"


def test_a_restart_that_a_control_asked_for_is_not_foreseen_where_it_is_taken_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(running.units, "boot", lambda: "b")
    record = {"boot": "b", "pid": 1, "started": 1, "file": "", "drop_ins": {}}
    host = facts(state={"daemon": {**record, "due": "AppArmor", "due_for": "a/b"}})
    monkeypatch.setattr(running, "known", lambda _facts: b"")
    assert decisions.restart({}, host, {}, [])["why"] == ["AppArmor"]
    assert decisions.restart({}, host, {}, [], taken_back={"a/b"})["needed"] == "none"


def test_an_upgrade_waits_with_its_restart() -> None:
    planned = decision()
    assert not decisions.hold_upgrade(planned, {"allowed": True, "reason": ""})
    assert decisions.hold_upgrade(planned, {"allowed": False, "reason": "containers run"})
    found = planned[decisions.UPGRADE]
    assert (found["decision"], found["reason"], found["changes"]) == (
        "pending",
        "containers run",
        [],
    )


def test_apt_is_asked_once_for_each_reading_of_a_host(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    plan = {"todo": [NEWER], "held": [], "major": "", "pin": {}, "problem": "", "offered": True}
    monkeypatch.setattr(surface, "today", lambda: "2026-11-22")
    monkeypatch.setattr(surface, "plan", lambda *_: asked.append("apt") or plan)
    one, other = facts(surfaces={"docker_engine": {}}), facts(surfaces={"docker_engine": {}})
    assert surface.planned(one, {}) == surface.planned(one, {}) == plan
    assert asked == ["apt"]
    surface.planned(other, {})
    assert asked == ["apt", "apt"]
