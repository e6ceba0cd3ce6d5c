"""report.json, schema 1: the types, and how plan and results become one report."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from generator.model import Frozen, Mode, Plan, PlannedControl, Severity, Waiver

Status = Literal["pass", "fail", "waived", "not_applicable", "pending", "manual"]
STATUSES: tuple[Status, ...] = ("pass", "fail", "waived", "not_applicable", "pending", "manual")


class Probe(Frozen):
    """What the attempt in a container showed."""

    status: Literal["pass", "fail"]
    reason: str


class Result(Frozen):
    """One control on one host."""

    id: str
    title: str
    severity: Severity
    mode: Mode
    status: Status
    reason: str
    references: dict[str, tuple[str, ...]]
    waiver: Waiver | None
    probe: Probe | None


class Host(Frozen):
    """One host. `problem` says why nothing could be proved on it; then there are no results."""

    host: str
    reachable: bool
    refused: str | None
    problem: str | None
    engine: dict[str, Any]
    os: dict[str, Any]
    results: tuple[Result, ...]


class Report(Frozen):
    """What was in force on every host of one run."""

    schema_version: Literal[1] = Field(default=1, alias="schema")
    hardhost: str
    profile: str
    environment: str | None
    started: str = Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
    finished: str = Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
    probe: bool
    summary: dict[Status, int]
    hosts: tuple[Host, ...]

    def to_json(self) -> str:
        return (
            json.dumps(self.model_dump(mode="json", by_alias=True), indent=2, ensure_ascii=False)
            + "\n"
        )

    @property
    def exit_code(self) -> int:
        """0 only where something was proved, nothing failed, and no host is missing."""
        proved = any(host.results for host in self.hosts)
        return (
            0
            if proved and not self.summary["fail"] and not any(host.problem for host in self.hosts)
            else 1
        )


def report(
    plan: Plan, hosts: Iterable[Host], *, probe: bool, started: datetime, finished: datetime
) -> Report:
    hosts = tuple(hosts)
    counted = Counter(result.status for host in hosts for result in host.results)
    return Report(
        hardhost=plan.hardhost,
        profile=plan.profile,
        environment=plan.environment,
        started=_clock(started),
        finished=_clock(finished),
        probe=probe,
        summary={status: counted[status] for status in STATUSES},
        hosts=hosts,
    )


def audited(plan: Plan, found: Mapping[str, Any]) -> Host:
    """A host as its audit in tests/host describes it."""
    controls = {control.id: control for control in plan.controls}
    return Host(
        host=found["host"],
        reachable=found.get("reachable", True),
        refused=found.get("refused"),
        problem=found["problem"] or None,
        engine=found.get("engine", {}),
        os=found.get("os", {}),
        results=tuple(_result(controls[one["id"]], one) for one in found.get("results", [])),
    )


def missing(name: str, problem: str, *, reachable: bool, refused: str | None = None) -> Host:
    """A host that was not audited."""
    return Host(
        host=name,
        reachable=reachable,
        refused=refused,
        problem=problem,
        engine={},
        os={},
        results=(),
    )


def json_schema() -> dict[str, Any]:
    """The JSON Schema of report.json; docs/report.schema.json holds it."""
    schema = Report.model_json_schema(by_alias=True, mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _result(control: PlannedControl, found: Mapping[str, Any]) -> Result:
    return Result(
        id=control.id,
        title=control.title,
        severity=control.severity,
        mode=control.mode,
        status=found["status"],
        reason=found["reason"],
        references=control.references,
        waiver=control.waiver if found["status"] == "waived" else None,
        probe=Probe(**found["probe"]) if found.get("probe") else None,
    )


def _clock(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
