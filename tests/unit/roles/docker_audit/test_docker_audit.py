"""The rules file: what is recorded before it is written, and what of others stays in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import hardhost_audit_rules as audit_rules
from ansible.module_utils import hardhost_state as states

from tests.unit.roles.hosts import facts, module

docker_audit = module("docker_audit", "docker_audit")
undo = module("undo", "undo")
ONE, OTHER = "docker_audit/etc_docker", "docker_audit/dockerd"
RULES = {
    ONE: ["-w /etc/docker -p wa -k hardhost-etc_docker"],
    OTHER: ["-w /usr/sbin/dockerd -p wxa -k hardhost-dockerd"],
}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "00-hardhost.rules"
    monkeypatch.setattr(audit_rules, "PATH", str(path))
    monkeypatch.setattr(audit_rules, "MERGED", str(tmp_path / "audit.rules"))
    # No program of auditd, and no kernel: this is about files.
    monkeypatch.setattr(audit_rules, "PROGRAMS", str(tmp_path))
    monkeypatch.setattr(audit_rules, "status", lambda: {"error": 1, "enabled": 0, "pid": 0})
    return path


def todo(*controls: str) -> dict[str, Any]:
    return {
        one: {"rules": RULES[one], "files": [], "unkept": True, "unloaded": True, "unlocked": False}
        for one in controls
    }


def written(*controls: str) -> None:
    with states.work("run", "me") as state:
        one = todo(*controls)
        docker_audit.write(state, one, docker_audit.candidate(one, "3.0.9"), "run")


def test_rules_are_recorded_per_control(file: Path, state_directory: Path) -> None:
    written(ONE, OTHER)
    found = {change["control"]: change for change in states.load()["changes"]}
    assert found.keys() == {ONE, OTHER}
    assert found[ONE]["kind"] == "audit_rules"
    assert found[ONE]["before"] == {"present": False, "rules": []}
    assert found[ONE]["after"]["rules"] == RULES[ONE]
    assert file.stat().st_mode & 0o777 == 0o640


def test_rules_of_controls_that_are_not_applied_now_stay(file: Path, state_directory: Path) -> None:
    written(ONE)
    written(OTHER)
    assert audit_rules.of_file(ONE) == RULES[ONE]
    assert audit_rules.of_file(OTHER) == RULES[OTHER]


def taken_back(scope: str, *controls: str) -> Any:
    host = facts(state=states.load())
    work = undo.Work(
        host,
        {
            "scope": scope,
            "decisions": {},
            "controls": list(controls),
            "inputs": {},
            "scope_run": "",
            "conflicts": "stop",
        },
    )
    work.plan()
    with states.work("run", "me") as work.state:
        work.do()
    return work


def test_one_control_is_taken_back_alone(file: Path, state_directory: Path) -> None:
    written(ONE, OTHER)
    assert taken_back("controls", ONE).undone == [f"the audit rules of {ONE}"]
    assert audit_rules.of_file(ONE) == []
    assert audit_rules.of_file(OTHER) == RULES[OTHER]
    assert [change["control"] for change in states.load()["changes"]] == [OTHER]


def test_with_its_last_rule_the_file_goes(file: Path, state_directory: Path) -> None:
    written(ONE, OTHER)
    taken_back("all")
    assert not file.exists()
    assert states.load()["changes"] == []


def test_rules_that_somebody_changed_are_a_conflict(file: Path, state_directory: Path) -> None:
    written(ONE, OTHER)
    file.write_text(file.read_text().replace("/etc/docker -p wa", "/etc/docker -p w"))
    with pytest.raises(undo.Refused, match="hardhost-etc_docker were changed"):
        taken_back("all")
    assert audit_rules.of_file(OTHER) == RULES[OTHER]


def test_rules_that_have_gone_are_forgotten(file: Path, state_directory: Path) -> None:
    written(ONE)
    file.unlink()
    taken_back("all")
    assert states.load()["changes"] == []


def test_what_is_touched() -> None:
    in_order = {
        "rules": RULES[ONE],
        "files": [],
        "unkept": False,
        "unloaded": False,
        "unlocked": False,
    }
    found = {"status": {"error": 0, "enabled": 1}, "installed": True}
    assert docker_audit.touched({ONE: in_order}, found) == set()
    assert docker_audit.touched({ONE: {**in_order, "unloaded": True}}, found) == {ONE}
    locked = {**found, "status": {"error": 0, "enabled": 2}}
    assert docker_audit.touched({ONE: {**in_order, "unloaded": True}}, locked) == set()
    assert docker_audit.touched({ONE: in_order}, {**found, "installed": False}) == {ONE}


def test_auditd_is_started_once_more_where_a_rule_of_others_kept_it_down(
    file: Path, state_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not before our rules are written: they make those that load them go on after an error."""
    found = {"status": {"error": 0, "enabled": 1, "pid": 0}, "installed": False, "active": False}
    found |= {"version": "4.0.2", "rules": [], "by_hand": []}
    started = []

    def read(_facts: Any, _inputs: Any) -> Any:
        return dict(found)

    def add(*_given: Any) -> Any:
        found["installed"] = True
        return dict(found)

    def systemctl(words: list[str], **_more: Any) -> str:
        started.append((words, file.exists()))
        found["active"] = comes
        return ""

    monkeypatch.setattr(docker_audit.hardhost_facts, "collect", facts)
    monkeypatch.setattr(docker_audit.surface, "read", read)
    monkeypatch.setattr(docker_audit, "plan", lambda *_given: todo(ONE))
    monkeypatch.setattr(docker_audit, "add_package", add)
    monkeypatch.setattr(docker_audit.programs, "run", systemctl)
    monkeypatch.setattr(docker_audit, "load", lambda *_given: "")
    given = {"controls": [{"id": ONE}], "run": "run", "holder": "me", "inputs": {}}
    comes = False
    with pytest.raises(docker_audit.Refused, match="does not start"):
        docker_audit.apply(given, False)
    assert audit_rules.of_file(ONE) == RULES[ONE]
    found["installed"], comes = False, True
    docker_audit.apply(given, False)
    assert started == [(["systemctl", "start", "auditd.service"], True)] * 2
