"""The ranges for userns-remap overlap nobody's, and are made only where they are missing."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils import hardhost_subids as subids
from hypothesis import given
from hypothesis import strategies as st

EMPTY: dict[str, Any] = {"subuid": [], "subgid": [], "users": {"root": 0}, "groups": {"root": 0}}


def identities(**changed: Any) -> dict[str, Any]:
    return {**EMPTY, **changed}


def test_a_fresh_host_gets_user_and_ranges() -> None:
    line = "dockremap:100000:65536"
    assert subids.needed("default", EMPTY) == {
        "user": "dockremap", "create_user": True, "subuid": line, "subgid": line
    }  # fmt: skip


def test_a_persons_range_is_not_handed_out_again() -> None:
    taken = identities(subuid=[["alice", 100000, 65536]], subgid=[["alice", 165536, 65536]])
    assert subids.needed("default", taken)["subuid"] == "dockremap:231072:65536"


def test_real_users_count_too() -> None:
    taken = identities(users={"ldap": 120000}, groups={"ldap": 180000})
    assert subids.free_start(taken) == 180001


def test_a_host_that_has_it_all_needs_nothing() -> None:
    there = identities(
        users={"dockremap": 110},
        subuid=[["dockremap", 500000, 65536]],
        subgid=[["dockremap", 500000, 65536]],
    )
    assert subids.needed("default", there) == {
        "user": "dockremap", "create_user": False, "subuid": None, "subgid": None
    }  # fmt: skip


def test_a_run_killed_between_the_files_goes_on_with_the_same_range() -> None:
    there = identities(users={"dockremap": 110}, subuid=[["dockremap", 100000, 65536]])
    assert subids.needed("default", there)["subgid"] == "dockremap:100000:65536"


def test_another_range_where_a_group_is_in_it_already() -> None:
    there = identities(
        users={"dockremap": 110},
        subuid=[["dockremap", 100000, 65536]],
        groups={"ldap": 120000},
    )
    assert subids.needed("default", there)["subgid"] == "dockremap:165536:65536"


def test_a_range_that_is_too_small_is_not_enough() -> None:
    there = identities(users={"dockremap": 110}, subuid=[["dockremap", 500000, 1000]])
    assert subids.needed("default", there)["subuid"]


@pytest.mark.parametrize(
    ("option", "user"), [("default", "dockremap"), ("alice", "alice"), ("alice:staff", "alice")]
)
def test_the_user_of_the_option(option: str, user: str) -> None:
    assert subids.user_of(option) == user


ranges = st.lists(
    st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 2_000_000), st.integers(1, 300_000)).map(
        list
    ),
    max_size=8,
)
numbers = st.dictionaries(st.text(max_size=3), st.integers(0, 2_000_000), max_size=5)


@given(ranges, ranges, numbers, numbers)
def test_the_range_found_is_free(
    subuid: list[Any], subgid: list[Any], users: dict[str, int], groups: dict[str, int]
) -> None:
    found = {"subuid": subuid, "subgid": subgid, "users": users, "groups": groups}
    start = subids.free_start(found)
    wanted = range(start, start + subids.COUNT)
    assert start >= subids.FIRST
    assert not any(
        begin < wanted.stop and begin + count > start for _name, begin, count in subuid + subgid
    )
    assert not any(number in wanted for number in [*users.values(), *groups.values()])
