"""What the scenarios' tests share: the hosts, the rendered project, the tables of expectations."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.hosts import cases, fleet
from tests.hosts.container_host import Host
from tests.hosts.project import Project, scenario_directory
from tests.hosts.steps import EVERY_POINT

SCENARIO = Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"])
CGROUPS = "cgroup2" if Path("/sys/fs/cgroup/cgroup.controllers").exists() else "cgroup1"
PLATFORMS = yaml.safe_load((SCENARIO / "molecule.yml").read_text())["platforms"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for a `node` runs once for each host of the scenario.

    The short form takes that one alone which the module names as SHORT_FORM_ON.
    """
    if "node" in metafunc.fixturenames:
        chosen = None if EVERY_POINT else getattr(metafunc.module, "SHORT_FORM_ON", None)
        names = [chosen] if chosen else [platform["name"] for platform in PLATFORMS]
        metafunc.parametrize("node", names, indirect=True, scope="session")


@pytest.fixture(scope="session")
def node(request: pytest.FixtureRequest) -> Host:
    return fleet.find(request.param)


@pytest.fixture(scope="session")
def nodes() -> list[Host]:
    return [fleet.find(platform["name"]) for platform in PLATFORMS]


@pytest.fixture(scope="session")
def project() -> Project:
    """The project that molecule converges."""
    directory = scenario_directory(SCENARIO.name) / "project"
    return Project(directory, directory / "inventory.yml")


@pytest.fixture(scope="session")
def memory() -> Path:
    """Where one step of a scenario leaves what a later one compares with."""
    return scenario_directory(SCENARIO.name)


def expected(table: str, host: Host) -> dict[str, Any]:
    """A table of expectations: what holds for all hosts, with what differs on this system."""
    text = (SCENARIO / "expected" / f"{table}.yml").read_text()
    loaded = yaml.safe_load(text)
    rows = {**loaded["all"], **loaded.get(host.os, {}), **loaded.get(CGROUPS, {})}
    # Nothing expected and nothing found would be equal.
    assert rows, f"the table {table} is empty for {host.os}"
    return rows


@pytest.fixture(scope="session")
def expectation() -> Any:
    return expected


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remember how each case ended, for the end of the scenario."""
    if report.failed:
        crash = getattr(report.longrepr, "reprcrash", None)
        reason = crash.message if crash else report.longreprtext
        cases.record_failure(SCENARIO.name, report.nodeid, reason)
    elif report.when == "call" and report.passed:
        cases.record(SCENARIO.name, report.nodeid)
