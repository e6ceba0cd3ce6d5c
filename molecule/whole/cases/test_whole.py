"""Each profile that the scenario expects something of, one after the other, on the same hosts."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.hosts.container_host import Host
from tests.hosts.observation import differences, observe, unexpected
from tests.hosts.project import Project, render

Table = Callable[[str, Host], dict[str, Any]]

# What a site decides: limits below the daemon's own here, and that images may go out of sight.
INPUTS = {
    "docker_daemon_nofile_soft": 1024,
    "docker_daemon_nofile_hard": 4096,
    "docker_daemon_accept_data_root_change": True,
}


@dataclass
class Whole:
    """One profile on the hosts, and what they were before it."""

    profile: str
    project: Project
    hosts: list[Host]
    before: dict[str, Any] = field(default_factory=dict)

    def changed(self, host: Host) -> dict[str, Any]:
        found: dict[str, Any] = differences(self.before[host.name], observe(host))
        return found


BEFORE = "_before.yml"
SCENARIO = Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"])
PROFILES = sorted(
    file.name.removesuffix(BEFORE) for file in (SCENARIO / "expected").glob(f"*{BEFORE}")
)


@pytest.fixture(scope="module", params=PROFILES)
def whole(request: pytest.FixtureRequest, nodes: list[Host], memory: Path) -> Whole:
    project = render(request.param, memory / request.param, nodes)
    project.give(**INPUTS)
    found = Whole(request.param, project, nodes)
    found.before = {host.name: observe(host) for host in nodes}
    return found


def test_audit_finds_what_the_host_is(whole: Whole, expectation: Table) -> None:
    report = whole.project.verify()
    for host in whole.hosts:
        assert report.statuses(host.name) == expectation(f"{whole.profile}_before", host), (
            report.text
        )
    assert report.code == 1, report.text


def test_check_mode_changes_nothing(whole: Whole) -> None:
    run = whole.project.play("site", "--check", "--diff")
    run.assert_converged(*whole.hosts)
    for host in whole.hosts:
        assert run.recap(host)["changed"] > 0, run.text
        assert whole.changed(host) == {}


def test_converge(whole: Whole) -> None:
    run = whole.project.play()
    run.assert_converged(*whole.hosts)
    for host in whole.hosts:
        assert run.recap(host)["changed"] > 0, run.text


def test_nothing_is_left_to_do(whole: Whole) -> None:
    whole.project.play().assert_unchanged(*whole.hosts)


def test_every_control_has_its_status(whole: Whole, expectation: Table) -> None:
    report = whole.project.verify(probe=True)
    for host in whole.hosts:
        assert report.statuses(host.name) == expectation(whole.profile, host), report.text
    assert (report.code == 0) == (not report.failed()), report.text


def test_probes_agree(whole: Whole) -> None:
    report = whole.project.verify(probe=True)
    probes = {
        (host.name, result["id"]): result["probe"]["status"]
        for host in whole.hosts
        for result in report.results(host.name)
        if result.get("probe")
    }
    assert probes, report.text
    assert set(probes.values()) == {"pass"}, report.text


def test_rollback(whole: Whole, expectation: Table) -> None:
    whole.project.play("rollback").assert_converged(*whole.hosts)
    for host in whole.hosts:
        allowed = list(expectation("left_by_rollback", host))
        assert unexpected(whole.changed(host), allowed) == {}


def test_a_second_rollback_changes_nothing(whole: Whole) -> None:
    whole.project.play("rollback").assert_unchanged(*whole.hosts)
