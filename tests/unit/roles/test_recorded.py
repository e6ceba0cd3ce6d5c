"""Every recorded daemon.json becomes what is written beside it, on every engine, without loss."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.hardhost_keys import KEYS
from ansible.module_utils.hardhost_options import OptionsError, parse

from tests.recorded.inputs import ENGINES, MERGED, REFUSED, Recorded, recorded
from tests.recorded.outcome import outcome

EVERY = recorded()


def test_there_are_as_many_as_promised() -> None:
    assert len(EVERY) >= 200
    kinds = {kind(one.expect[engine]) for one in EVERY for engine in ENGINES}
    assert kinds == {"merged", "refused", "held"}


def kind(expected: Any) -> str:
    return expected if isinstance(expected, str) else str(next(iter(expected)))


@pytest.mark.parametrize("one", EVERY, ids=lambda one: one.name)
def test_becomes_what_is_expected(one: Recorded) -> None:
    """As a file that nobody has tried yet: what dockerd would refuse is left alone."""
    for engine in ENGINES:
        found, written = outcome(one.data, engine)
        expected = one.expect[engine]
        if kind(expected) == REFUSED:
            assert kind(found) == REFUSED, (engine, found)
            assert expected[REFUSED] in found[REFUSED], engine
            assert written == one.data
        else:
            assert found == expected, engine
            assert written != one.data or found != MERGED


@pytest.mark.parametrize("one", EVERY, ids=lambda one: one.name)
def test_is_the_same_where_the_daemon_runs_with_it(one: Recorded) -> None:
    """What a daemon runs with is treated no worse, and nothing of it is lost either."""
    for engine in ENGINES:
        if kind(one.expect[engine]) != REFUSED:
            assert outcome(one.data, engine, in_force=True)[0] == one.expect[engine], engine


def test_every_key_that_is_known_is_recorded() -> None:
    found = {key for one in EVERY for key in keys(one.data)}
    assert set(KEYS) <= found


def keys(data: bytes | None) -> list[str]:
    """Those of a file that can be read."""
    try:
        return list(parse(data))
    except OptionsError:
        return []
