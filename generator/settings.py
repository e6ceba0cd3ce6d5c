"""The settings of controls as leaves: literals, and wishes that name an input or bad values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from generator.model import Origin

Path = tuple[str, ...]
WISH_KEYS = frozenset({"from_input", "never", "when", "without"})


class Leaf(NamedTuple):
    """One value that one control wants."""

    path: Path
    value: Any
    control: str
    origin: Origin


class Conflict(NamedTuple):
    """Two controls that want different things in one place."""

    first: Leaf
    second: Leaf


def is_wish(value: object) -> bool:
    return isinstance(value, Mapping) and not WISH_KEYS.isdisjoint(value)


def leaves(settings: Mapping[str, Any], above: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every leaf with its path; a wish, a list and an empty map are leaves."""
    for key, value in settings.items():
        path = (*above, key)
        if isinstance(value, Mapping) and value and not is_wish(value):
            yield from leaves(value, path)
        else:
            yield path, value


def conflicts(wanted: Iterable[Leaf]) -> Iterator[Conflict]:
    """Pairs of leaves that differ in value, or of which one lies inside the other."""
    settled: dict[Path, Leaf] = {}
    below: dict[Path, Leaf] = {}  # every path that leads to a settled leaf
    for leaf in wanted:
        above = [leaf.path[:length] for length in range(1, len(leaf.path))]
        rival = settled.get(leaf.path)
        if rival is not None and _same(rival.value, leaf.value):
            continue
        for path in above:
            rival = rival or settled.get(path)
        rival = rival or below.get(leaf.path)
        if rival is not None:
            yield Conflict(rival, leaf)
            continue
        settled[leaf.path] = leaf
        below.update((path, leaf) for path in above)


def dotted(path: Path) -> str:
    return ".".join(path)


def _same(one: object, other: object) -> bool:
    """Equal in value and type: 1 and true are different wishes."""
    return type(one) is type(other) and one == other
