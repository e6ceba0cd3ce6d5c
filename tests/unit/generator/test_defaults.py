"""Inputs go into defaults/main.yml as data, and the rest of the file stays as it is."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from hypothesis import given
from hypothesis import strategies as st

from generator.defaults import as_yaml, with_values

TEXT = """---
# How large.
size: 10m  # per file

# Until when.
window:
  calendar: "Sun"
  # inside
  duration: 1h

# Who.
members: [a, b]
long: >-
  first
  second

# The last.
flag: false
"""


def test_nothing_given_changes_nothing() -> None:
    assert with_values(TEXT, {}) == TEXT


@pytest.mark.parametrize(
    ("values", "before", "after"),
    [
        ({"size": "50m"}, "size: 10m  # per file\n", 'size: "50m"\n'),
        ({"flag": True}, "flag: false\n", "flag: true\n"),
        ({"members": ["c"]}, "members: [a, b]\n", 'members:\n  - "c"\n'),
        ({"members": []}, "members: [a, b]\n", "members: []\n"),
        (
            {"window": {"calendar": "Mon"}},
            'window:\n  calendar: "Sun"\n  # inside\n  duration: 1h\n',
            'window:\n  calendar: "Mon"\n',
        ),
        ({"long": "x"}, "long: >-\n  first\n  second\n", 'long: "x"\n'),
    ],
)
def test_only_the_lines_of_the_variable_change(
    values: dict[str, Any], before: str, after: str
) -> None:
    assert before in TEXT
    assert with_values(TEXT, values) == TEXT.replace(before, after)


def test_a_variable_that_the_file_lacks_is_added() -> None:
    assert with_values("---\na: 1", {"b": 2}) == "---\na: 1\nb: 2\n"


def test_values_of_several_variables_arrive_together() -> None:
    text = with_values(TEXT, {"size": "1", "flag": True, "window": {"duration": "9h"}})
    assert yaml.safe_load(text) == {
        "size": "1",
        "window": {"duration": "9h"},
        "members": ["a", "b"],
        "long": "first second",
        "flag": True,
    }


@pytest.mark.parametrize("text", ["{{ 1 + 1 }}", "{% raw %}", "a {# b #}", "x: {{ y"])
def test_a_template_is_marked_as_data(text: str) -> None:
    assert as_yaml(text).startswith(" !unsafe ")
    assert as_yaml([{"key": text}]).count("!unsafe") == 1


def test_plain_text_is_not_marked() -> None:
    assert as_yaml("{ not a template }") == ' "{ not a template }"'


VALUES = st.recursive(
    st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp", "Co", "Cn")))
    | st.sampled_from(["{{ 7 * 6 }}", "{{ lookup('pipe', 'id') }}", "off", "0644", "{%x%}"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text("abcde", min_size=1), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(value=VALUES)
def test_ansible_reads_and_templates_every_value_back_unchanged(value: Any) -> None:
    loaded = DataLoader().load(with_values(TEXT, {"size": value}))
    templar = Templar(DataLoader(), variables=loaded)
    assert templar.template(loaded["size"]) == value
    assert loaded["flag"] is False


@pytest.mark.parametrize(
    "text",
    [
        "--- {a: 1, b: x, c: 2027-02-30}\n",
        "a: 1\nb: x\nc: 2027-02-30\n...\n",
        "{a: 1, b: x, c: 2027-02-30}",
        "=: 1\nb: x\n",
        "~\n",
        "# nothing yet\n",
    ],
)
def test_a_file_of_another_form_keeps_its_other_values(text: str) -> None:
    before, after = (
        yaml.load(one, Loader=yaml.BaseLoader)
        for one in (text, with_values(text, {"b": "{{ y }}"}))
    )
    kept = before if isinstance(before, dict) else {}
    assert after == {**kept, "b": "{{ y }}"}
    assert '"1"' not in with_values(text, {"b": "y"}), "a number stays one"
