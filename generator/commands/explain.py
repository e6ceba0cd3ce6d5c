"""`hardhost explain CONTROL|PROFILE`: what, why, at what price, and where values come from."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

from generator import console, wording
from generator.commands.load import Library, load
from generator.content import Content
from generator.errors import UnknownName, one_of, shown
from generator.model import Control, Plan, Profile
from generator.resolve import resolve

_WIDTH = 88


def explain(content: Content, name: str, output_format: str) -> int:
    """Explain one control or one profile."""
    library = load(content)
    if name in library.catalog.controls:
        return _explain_control(library, library.catalog.controls[name], output_format)
    if name in library.profiles:
        return _explain_profile(library, library.profiles[name], output_format)
    same_name = [one.id for one in library.catalog.controls.values() if one.name == name]
    if len(same_name) == 1:
        return _explain_control(library, library.catalog.controls[same_name[0]], output_format)
    if same_name:
        raise UnknownName(f"'{name}' may be any of: {', '.join(same_name)}")
    names = {one.name for one in library.catalog.controls.values()}
    everything = {*library.catalog.controls, *library.profiles, *names}
    raise UnknownName(f"unknown control or profile '{name}'{one_of(name, everything)}")


def _explain_control(library: Library, control: Control, output_format: str) -> int:
    members = _memberships(library, control)
    if output_format == "json":
        data = control.file.model_dump(mode="json", by_alias=True)
        place = {"id": control.id, "check": control.check, "profiles": members}
        console.print_json({**data, **place, "file": shown(control.path)})
        return 0
    file = control.file
    console.print_heading(f"{control.id}: {wording.line(file.title)}")
    for label, text in (("Why", file.rationale), ("Impact", file.impact)):
        console.print_text(f"\n{label}")
        console.print_text(_wrapped(text))
    console.print_text("")
    _print_facts([*_gates(control), *_references(control)])
    settings = wording.wanted(file.settings)
    console.print_text("\nSets" if settings else "\nSets nothing: this control is verified only.")
    for leaf, wanted in settings:
        console.print_text(_wrapped(f"{leaf}: {wording.value(wanted)}"))
        for source in [text for name, text in file.sources.items() if _covers(name, leaf)]:
            console.print_text(_wrapped(f"from: {source}", indentation="      "))
    console.print_text("\nIn the profiles" if members else "\nIn no profile.")
    _print_facts([(name, mode) for name, mode in members.items()])
    return 0


def _memberships(library: Library, control: Control) -> dict[str, str]:
    return {
        name: profile.members[control.id].mode
        for name, profile in library.profiles.items()
        if control.id in profile.members
    }


def _covers(name: str, leaf: str) -> bool:
    return leaf == name or leaf.startswith(f"{name}.")


def _gates(control: Control) -> Iterator[tuple[str, str]]:
    file = control.file
    yield "severity", file.severity
    yield "disruption", file.disruption
    yield "engine", file.engine or "any"
    yield "platforms", ", ".join(file.platforms) or "any"
    for name, text in file.needs.items():
        yield "needs", f"{name}: {wording.line(text)}"
    if file.requires:
        yield "requires", ", ".join(file.requires)
    if file.unless:
        yield "gives way to", ", ".join(file.unless)
    if file.applied_by:
        yield "applied by", f"{file.applied_by}: true, where a profile only reports it"
    if file.preconditions:
        yield "held back unless", ", ".join(file.preconditions)
    yield "check", control.check
    yield "file", shown(control.path)


def _references(control: Control) -> Iterator[tuple[str, str]]:
    for benchmark, ids in sorted(control.file.references.items()):
        yield benchmark, ", ".join(ids)


def _explain_profile(library: Library, profile: Profile, output_format: str) -> int:
    plan = resolve(library.catalog, profile)
    if output_format == "json":
        data = {"description": profile.description, "lineage": profile.lineage}
        console.print_json({**data, **plan.model_dump(mode="json", by_alias=True)})
        return 0
    console.print_heading(f"{profile.name}: {wording.line(profile.title)}")
    if profile.description:
        console.print_text(_wrapped(profile.description))
    console.print_text("")
    lineage = " < ".join(profile.lineage[1:]) or "nothing"
    _print_facts(
        [("group", profile.group), ("extends", lineage), ("file", shown(profile.origin.path))]
    )
    console.print_text("")
    headers = ("CONTROL", "MODE", "SEVERITY", "DISRUPTION", "FROM", "TITLE")
    rows = [
        (one.id, one.mode, one.severity, one.disruption, one.source, wording.line(one.title))
        for one in plan.controls
    ]
    console.print_table(headers, rows)
    _print_inputs(plan)
    _print_exceptions(plan)
    return 0


def _print_inputs(plan: Plan) -> None:
    rows = [
        (name, one.type, wording.value(one.value), one.source) for name, one in plan.inputs.items()
    ]
    if rows:
        console.print_text("")
        console.print_table(("INPUT", "TYPE", "VALUE", "FROM"), rows)


def _print_exceptions(plan: Plan) -> None:
    waived = [(one.id, one.waiver) for one in plan.controls if one.waiver]
    if waived:
        console.print_text("")
        rows = [
            (identity, waiver.expires.isoformat(), waiver.owner, wording.line(waiver.reason))
            for identity, waiver in waived
        ]
        console.print_table(("EXCEPTION", "EXPIRES", "OWNER", "REASON"), rows)


def _print_facts(facts: list[tuple[str, Any]]) -> None:
    for line in console.aligned([("", *fact) for fact in facts]) if facts else []:
        console.print_text(line)


def _wrapped(text: str, indentation: str = "  ") -> str:
    return textwrap.fill(
        wording.line(text),
        _WIDTH,
        initial_indent=indentation,
        subsequent_indent=indentation,
        break_long_words=False,
        break_on_hyphens=False,
    )
