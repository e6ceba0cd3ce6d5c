"""Problems sort and print as `path:line: text`; names that do not exist get the nearest match."""

from __future__ import annotations

from pathlib import Path

import pytest

from generator.errors import InvalidContent, Problem, Problems, one_of, shown


def test_problems_are_sorted_and_told_once() -> None:
    late, early, other = (
        Problem("b.yml", 12, "x"),
        Problem("b.yml", 3, "y"),
        Problem("a.yml", 0, "z"),
    )
    error = InvalidContent([late, early, other, late])
    assert error.messages() == ["a.yml: z", "b.yml:3: y", "b.yml:12: x"]


def test_collecting_keeps_the_problems_of_one_file_and_goes_on() -> None:
    problems = Problems()
    for number in (1, 2):
        with problems.collecting():
            raise InvalidContent([Problem("a.yml", number, "wrong")])
    with pytest.raises(InvalidContent) as raised:
        problems.raise_if_any()
    assert len(raised.value.problems) == 2


def test_nothing_is_raised_where_nothing_is_wrong() -> None:
    Problems().raise_if_any()


@pytest.mark.parametrize(
    ("wanted", "accepted", "end"),
    [
        ("hihg", ["low", "high"], " (did you mean 'high'?)"),
        ("daemon/usern_remap", ["daemon/userns_remap", "daemon/icc"], " (did you mean 'daemon/userns_remap'?)"),
        # A shared role makes two ids long, not alike.
        ("docker_daemon/xyz", ["docker_daemon/icc"], "; accepted: docker_daemon/icc"),
        ("never", ["b", "a"], "; accepted: a, b"),
        ("x", [], ""),
        ("x", [f"name{number}" for number in range(50)], ""),
    ],
)  # fmt: skip
def test_one_of(wanted: str, accepted: list[str], end: str) -> None:
    assert one_of(wanted, accepted) == end


def test_paths_are_shown_from_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert shown(tmp_path / "a" / "b.yml") == "a/b.yml"
    assert shown(Path("/etc/passwd")) == "/etc/passwd"
