"""`hardhost diff A B`: what would change from one profile or rendered project to another."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from generator import console, wording
from generator.commands.load import Library, load
from generator.content import Content
from generator.errors import HardhostError, UnknownName, one_of, shown
from generator.model import Plan, PlannedControl
from generator.render import MANIFEST, PLAN, render
from generator.resolve import resolve
from generator.write import read_manifest

# These follow from the plan, whose differences are told in words.
_DERIVED = frozenset({PLAN, MANIFEST, "CONTROLS.md"})

_COLOURS = {"+": "32", "-": "31", "~": "33"}


class Difference(NamedTuple):
    """One thing that A and B do not agree on; None where a side does not have it."""

    subject: str
    what: str
    before: Any
    after: Any


class _Side(NamedTuple):
    """One of the two: its plan, and its files (path -> content)."""

    plan: Plan
    files: Mapping[str, bytes]
    is_directory: bool


def diff(content: Content, first: str, second: str, output_format: str) -> int:
    """Print the differences; 1 where there are any."""
    library = load(content)
    before, after = (_side(library, name) for name in (first, second))
    found = [*differences(before.plan, after.plan)]
    if before.is_directory or after.is_directory:
        found += file_differences(before.files, after.files)
    if output_format == "json":
        console.print_json([difference._asdict() for difference in found])
    else:
        for difference in found:
            line = _line(difference)
            console.print_painted(line, _COLOURS[line[0]])
    return 1 if found else 0


def differences(before: Plan, after: Plan) -> Iterator[Difference]:
    """What differs between two plans, controls first."""
    old = {control.id: control for control in before.controls}
    new = {control.id: control for control in after.controls}
    for identity in sorted(old.keys() | new.keys()):
        yield from _control_differences(identity, old.get(identity), new.get(identity))
    for name in sorted(before.inputs.keys() | after.inputs.keys()):
        values = [
            plan.inputs[name].value if name in plan.inputs else None for plan in (before, after)
        ]
        if values[0] != values[1]:
            yield Difference(f"input {name}", "value", *values)
    if before.group != after.group:
        yield Difference("project", "group", before.group, after.group)


def file_differences(
    before: Mapping[str, bytes], after: Mapping[str, bytes]
) -> Iterator[Difference]:
    """Files with different content, by name."""
    for path in sorted((before.keys() | after.keys()) - _DERIVED):
        if before.get(path) != after.get(path):
            states = ["absent" if path not in files else "present" for files in (before, after)]
            same = states[0] == states[1]
            yield Difference(f"file {path}", "content" if same else "file", *states)


def _control_differences(
    identity: str, old: PlannedControl | None, new: PlannedControl | None
) -> Iterator[Difference]:
    if old is None or new is None:
        yield Difference(identity, "mode", old and old.mode, new and new.mode)
        return
    if old.mode != new.mode:
        yield Difference(identity, "mode", old.mode, new.mode)
    wanted = [dict(wording.wanted(control.settings)) for control in (old, new)]
    for leaf in sorted(wanted[0].keys() | wanted[1].keys()):
        values = [settings.get(leaf) for settings in wanted]
        if values[0] != values[1]:
            yield Difference(identity, leaf, *values)
    for key in (
        "severity",
        "disruption",
        "engine",
        "platforms",
        "preconditions",
        "check",
        "waiver",
    ):
        values = [_plain(getattr(control, key)) for control in (old, new)]
        if values[0] != values[1]:
            yield Difference(identity, key, *values)


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else value


def _side(library: Library, name: str) -> _Side:
    if name in library.profiles:
        plan = resolve(library.catalog, library.profiles[name])
        return _Side(plan, render(plan, library.catalog, library.content), is_directory=False)
    directory = Path(name)
    if not (directory / PLAN).is_file():
        text = (
            f"'{name}' is neither a profile nor a rendered project{one_of(name, library.profiles)}"
        )
        raise UnknownName(text)
    listed = sorted({*read_manifest(directory), PLAN})
    files = {
        path: (directory / path).read_bytes() for path in listed if (directory / path).is_file()
    }
    return _Side(_read_plan(directory / PLAN, files[PLAN]), files, is_directory=True)


def _read_plan(path: Path, text: bytes) -> Plan:
    try:
        json.loads(text)
        return Plan.model_validate_json(text)
    except (ValueError, ValidationError):
        raise HardhostError(f"{shown(path)}: not a plan of schema 1; render it again") from None


def _line(difference: Difference) -> str:
    subject, what, before, after = difference
    if what in ("mode", "file") and before in (None, "absent"):
        return f"+ {subject}" + (f" ({after})" if what == "mode" else "")
    if what in ("mode", "file") and after in (None, "absent"):
        return f"- {subject}" + (f" ({before})" if what == "mode" else "")
    if what == "content":
        return f"~ {subject}"
    return f"~ {subject}: {what}: {wording.value(before)} -> {wording.value(after)}"
