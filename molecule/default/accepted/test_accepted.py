"""After the switch was accepted: every control in force, by state and by effect."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.hosts.container_host import Host
from tests.hosts.project import Project, Report

Table = Callable[[str, Host], dict[str, Any]]


@pytest.fixture(scope="session")
def report(project: Project) -> Report:
    return project.verify(probe=True)


def test_every_control_is_in_force(report: Report, node: Host, expectation: Table) -> None:
    assert report.statuses(node.name) == expectation("accepted", node), report.text


def test_every_probe_proves_its_control(report: Report, node: Host, expectation: Table) -> None:
    probes = {
        result["id"]: result["probe"]["status"]
        for result in report.results(node.name)
        if result.get("probe")
    }
    assert probes == expectation("probes", node), report.text


def test_verify_succeeds(report: Report) -> None:
    assert report.code == 0, report.text


def test_nothing_of_the_probes_is_left(report: Report, node: Host) -> None:
    assert node.out("docker ps -aq; docker images -q; docker network ls -q -f type=custom") == ""
