"""Values in prose cannot break out of their place."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from generator import wording


def test_values() -> None:
    assert wording.value(False) == "false"
    assert wording.value("a") == '"a"'
    assert wording.value({"from_input": "x", "never": ["y", 1]}) == 'the input x, never "y" or 1'


def test_wanted_names_leaves() -> None:
    assert wording.wanted({"o": {"a": {"b": 1}, "c": [2]}}) == [("o.a.b", 1), ("o.c", [2])]


@given(text=st.text())
def test_a_cell_is_one_line_and_ends_nowhere(text: str) -> None:
    cell = wording.cell(text)
    assert "\n" not in cell
    assert "|" not in cell.replace("\\|", "")


@given(text=st.text(st.sampled_from("a` |"), min_size=1))
def test_code_is_fenced_by_more_backticks_than_it_holds(text: str) -> None:
    code = wording.code(text)
    fence = code[: len(code) - len(code.lstrip("`"))]
    assert fence not in code[len(fence) : -len(fence)]
