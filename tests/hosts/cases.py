"""The count of a scenario's cases that passed: a scenario must not pass because nothing ran."""

from __future__ import annotations

from tests.hosts.project import scenario_directory


def record(scenario: str, case: str) -> None:
    with (scenario_directory(scenario) / "cases.txt").open("a") as handle:
        handle.write(f"{case}\n")


def passed(scenario: str) -> int:
    """How many different cases passed since the scenario was prepared."""
    file = scenario_directory(scenario) / "cases.txt"
    return len(set(file.read_text().splitlines())) if file.exists() else 0
