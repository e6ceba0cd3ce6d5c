"""Leaves of settings, and what of them cannot stand together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.model import Origin
from generator.settings import Leaf, conflicts, is_wish, leaves

ORIGIN = Origin("profiles/x.yml", Path("profiles/x.yml"), 1)


def wanted(*settings: dict[str, Any]) -> list[Leaf]:
    return [
        Leaf(path, value, f"role/control{number}", ORIGIN)
        for number, each in enumerate(settings)
        for path, value in leaves(each)
    ]


def test_leaves_end_at_literals_lists_wishes_and_empty_maps() -> None:
    settings = {"a": {"b": 1, "c": [{"d": 1}], "e": {"from_input": "x"}, "f": {}}}
    assert dict(leaves(settings)) == {
        ("a", "b"): 1,
        ("a", "c"): [{"d": 1}],
        ("a", "e"): {"from_input": "x"},
        ("a", "f"): {},
    }


def test_only_the_two_words_make_a_wish() -> None:
    assert is_wish({"never": [1]})
    assert is_wish({"from_input": "x", "never": [1]})
    assert not is_wish({"never_again": 1})
    assert not is_wish("never")


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ([{"o": {"a": 1}}, {"o": {"b": 1}}], []),
        ([{"o": {"a": 1}}, {"o": {"a": 1}}], []),
        ([{"o": {"a": 1}}, {"o": {"a": 2}}], [("o", "a")]),
        ([{"o": {"a": 1}}, {"o": {"a": True}}], [("o", "a")]),
        ([{"o": {"a": 1}}, {"o": {"a": {"b": 1}}}], [("o", "a", "b")]),
        ([{"o": {"a": {"b": 1}}}, {"o": {"a": 1}}], [("o", "a")]),
        ([{"o": {"a": {"from_input": "x"}}}, {"o": {"a": {"from_input": "y"}}}], [("o", "a")]),
        ([{"o": {"a": {"never": [1]}}}, {"o": {"a": {"never": [1]}}}], []),
    ],
)
def test_conflicts(settings: list[dict[str, Any]], found: list[tuple[str, ...]]) -> None:
    told = list(conflicts(wanted(*settings)))
    assert [conflict.second.path for conflict in told] == found
    assert all(
        {conflict.first.control, conflict.second.control} == {"role/control0", "role/control1"}
        for conflict in told
    )


SETTINGS = st.dictionaries(
    st.sampled_from("abc"),
    st.recursive(
        st.integers(0, 1),
        lambda inner: st.dictionaries(st.sampled_from("abc"), inner, min_size=1, max_size=3),
        max_leaves=5,
    ),
    min_size=1,
    max_size=3,
)


def merged(into: dict[str, Any], more: dict[str, Any]) -> dict[str, Any] | None:
    """The two as one map, or None where they cannot be one: another way to ask for conflicts."""
    result = dict(into)
    for key, value in more.items():
        if key not in result:
            result[key] = value
        elif isinstance(result[key], dict) and isinstance(value, dict):
            inner = merged(result[key], value)
            if inner is None:
                return None
            result[key] = inner
        elif result[key] != value or isinstance(value, dict):
            return None
    return result


@given(first=SETTINGS, second=SETTINGS)
def test_settings_conflict_exactly_where_they_cannot_be_merged(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    assert bool(list(conflicts(wanted(first, second)))) == (merged(first, second) is None)
    assert not list(conflicts(wanted(first, first)))
