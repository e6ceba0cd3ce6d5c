"""Holds the ids of benchmarks against the controls that refer to them.

`python -m generator.coverage FILE` writes the tables of docs/coverage.md.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, get_args

from pydantic import BeforeValidator

from generator import wording, yamlfile
from generator.errors import Problems
from generator.model import Benchmark, Control, Frozen, Text
from generator.parse import parse

_TOPICS = Path(__file__).resolve().parent / "benchmarks.yml"
_TITLES: Mapping[Benchmark, str] = {
    "cis_docker_1.6.0": "CIS Docker Benchmark 1.6.0",
    "cis_docker_1.8.0": "CIS Docker Benchmark 1.8.0",
    "nist_800_190": "NIST SP 800-190",
}
_PAGE = """\
# What the controls cover of the benchmarks

Written by `make docs` from the controls' references and `generator/benchmarks.yml`; a test fails
where it is out of date. `hardhost list controls --benchmark cis_docker_1.8.0` prints the same.

Of the CIS Docker Benchmark these are sections 1 to 3, 4.5, 5.2 and 5.3, what is about hosts; the
rest is about images, containers and swarms. The words are ours. A reference says that a control is
about what an id is about; whether it satisfies an auditor is for the auditor to say. A *gap* is
something that a control could cover and none does yet.
"""

Why = Literal["manual", "obsolete", "not_a_host_setting"]


class Topic(Frozen):
    """One thing that benchmarks ask for, under the id that each of them gives it."""

    ids: dict[Benchmark, Text]
    about: Text
    why: Why | None = None
    reason: Text | None = None


class TopicsFile(Frozen):
    """What `benchmarks.yml` says."""

    topics: Annotated[tuple[Topic, ...], BeforeValidator(tuple)]


class Row(NamedTuple):
    """One id of a benchmark, and what becomes of it."""

    id: str
    about: str
    status: str  # covered, gap or one of Why
    controls: tuple[str, ...]
    reason: str


@cache
def topics() -> tuple[Topic, ...]:
    """Everything that the benchmarks ask of a host."""
    problems = Problems()
    file = parse(TopicsFile, yamlfile.read(_TOPICS), lambda _: "text", problems)
    problems.raise_if_any()
    assert file is not None  # noqa: S101 - raised above
    return file.topics


def benchmarks() -> tuple[Benchmark, ...]:
    """The names of the benchmarks that are known."""
    return get_args(Benchmark)


def rows(benchmark: Benchmark, controls: Iterable[Control]) -> list[Row]:
    """Every id of a benchmark in its order, and those besides to which a control refers."""
    covering: dict[str, list[str]] = {}
    for control in controls:
        for number in dict(control.file.references).get(benchmark, ()):
            covering.setdefault(number, []).append(control.id)
    known = {
        number: one for one in topics() for name, number in one.ids.items() if name == benchmark
    }
    numbers = sorted({*known, *covering}, key=_ordinal)
    return [_row(number, known.get(number), covering.get(number, [])) for number in numbers]


def _row(number: str, topic: Topic | None, controls: list[str]) -> Row:
    about = topic.about if topic else ""
    if controls:
        return Row(number, about, "covered", tuple(sorted(controls)), "")
    assert topic is not None  # noqa: S101 - a number comes from one or the other
    return Row(number, about, topic.why or "gap", (), wording.line(topic.reason or ""))


def _ordinal(number: str) -> list[int]:
    return [int(part) for part in number.split(".")]


def page(controls: Iterable[Control]) -> str:
    """The tables of all benchmarks, as Markdown."""
    listed = [*controls]
    return "".join([_PAGE, *(_table(name, rows(name, listed)) for name in sorted(benchmarks()))])


def _table(benchmark: Benchmark, found: list[Row]) -> str:
    covered = sum(1 for row in found if row.status == "covered")
    gaps = sum(1 for row in found if row.status == "gap")
    explained = len(found) - covered - gaps
    lines = [
        f"\n## {_TITLES[benchmark]}: `{benchmark}`\n",
        f"{len(found)} ids: {covered} covered, {gaps} gaps, {explained} with a reason.\n",
        "| id | about | covered by, or why not |",
        "|---|---|---|",
        *(f"| {row.id} | {wording.cell(row.about)} | {_outcome(row)} |" for row in found),
    ]
    return "\n".join(lines) + "\n"


def _outcome(row: Row) -> str:
    if row.controls:
        return ", ".join(f"`{one}`" for one in row.controls)
    status = f"*{row.status.replace('_', ' ')}*"
    return f"{status}: {wording.cell(row.reason)}" if row.reason else status


def main(path: Path) -> None:
    """Write the page for what is shipped."""
    from generator.commands.load import load  # noqa: PLC0415 - it needs this module's commands
    from generator.content import find_content  # noqa: PLC0415

    path.write_text(page(load(find_content()).catalog.controls.values()), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
