"""The tables of benchmarks name every id, and the page shows what the controls say today."""

from __future__ import annotations

from pathlib import Path

import pytest

from generator import coverage
from generator.commands.load import load
from generator.content import find_content

REPOSITORY = Path(__file__).resolve().parents[2]
CONTROLS = tuple(load(find_content()).catalog.controls.values())
NAMES = sorted(coverage.benchmarks())


def numbers(prefix: str, last: int) -> set[str]:
    return {f"{prefix}.{number}" for number in range(1, last + 1)}


# By hand, from the tables of contents: how many ids each section has.
CIS = numbers("1.1", 18) | numbers("1.2", 2) | numbers("3", 24) | {"4.5", "5.2", "5.3"}
IDS = {
    "cis_docker_1.6.0": CIS | numbers("2", 18),
    "cis_docker_1.8.0": CIS | numbers("2", 19),
    "nist_800_190": numbers("4.1", 5)
    | numbers("4.2", 3)
    | numbers("4.3", 5)
    | numbers("4.4", 5)
    | numbers("4.5", 5)
    | {"4.6"},
}


@pytest.mark.parametrize("name", NAMES)
def test_every_id_is_there_once(name: str) -> None:
    found = [
        number for topic in coverage.topics() for key, number in topic.ids.items() if key == name
    ]
    assert len(found) == len(set(found))
    assert set(found) == IDS[name]


@pytest.mark.parametrize("name", NAMES)
def test_controls_refer_to_ids_that_exist(name: str) -> None:
    assert {row.id for row in coverage.rows(name, CONTROLS)} == IDS[name]


def test_a_reason_comes_with_its_kind() -> None:
    assert [topic for topic in coverage.topics() if bool(topic.why) != bool(topic.reason)] == []


def test_what_nothing_covers_is_a_gap_or_has_its_reason() -> None:
    found = {row.id: row for row in coverage.rows("cis_docker_1.8.0", ())}
    assert found["2.2"] == coverage.Row(
        "2.2", "traffic between containers of the default bridge", "gap", (), ""
    )
    assert found["2.12"].status == "obsolete"
    assert list(found)[:3] == ["1.1.1", "1.1.2", "1.1.3"]


def test_the_page_is_what_the_controls_say() -> None:
    written = (REPOSITORY / "docs/coverage.md").read_text(encoding="utf-8")
    assert written == coverage.page(CONTROLS), "out of date: run `make docs`"
