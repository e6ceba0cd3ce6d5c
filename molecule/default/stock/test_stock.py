"""The untouched host: what it is found to be, and that looking changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.hosts.container_host import Host
from tests.hosts.observation import differences, observe
from tests.hosts.project import Project, Report, Run

Table = Callable[[str, Host], dict[str, Any]]


@pytest.fixture(scope="session", autouse=True)
def before(nodes: list[Host], memory: Path) -> dict[str, Any]:
    """Every host before hardhost was ever there; the return from rollback is held against it."""
    seen = {node.name: observe(node) for node in nodes}
    (memory / "before.json").write_text(json.dumps(seen))
    return seen


@pytest.fixture(scope="session")
def report(before: dict[str, Any], project: Project) -> Report:
    return project.verify(probe=True)


@pytest.fixture(scope="session")
def check_run(report: Report, project: Project) -> Run:
    return project.play("site", "--check", "--diff")


def test_audit_finds_what_a_stock_host_is(report: Report, node: Host, expectation: Table) -> None:
    assert report.statuses(node.name) == expectation("stock", node), report.text


def test_audit_of_a_weak_host_fails(report: Report) -> None:
    """For what was found, and not because nothing was."""
    assert report.failed(), report.text
    assert report.code == 1, report.text


def test_audit_changes_nothing(report: Report, node: Host, before: dict[str, Any]) -> None:
    assert differences(before[node.name], observe(node)) == {}


def test_check_mode_succeeds(check_run: Run, nodes: list[Host]) -> None:
    check_run.assert_converged(*nodes)


@pytest.mark.parametrize(
    "wanted", ['"icc": false', '"no-new-privileges": true', '"live-restore": true']
)
def test_check_mode_says_what_would_change(check_run: Run, wanted: str, nodes: list[Host]) -> None:
    added = [line for line in check_run.text.splitlines() if line.lstrip().startswith("+")]
    assert len([line for line in added if wanted in line]) == len(nodes), check_run.text


def test_check_mode_changes_nothing(check_run: Run, node: Host, before: dict[str, Any]) -> None:
    assert differences(before[node.name], observe(node)) == {}
