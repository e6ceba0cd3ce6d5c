"""daemon.json is read strictly, changed leaf by leaf, put back exactly, shown without secrets."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible.module_utils import hardhost_options as options
from hypothesis import given
from hypothesis import strategies as st

names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=8)
scalars = st.one_of(
    st.booleans(),
    st.none(),
    st.integers(-(2**53), 2**53),
    st.text(max_size=8),
    st.lists(st.text(max_size=4), max_size=3),
)
objects = st.recursive(
    st.dictionaries(names, scalars, max_size=4),
    lambda inner: st.dictionaries(names, scalars | inner, max_size=4),
)
wished = st.dictionaries(
    names, st.dictionaries(names, scalars, min_size=1, max_size=3) | scalars, max_size=4
)


def merged(
    data: dict[str, Any], wish: dict[str, Any]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    found: tuple[dict[str, Any], list[dict[str, Any]]] = options.merge(
        data, [{"id": "role/name", "settings": {"docker_daemon_options": wish}}]
    )
    return found


@pytest.mark.parametrize("data", [None, b"", b" \n\t", b"{}", b"\xef\xbb\xbf{}"])
def test_an_absent_or_empty_file_is_an_empty_object(data: bytes | None) -> None:
    assert options.parse(data) == {}


@pytest.mark.parametrize(
    ("data", "text"),
    [
        pytest.param(b'{\n"icc": false,\n}', "3: not JSON", id="trailing comma, with its line"),
        pytest.param(b'{"icc": fals', "1: not JSON", id="cut off"),
        pytest.param(b'{\n"a": "\xff"}', "2: not UTF-8", id="another encoding"),
        pytest.param(b"[]", "holds a list", id="a list"),
        pytest.param(b'"icc"', "holds a str", id="a text"),
        pytest.param(b"null", "holds a NoneType", id="null"),
        pytest.param(b'{"icc": true, "icc": false}', "'icc' stands twice", id="a key twice"),
        pytest.param(
            b'{"log-opts": {"a": "1", "a": "2"}}', "'a' stands twice", id="a key twice below"
        ),
        pytest.param(b'{"mtu": NaN}', "NaN is not JSON", id="NaN"),
        pytest.param(b'{"a":' * 100000, "1: ", id="nested too deeply"),
    ],
)
def test_what_dockerd_would_not_read_as_we_do_is_refused(data: bytes, text: str) -> None:
    with pytest.raises(options.OptionsError) as caught:
        options.parse(data)
    assert text in str(caught.value)
    assert str(caught.value).split(":")[0].isdigit()


@given(objects)
def test_what_is_written_is_read_as_the_same(value: dict[str, Any]) -> None:
    assert options.parse(options.word(value)) == value


@given(
    objects, st.sampled_from(["  ", "    ", "\t", " "]), st.sampled_from(["", "\n"]), st.booleans()
)
def test_indentation_last_newline_and_mark_stay(
    value: dict[str, Any], indent: str, end: str, mark: bool
) -> None:
    value["icc"] = True
    before = json.dumps(value, indent=indent, ensure_ascii=False).encode() + end.encode()
    before = (b"\xef\xbb\xbf" if mark else b"") + before
    assert options.word(value, before) == before


def test_half_a_character_does_not_stop_a_write() -> None:
    data = rb'{"labels": ["\ud800"]}'
    assert options.parse(options.word(options.parse(data), data)) == options.parse(data)


@given(objects, wished)
def test_put_back_gives_the_original(original: dict[str, Any], wish: dict[str, Any]) -> None:
    try:
        result, edits = merged(original, wish)
    except options.OptionsError:
        return  # a leaf below something that is no object; has a test of its own
    for edit in reversed(edits):
        assert options.look(result, edit["leaf"]) == edit["after"]
        result = options.put(result, edit["leaf"], edit["before"])
    assert options.without_empty(result) == options.without_empty(original)


@given(objects, wished)
def test_a_second_merge_changes_nothing(original: dict[str, Any], wish: dict[str, Any]) -> None:
    try:
        result, _edits = merged(original, wish)
    except options.OptionsError:
        return
    assert merged(result, wish) == (result, [])


@given(objects, wished)
def test_foreign_keys_and_their_order_stay(original: dict[str, Any], wish: dict[str, Any]) -> None:
    try:
        result, _edits = merged(original, wish)
    except options.OptionsError:
        return
    assert [key for key in result if key in original] == list(original)
    assert all(result[key] == original[key] for key in original if key not in wish)


def test_a_merge_leaves_its_input_alone() -> None:
    original = {"log-opts": {"tag": "x"}}
    merged(original, {"log-opts": {"max-size": "10m"}})
    assert original == {"log-opts": {"tag": "x"}}


def test_a_merge_says_what_was_there() -> None:
    _result, edits = merged(
        {"log-opts": {"max-size": "1g"}}, {"log-opts": {"max-size": "10m"}, "icc": False}
    )
    assert edits == [
        {
            "control": "role/name",
            "leaf": ["log-opts", "max-size"],
            "before": {"present": True, "value": "1g"},
            "after": {"present": True, "value": "10m"},
        },
        {
            "control": "role/name",
            "leaf": ["icc"],
            "before": {"present": False},
            "after": {"present": True, "value": False},
        },
    ]


def test_true_and_one_are_different_values() -> None:
    _result, edits = merged({"icc": 0}, {"icc": False})
    assert [edit["before"]["value"] for edit in edits] == [0]


def test_a_leaf_below_something_else_is_refused_by_name() -> None:
    with pytest.raises(
        options.OptionsError, match=r"log-opts holds .* where role/name needs an object"
    ):
        merged({"log-opts": "max-size=1g"}, {"log-opts": {"max-size": "10m"}})


@pytest.mark.parametrize(
    ("there", "after"),
    [
        pytest.param({"seccomp-profile": "unconfined"}, {}, id="a forbidden value is removed"),
        pytest.param({"seccomp-profile": "/own.json"}, None, id="another value stays"),
        pytest.param({}, None, id="absent stays absent"),
    ],
)
def test_a_wish_that_only_forbids(there: dict[str, Any], after: dict[str, Any] | None) -> None:
    result, edits = merged(there, {"seccomp-profile": {"never": ["unconfined"]}})
    assert result == (there if after is None else after)
    assert bool(edits) == (after is not None)


def test_taking_the_last_leaf_out_takes_its_object_too() -> None:
    assert options.put(
        {"log-opts": {"max-size": "1"}, "icc": True}, ("log-opts", "max-size"), options.ABSENT
    ) == {"icc": True}


@pytest.mark.parametrize("value", ["text", [], 0, {}, False])
def test_taking_out_what_is_not_there_changes_nothing(value: object) -> None:
    there = {"log-opts": value}
    assert options.put(there, ("log-opts", "max-size"), options.ABSENT) == there


SECRET = "hunter2"


def test_a_file_that_cannot_be_read_is_not_shown() -> None:
    shown = options.difference(b'{"http-proxy": "hunter2"', b"{}", "daemon.json")
    assert SECRET not in json.dumps(shown)


def test_changed_keys_tells_types_apart() -> None:
    before, after = {"icc": True, "mtu": 1, "bip": "a"}, {"icc": 1, "mtu": 1, "dns": []}
    assert options.changed_keys(before, after) == ["bip", "dns", "icc"]


PLAIN = {"without": ["*", "!fd://*", "!unix://*"]}


@pytest.mark.parametrize(
    ("there", "after"),
    [
        pytest.param(["fd://", "tcp://0.0.0.0:2375"], ["fd://"], id="an item is taken out"),
        pytest.param(["10.0.0.1:2375"], [], id="an emptied list stays, for a reload to see it"),
        pytest.param(["unix:///run/x.sock"], None, id="what is allowed stays"),
        pytest.param("tcp://x", "absent", id="a text that matches goes"),
    ],
)
def test_a_wish_without_patterns(there: Any, after: Any) -> None:
    result, edits = merged({"hosts": there}, {"hosts": PLAIN})
    if after == "absent":
        assert result == {}
    else:
        assert result == {"hosts": there if after is None else after}
    assert bool(edits) == (after is not None)
    again, more = merged(result, {"hosts": PLAIN})
    assert (again, more) == (result, [])
