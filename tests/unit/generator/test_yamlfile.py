"""The strict reader: what YAML would guess is refused, and every refusal has its line."""

from __future__ import annotations

import contextlib
import os
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from generator.errors import InvalidContent
from generator.yamlfile import LARGEST_FILE, Document, read


def document(tmp_path: Path, text: str | bytes) -> Document:
    path = tmp_path / "file.yml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read(path)


def refusal(tmp_path: Path, text: str | bytes) -> list[str]:
    """The messages for a text, without the path."""
    with pytest.raises(InvalidContent) as raised:
        document(tmp_path, text)
    return [message.rpartition("file.yml")[2] for message in raised.value.messages()]


def test_plain_values_keep_their_types_and_order(tmp_path: Path) -> None:
    text = "b: text\na: [1, -2, true, false, null, '0644', 5.20.1]\nc: {}\n"
    data = document(tmp_path, text).data
    assert data == {"b": "text", "a": [1, -2, True, False, None, "0644", "5.20.1"], "c": {}}
    assert list(data) == ["b", "a", "c"]


def test_every_key_and_item_has_its_line(tmp_path: Path) -> None:
    found = document(tmp_path, "# comment\na:\n  - x\n  - b: 1\n\nc: >-\n  long\n")
    assert found.line(("a",)) == 2
    assert found.line(("a", 0)) == 3
    assert found.line(("a", 1, "b")) == 4
    assert found.line(("c",)) == 6
    assert found.line(("a", 1, "unknown", "deeper")) == 4


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("off", "bool"),
        ("Yes", "bool"),
        ("TRUE", "bool"),
        ("0644", "number"),
        ("0x1F", "number"),
        ("0b11", "number"),
        ("1_000", "number"),
        ("1:30", "number"),
        ("+5", "number"),
        ("99999999999999999999", "number"),
        ("5.20", "float"),
        ("5.", "number"),
        (".inf", "number"),
        (".nan", "number"),
        ("2027-03-31", "date"),
        ("2027-13-31", "other"),
        ("2027-03-31 10:00:00", "other"),
        ("=", "other"),
    ],
)
def test_what_yaml_guesses_is_doubtful(tmp_path: Path, text: str, kind: str) -> None:
    found = document(tmp_path, f"key: {text}\n")
    assert found.doubtful[("key",)].type == kind
    assert found.data == {"key": text}, "as long as nobody decides it stays the text"


@pytest.mark.parametrize("text", ["off", "0644", "5.20", "2027-03-31", "1:30"])
def test_quoted_text_is_never_doubtful(tmp_path: Path, text: str) -> None:
    found = document(tmp_path, f"a: '{text}'\nb: \"{text}\"\nc: |-\n  {text}\n")
    assert found.data == {"a": text, "b": text, "c": text}
    assert not found.doubtful


def test_a_doubtful_scalar_is_read_where_its_type_is_expected(tmp_path: Path) -> None:
    found = document(tmp_path, "flag: off\nratio: 5.20\nday: 2027-03-31\nmode: 0644\n")
    types = {"flag": "bool", "ratio": "float", "day": "date", "mode": "int"}
    settled = found.settled(lambda location: types[str(location[0])])
    assert settled == {"flag": False, "ratio": 5.2, "day": date(2027, 3, 31), "mode": "0644"}


def test_messages_say_what_yaml_reads_and_what_to_write(tmp_path: Path) -> None:
    found = document(tmp_path, "mode: 0644\nflag: off\n")
    mode, flag = found.doubtful[("mode",)], found.doubtful[("flag",)]
    assert mode.message(("mode",), "text") == (
        "'mode' is the unquoted 0644, which YAML reads as the number 420; quote it: \"0644\""
    )
    assert mode.message(("mode",), "int").endswith("; write a plain decimal number")
    assert flag.message(("a", "flag"), "text") == (
        "'a.flag' is the unquoted off, which YAML reads as false; write false, or quote it: \"off\""
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", ":3: key 'a' is given twice (first in line 1)"),
        (b"a: 1\nb: \xff\n", ":2: not valid UTF-8; save the file as UTF-8"),
        ("a: 1".encode("utf-16"), ":1: not valid UTF-8; save the file as UTF-8"),
        ("a: &x [1]\nb: *x\n", ":1: anchors and aliases (& and *) are not accepted; write the value out"),
        ("<<: {a: 1}\n", ":1: a merge key ('<<'); write the values out"),
        ("a: !!str 5\n", ":1: the tag 'tag:yaml.org,2002:str' is not accepted; only plain values are"),
        ("a: !vault x\n", ":1: the tag '!vault' is not accepted; only plain values are"),
        ("a: 1\n---\nb: 2\n", ":2: a second document ('---'); one document is accepted"),
        ("a:\n\tb: 1\n", ":2: a tab in the indentation; use spaces"),
        ("a: 1\nb: \x07\n", ":2: control character '\\x07'; remove it"),
        ("a: 1\nb: \x00\n", ":2: control character '\\x00'; remove it"),
        ('a: "\\e[31mred"\n', ":1: a control character in a quoted text; remove it"),
        ("on: 1\n", ":1: key 'on' is not text to YAML; quote it: \"on\""),
        ("a:\n  5.20: 1\n", ":2: key 'a.5.20' is not text to YAML; quote it: \"5.20\""),
        ("? [a]\n: 1\n", ":1: a key that is not text; keys are plain words"),
        ("a: " + "[" * 3000 + "]" * 3000, ":1: nested deeper than 40 levels"),
        ("a: b: c\n", ":1: not valid YAML: mapping values are not allowed in this context"),
    ],
)  # fmt: skip
def test_refusals(tmp_path: Path, text: str | bytes, message: str) -> None:
    assert refusal(tmp_path, text) == [message]


def test_python_tags_are_refused_and_not_run(tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    messages = refusal(tmp_path, f'a: !!python/object/apply:os.mkdir ["{proof}"]\n')
    assert messages == [
        ":1: the tag 'tag:yaml.org,2002:python/object/apply:os.mkdir' is not accepted; "
        "only plain values are"
    ]
    assert not proof.exists()


def test_an_alias_bomb_is_refused_without_being_expanded(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 40)]
    assert len(refusal(tmp_path, "\n".join(lines))) == 1


def test_all_problems_of_a_file_are_told(tmp_path: Path) -> None:
    messages = refusal(tmp_path, "a: !x 1\na: 2\non: {a: 1, a: 2}\nb: &y 1\n")
    assert [message.split(":")[1] for message in messages] == ["1", "2", "3", "3", "4"]


def test_a_value_below_a_repeated_key_is_skipped_whole(tmp_path: Path) -> None:
    assert refusal(tmp_path, "a: 1\na: {x: [1, {y: 2}]}\nb: 3\n") == [
        ":2: key 'a' is given twice (first in line 1)"
    ]


def test_a_large_file_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "file.yml"
    with path.open("wb") as file:
        file.truncate(50_000_000)
    with pytest.raises(InvalidContent, match="too large; at most 1 MB"):
        read(path)
    assert LARGEST_FILE == 1_000_000


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yml")
    with pytest.raises(InvalidContent, match="not a regular file"):
        read(tmp_path / "pipe.yml")
    with pytest.raises(InvalidContent, match="not a regular file"):
        read(tmp_path / "missing.yml")


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**15), 10**15) | st.text(st.characters(codec="ascii", min_codepoint=32, exclude_characters="\x7f")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcdefgh", min_size=3), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(data=PLAIN)
def test_what_yaml_writes_is_read_back(tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    path = tmp_path_factory.getbasetemp() / "round.yml"
    path.write_text(yaml.safe_dump(data, default_flow_style=False), encoding="utf-8")
    assert read(path).data == data


@given(content=st.binary(max_size=200))
def test_bytes_are_read_or_refused_but_never_crash(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "noise.yml"
    path.write_bytes(content)
    with contextlib.suppress(InvalidContent):
        read(path)


@given(text=st.text(st.sampled_from("ab:-[]{}&*!|>'\"#?%@`, \n<=~0159."), max_size=60))
def test_text_of_yaml_signs_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "signs.yml"
    path.write_text(text, encoding="utf-8")
    with contextlib.suppress(InvalidContent):
        found = read(path)
        assert all(found.line(location) > 0 for location in found.doubtful)
