"""What the scenarios judge by must itself be able to say no."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.hosts import cases, engine, scenarios
from tests.hosts.container_host import Host
from tests.hosts.observation import differences, unexpected
from tests.hosts.privileges import CAPABILITIES, bounding_set
from tests.hosts.project import Report, Run
from tests.hosts.scenarios import Outcome

WEB = Host("web", "debian13", "192.0.2.1")
RECAP = (
    "web                        : ok=3    changed={changed}    unreachable=0    failed={failed}\n"
)
PLANNED = frozenset({"docker_daemon/icc"})


def run(code: int = 0, changed: int = 0, failed: int = 0) -> Run:
    return Run(code, RECAP.format(changed=changed, failed=failed), 1.0)


def report(results: list[dict[str, Any]]) -> Report:
    return Report(0, "", {"hosts": [{"host": "web", "results": results}]}, PLANNED)


def test_a_run_without_change_is_told_from_one_with() -> None:
    run().assert_unchanged(WEB)
    with pytest.raises(AssertionError):
        run(changed=10).assert_unchanged(WEB)


def test_a_failed_run_has_not_converged() -> None:
    with pytest.raises(AssertionError):
        run(code=2).assert_converged(WEB)


def test_a_run_that_skipped_the_host_has_not_converged() -> None:
    with pytest.raises(AssertionError, match="recap"):
        Run(0, "skipping: no hosts matched\n", 1.0).assert_converged(WEB)


def test_a_failure_must_be_the_one_that_is_meant() -> None:
    failure = Run(2, RECAP.format(changed=0, failed=1) + "docker.service\nhas failed", 1.0)
    failure.assert_failed(WEB, saying="docker.service has failed")
    with pytest.raises(AssertionError, match="not said"):
        failure.assert_failed(WEB, saying="seccomp")
    with pytest.raises(AssertionError):
        run().assert_failed(WEB, saying="ok")


def test_an_audit_without_results_is_no_audit() -> None:
    with pytest.raises(AssertionError):
        report([]).statuses("web")
    with pytest.raises(AssertionError):
        report([]).failed()


def test_an_audit_says_what_fails() -> None:
    found = report([{"id": "docker_daemon/icc", "status": "fail"}])
    assert found.statuses("web") == {"docker_daemon/icc": "fail"}
    assert found.failed() == ["docker_daemon/icc"]


def test_an_unknown_host_is_not_in_the_report() -> None:
    with pytest.raises(AssertionError, match="not in the report"):
        report([]).results("other")


def test_differences_name_what_changed() -> None:
    before = {"etc": {"/etc/a": "1", "/etc/b": "2"}, "state": {}}
    after = {"etc": {"/etc/a": "1", "/etc/b": "3", "/etc/c": "4"}, "state": {}}
    changed = differences(before, after)
    assert changed == {"etc./etc/b": '"2" -> "3"', "etc./etc/c": 'absent -> "4"'}
    assert unexpected(changed, ["etc./etc/b"]) == {"etc./etc/c": 'absent -> "4"'}
    assert differences(before, before) == {}


def test_a_scenario_that_ran_too_few_cases_has_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cases, "scenario_directory", lambda _: tmp_path)
    monkeypatch.setattr(scenarios, "program", lambda _: "true")
    monkeypatch.setattr(cases, "PROJECT", tmp_path)
    definition = tmp_path / "molecule" / "small" / "molecule.yml"
    definition.parent.mkdir(parents=True)
    content = {"provisioner": {"env": {"HARDHOST_CASES": "2"}}}
    definition.write_text(json.dumps(content))
    cases.record("small", "test_one")
    cases.record("small", "test_one")
    assert not scenarios.run("small").ended_well
    cases.record("small", "test_two")
    assert scenarios.run("small").ended_well


def test_the_summary_names_the_cases_that_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cases, "scenario_directory", lambda _: tmp_path)
    cases.record_failure("small", "test_two", "AssertionError: two\n  lines")
    bad = Outcome("small", False, 1, 2, 1.0, cases.failures("small"))
    lines = scenarios.summary([bad], 1).splitlines()
    assert "FAILED small: test_two: AssertionError: two lines" in lines


def test_the_summary_counts_failed_scenarios() -> None:
    good, bad = Outcome("good", True, 3, 3, 1.0), Outcome("bad", False, 1, 2, 1.0)
    assert "===== 3 passed in 1s =====" in scenarios.summary([good], 1)
    assert "===== 1 failed, 4 passed in 2s =====" in scenarios.summary([good, bad], 2)


def test_every_scenario_says_how_many_cases_it_has() -> None:
    names = scenarios.every()
    assert {"default", "live", "faults", "sabotage"} <= set(names)
    assert all(cases.expected(name) > 0 for name in names)


def test_the_bounding_set_is_read_by_number() -> None:
    assert bounding_set("Name:\tsh\nCapBnd:\t0000000000000003\n") == 3
    assert CAPABILITIES[21] == "SYS_ADMIN"
    assert CAPABILITIES[24] == "SYS_RESOURCE"


def test_an_engine_that_another_checkout_started_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "cache_directory", lambda: tmp_path)
    monkeypatch.setattr(engine, "checkout_id", lambda: "theirs")
    bystander = subprocess.Popen(["sleep", "60"])
    known = {"pid": bystander.pid, "started": engine.start_ticks(bystander.pid)}
    engine.record().write_text(json.dumps(known))
    monkeypatch.setattr(engine, "checkout_id", lambda: "ours")
    try:
        assert engine.stop() is False
        assert bystander.poll() is None
        monkeypatch.setattr(engine, "checkout_id", lambda: "theirs")
        assert engine.stop() is True
        assert bystander.wait(timeout=10) == -signal.SIGTERM
    finally:
        bystander.kill()
        bystander.wait()


def test_a_pid_that_was_given_anew_is_not_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "cache_directory", lambda: tmp_path)
    bystander = subprocess.Popen(["sleep", "60"])
    try:
        engine.record().write_text(json.dumps({"pid": bystander.pid, "started": 1}))
        assert engine.stop() is False
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_several_at_a_time_count_as_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(scenarios, "PROJECT", tmp_path)
    monkeypatch.setattr(scenarios, "program", lambda _: "echo")
    monkeypatch.setattr(cases, "passed", len)
    monkeypatch.setattr(cases, "expected", lambda _: 3)
    outcomes = scenarios.run_all(["one", "two", "three"], 2)
    assert [outcome.name for outcome in outcomes] == ["one", "two", "three"]
    assert [outcome.ended_well for outcome in outcomes] == [True, True, False]
    printed = capsys.readouterr().out
    assert "test --scenario-name three\n" in printed
    assert "scenario three: 5 of 3 cases passed, FAILED" in printed


def test_a_scenario_that_does_not_end_is_ended_with_what_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "molecule"
    program.write_text(f"#!/bin/sh\nsleep 1000 & echo $! > {tmp_path}/child\nwait\n")
    program.chmod(0o755)
    monkeypatch.setattr(scenarios, "program", lambda _: str(program))
    assert scenarios.molecule("default", None, 1, "test") is None
    child = Path("/proc", (tmp_path / "child").read_text().strip(), "cmdline")
    deadline = time.monotonic() + 10
    while child.exists() and child.read_bytes():  # nobody may be there to reap it
        assert time.monotonic() < deadline, "it runs on"
        time.sleep(0.05)
