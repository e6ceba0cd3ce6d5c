"""One host: decisions, checks, probes, and everything that may be wrong before them."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import audit
import pytest
import remote
from audit import Auditor, Result, artifact_problem, decide, wanted
from verdict import ObservedHost

NOW = datetime.datetime(2026, 11, 21, 18, 0, tzinfo=datetime.UTC)
LOG_LEVEL = {"id": "docker_daemon/log_level", "check": "daemon_option"}
ENGINE = {"id": "docker_engine/engine_present", "check": "engine_present"}
PLAN = {"profile": "production", "controls": [LOG_LEVEL, ENGINE]}


def decision(kind: str, **settings: Any) -> dict[str, Any]:
    return {"decision": kind, "reason": "", "remedy": "", "settings": settings}


def artifact(**changes: Any) -> dict[str, Any]:
    run = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ") + "-00000000"
    options = {"log-level": "info"}
    decisions = {
        "docker_daemon/log_level": decision("apply", docker_daemon_options=options),
        "docker_engine/engine_present": decision("report"),
    }
    return {
        "schema": 1, "host": "db1", "profile": "production", "run": run, "refused": None,
        "engine": {"version": "26.1.5"}, "os": {"id": "debian"}, "decisions": decisions,
    } | changes  # fmt: skip


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "artifacts").mkdir()
    (tmp_path / "artifacts" / "db1.json").write_text(json.dumps(artifact()))
    return tmp_path


def auditor(project: Path, *, probe: bool = False) -> Auditor:
    return Auditor(project, PLAN, probe=probe, max_age=3600)


def answer(monkeypatch: pytest.MonkeyPatch, **answers: Any) -> None:
    """Replace the wire: what a script would answer on the host, by module."""

    def call(_connection: Any, _project: Path, module: str, _function: str, _argument: Any) -> Any:
        if isinstance(answers[module], Exception):
            raise answers[module]
        return answers[module]

    monkeypatch.setattr(remote, "call", call)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"run": "20261121T175900Z-ab12cd34"}, ""),
        ({"run": "20261121T165900Z-ab12cd34"}, "3660 seconds old"),
        ({"run": "yesterday"}, "do not say when"),
        ({"profile": "baseline"}, "not for the profile production"),
        ({"schema": 2}, "not for the profile production"),
    ],
)
def test_decisions_of_another_profile_or_an_old_run_are_not_used(
    changes: dict[str, Any], words: str
) -> None:
    found = artifact_problem(artifact(**changes), PLAN, 3600, NOW)
    assert found.startswith("preflight's decisions") == bool(words)
    assert words in found


def test_every_control_of_the_plan_gets_a_result(
    project: Path, reading: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(monkeypatch, reading=reading)
    found = auditor(project).audit("db1", None)
    assert found.problem == ""
    assert [(one.id, one.status) for one in found.results] == [
        ("docker_daemon/log_level", "pass"),
        ("docker_engine/engine_present", "pass"),
    ]
    assert found.engine == {"version": "26.1.5"}


def test_a_host_without_decisions_is_a_problem(project: Path) -> None:
    assert "run preflight.yml first" in auditor(project).audit("db2", None).problem


def test_a_refused_host_is_a_problem_with_the_reason(project: Path) -> None:
    refused = artifact(refused="daemon.json is not JSON", decisions={})
    (project / "artifacts" / "db1.json").write_text(json.dumps(refused))
    found = auditor(project).audit("db1", None)
    assert (found.problem, found.refused) == ("daemon.json is not JSON", "daemon.json is not JSON")
    assert found.results == []


def test_a_host_that_cannot_be_read_is_not_reachable(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(monkeypatch, reading=remote.RemoteError("cannot be reached: no route"))
    found = auditor(project).audit("db1", None)
    assert (found.reachable, found.problem) == (False, "cannot be reached: no route")


@pytest.mark.parametrize(
    ("decided", "read", "another"),
    [("a", "a", False), ("a", "b", True), ("", "b", False), ("a", "", False), (None, "b", False)],
)
def test_decisions_about_another_machine_are_not_used(
    project: Path,
    reading: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    decided: str | None,
    read: str,
    another: bool,
) -> None:
    facts = {} if decided is None else {"facts": {"machine_id": decided}}
    (project / "artifacts" / "db1.json").write_text(json.dumps(artifact(**facts)))
    answer(monkeypatch, reading=reading | {"machine_id": read})
    found = auditor(project).audit("db1", None)
    assert found.problem.startswith("another machine than preflight has read") == another
    assert bool(found.results) != another


@pytest.mark.parametrize("broken", ["artifact", "read", "decide", "prove"])
def test_whatever_goes_wrong_is_this_hosts_problem(
    project: Path, reading: dict[str, Any], monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    """Raised, it would take the results of all other hosts away."""

    def fail(*_words: Any) -> None:
        raise KeyError("unforeseen")

    answer(monkeypatch, reading=KeyError("unforeseen") if broken == "read" else reading)
    if broken == "decide":
        monkeypatch.setattr(audit, "decide", fail)
    if broken == "prove":
        monkeypatch.setattr(Auditor, "_prove", fail)
    if broken == "artifact":
        (project / "artifacts" / "db1.json").write_text("{")
    found = auditor(project, probe=True).audit("db1", None)
    assert found.problem.startswith(
        "JSONDecodeError: " if broken == "artifact" else "KeyError: 'unforeseen'"
    )
    assert (found.results, found.reachable) == ([], True)


@pytest.mark.parametrize("kind", ["pending", "not_applicable", "waived", "manual"])
def test_preflights_decision_is_the_status_and_no_check_is_asked(kind: str) -> None:
    decided = decision(kind) | {"reason": "found", "remedy": "do"}
    host = ObservedHost("db1", {})
    found = decide(host, LOG_LEVEL, artifact(decisions={LOG_LEVEL["id"]: decided}))
    assert found == Result(LOG_LEVEL["id"], kind, "found; do")


def test_a_control_without_a_decision_fails(reading: dict[str, Any]) -> None:
    found = decide(ObservedHost("db1", reading), LOG_LEVEL, artifact(decisions={}))
    assert found.status == "fail"


def test_an_engine_that_cannot_be_asked_fails_what_needs_it(reading: dict[str, Any]) -> None:
    reading |= {"info": {}, "api_error": "dockerd does not run"}
    found = decide(ObservedHost("db1", reading), LOG_LEVEL, artifact())
    assert found.status == "fail"
    assert "dockerd does not run" in found.reason


@pytest.mark.parametrize(
    ("probed", "status"),
    [
        ({"status": "pass", "reason": "a container starts"}, "pass"),
        ({"status": "fail", "reason": "no container starts"}, "fail"),
    ],
)
def test_a_probe_that_fails_makes_a_pass_a_fail(
    project: Path,
    reading: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    probed: dict[str, str],
    status: str,
) -> None:
    images = project / audit.IMAGES
    images.mkdir(parents=True)
    (images / "probe-amd64.tar").write_bytes(b"image")
    answer(monkeypatch, reading=reading, probes={ENGINE["id"]: probed})
    unprobed, found = auditor(project, probe=True).audit("db1", None).results
    assert (found.status, found.probe) == (status, probed)
    assert (unprobed.status, unprobed.probe) == ("pass", None)


def test_probes_that_cannot_run_prove_nothing(
    project: Path, reading: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(monkeypatch, reading=reading)
    _other, found = auditor(project, probe=True).audit("db1", None).results
    assert found.status == "fail"
    assert "no probe image for x86_64" in found.reason


def test_only_what_the_settings_name_is_read() -> None:
    paths = {"/etc/docker": {"owner": "root", "group": "root", "mode": "0755"}}
    decisions = {"a/b": decision("apply", docker_files_paths=paths), **artifact()["decisions"]}
    found = wanted(artifact(decisions=decisions))
    assert (found["keys"], found["subjects"]) == (["log-level"], ["/etc/docker"])
