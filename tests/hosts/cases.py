"""The count of a scenario's cases that passed: a scenario must not pass because nothing ran."""

from __future__ import annotations

import os

import yaml

from tests.hosts.local import PROJECT
from tests.hosts.project import scenario_directory


def record(scenario: str, case: str) -> None:
    with (scenario_directory(scenario) / "cases.txt").open("a") as handle:
        handle.write(f"{case}\n")


def expected(scenario: str) -> int:
    """The number that the scenario itself gives; adding a case means raising it."""
    definition = yaml.safe_load((PROJECT / "molecule" / scenario / "molecule.yml").read_text())
    given = definition["provisioner"]["env"]
    if os.environ.get("HARDHOST_LOOPS") == "all" and "HARDHOST_CASES_ALL" in given:
        return int(given["HARDHOST_CASES_ALL"])
    return int(given["HARDHOST_CASES"])


def passed(scenario: str) -> int:
    """How many different cases passed since the scenario was prepared."""
    file = scenario_directory(scenario) / "cases.txt"
    return len(set(file.read_text().splitlines())) if file.exists() else 0
