"""Which cases of a scenario passed, and which failed: none must pass because nothing ran."""

from __future__ import annotations

import os

import yaml

from tests.hosts.local import PROJECT
from tests.hosts.project import scenario_directory

REASON_CHARACTERS = 400


def record(scenario: str, case: str) -> None:
    with (scenario_directory(scenario) / "cases.txt").open("a") as handle:
        handle.write(f"{case}\n")


def record_failure(scenario: str, case: str, reason: str) -> None:
    with (scenario_directory(scenario) / "failures.txt").open("a") as handle:
        handle.write(f"{case}: {' '.join(reason.split())[:REASON_CHARACTERS]}\n")


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


def failures(scenario: str) -> list[str]:
    """A line for each case that failed since the scenario was prepared, with the reason's start."""
    file = scenario_directory(scenario) / "failures.txt"
    return file.read_text().splitlines() if file.exists() else []
