"""Reads profiles/*.yml, checks them against the catalog and gives each what it inherits."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from generator import yamlfile
from generator.arguments import expected_type, value_problems
from generator.catalog import Catalog
from generator.errors import Problems, one_of, shown
from generator.model import (
    NAME,
    NAME_RULE,
    Given,
    Granted,
    Member,
    Mode,
    Origin,
    Profile,
    ProfileFile,
    Waiver,
)
from generator.parse import parse
from generator.yamlfile import Document, Location

NOT_GROUPS = frozenset({"all", "ungrouped"})


class _Page(NamedTuple):
    """One profile file before inheritance."""

    name: str
    file: ProfileFile
    document: Document

    def origin(self, *at: str | int) -> Origin:
        path = self.document.path
        return Origin(f"profiles/{path.name}", path, self.document.line(at))


def load_profiles(
    directories: Iterable[Path], catalog: Catalog, problems: Problems
) -> dict[str, Profile]:
    """Every profile by name; what cannot be used is noted and left out."""
    pages: dict[str, _Page] = {}
    broken: set[str] = set()
    for path in _profile_files(directories, problems):
        if path.stem in pages:
            other = shown(pages[path.stem].document.path)
            problems.add(path, 0, f"profile '{path.stem}' exists already in {other}; rename one")
            continue
        page = None
        with problems.collecting():
            page = _load_page(path, catalog, problems)
        if page is not None:
            pages[path.stem] = page
        else:
            broken.add(path.stem)
    sound = {
        name: page for name, page in pages.items() if _has_lineage(page, pages, broken, problems)
    }
    profiles: dict[str, Profile] = {}
    for name in sound:
        _inherit(name, sound, profiles, catalog, problems)
    return dict(sorted(profiles.items()))


def check_inputs(
    document: Document,
    at: Location,
    inputs: Mapping[str, object],
    catalog: Catalog,
    problems: Problems,
) -> None:
    """Every input exists, and its value has the type that the role declares."""
    for name, value in inputs.items():
        known = catalog.inputs.get(name)
        if known is None:
            if not catalog.may_have_input(name):
                text = f"unknown input '{name}'{one_of(name, catalog.inputs)}"
                problems.note(document.problem((*at, name), text))
        elif known.option.secret:
            text = "is a secret, and would stand in plan.json: give it in the inventory, vaulted"
            problems.note(document.problem((*at, name), f"'{name}' {text}"))
        else:
            problems.extend(value_problems(document, (*at, name), known.option, value))


def input_type(catalog: Catalog, location: Location) -> str:
    """The type that a doubtful scalar below `inputs` may be read as."""
    return expected_type({name: one.option for name, one in catalog.inputs.items()}, location)


def check_group(document: Document, at: Location, group: str | None, problems: Problems) -> None:
    if group in NOT_GROUPS:
        text = f"group '{group}' holds every host; name the group that should get this profile"
        problems.note(document.problem(at, text))


def _profile_files(directories: Iterable[Path], problems: Problems) -> list[Path]:
    found = []
    for directory in directories:
        for path in sorted(directory.iterdir()):
            if path.suffix not in (".yml", ".yaml") or path.name.startswith("."):
                continue
            if path.suffix == ".yml" and re.match(NAME, path.stem):
                found.append(path)
            else:
                problems.add(path, 0, f"not the name of a profile; {NAME_RULE}, and ends in .yml")
    return found


def _load_page(path: Path, catalog: Catalog, problems: Problems) -> _Page | None:
    def expected(location: Location) -> str:
        if location[0] == "except" and location[-1] == "expires":
            return "date"
        return input_type(catalog, location[1:]) if location[0] == "inputs" else "text"

    document = yamlfile.read(path)
    file = parse(ProfileFile, document, expected, problems)
    if file is None:
        return None
    page = _Page(path.stem, file, document)
    for key, roles in (("controls", page.file.controls), ("report", page.file.report)):
        for role, names in roles.items():
            _check_controls(document, (key, role), names, catalog, problems)
    check_inputs(document, ("inputs",), page.file.inputs, catalog, problems)
    check_group(document, ("group",), page.file.group or page.name, problems)
    for identity in page.file.exceptions:
        if catalog.has_control(identity):
            continue
        text = f"unknown control '{identity}'{one_of(identity, catalog.controls)}"
        problems.note(document.problem(("except", identity), text))
    for identity in _ids(page.file.controls) & _ids(page.file.report):
        text = f"control '{identity}' is in 'controls' and in 'report'; keep one"
        problems.note(document.problem(("report", identity.split("/")[0]), text))
    return page


def _check_controls(
    document: Document, at: Location, names: Iterable[str], catalog: Catalog, problems: Problems
) -> None:
    role = str(at[1])
    if role not in catalog.roles:
        text = f"unknown role '{role}'{one_of(role, catalog.roles)}"
        problems.note(document.problem(at, text))
        return
    seen: set[str] = set()
    for number, name in enumerate(names):
        identity = f"{role}/{name}"
        if not catalog.has_control(identity):
            near = one_of(identity, (control.id for control in catalog.roles[role].controls))
            text = f"unknown control '{identity}'{near}"
            problems.note(document.problem((*at, number), text))
        elif name in seen:
            text = f"control '{identity}' is listed twice"
            problems.note(document.problem((*at, number), text))
        seen.add(name)


def _ids(chosen: Mapping[str, Iterable[str]]) -> set[str]:
    return {f"{role}/{name}" for role, names in chosen.items() for name in names}


def _has_lineage(
    page: _Page, pages: Mapping[str, _Page], broken: Collection[str], problems: Problems
) -> bool:
    """Whether following parents ends; notes an unknown parent, and a circle with this page."""
    lineage, parent = [page.name], page.file.extends
    while parent is not None and parent in pages and parent not in lineage:
        lineage.append(parent)
        parent = pages[parent].file.extends
    if parent is None:
        return True
    text = None
    if parent == page.name:
        text = f"'extends' goes in a circle: {' -> '.join([*lineage, parent])}"
    elif parent == page.file.extends and parent not in pages and parent not in broken:
        text = f"unknown profile '{parent}'{one_of(parent, pages)}"
    if text:
        problems.note(page.document.problem(("extends",), text))
    return False


def _inherit(
    name: str,
    pages: Mapping[str, _Page],
    done: dict[str, Profile],
    catalog: Catalog,
    problems: Problems,
) -> Profile:
    if name in done:
        return done[name]
    page = pages[name]
    above = page.file.extends
    parent = _inherit(above, pages, done, catalog, problems) if above else None
    members = {**(parent.members if parent else {}), **_members(page)}
    waivers = _waivers(page, parent.waivers if parent else {}, members, problems)
    done[name] = Profile(
        name=name,
        title=page.file.title,
        description=page.file.description,
        group=page.file.group or name,
        lineage=(name, *(parent.lineage if parent else ())),
        members={name: members[name] for name in sorted(members.keys() & catalog.controls.keys())},
        inputs={**(parent.inputs if parent else {}), **_given(page)},
        waivers=waivers,
        origin=page.origin(),
    )
    return done[name]


def _members(page: _Page) -> dict[str, Member]:
    choices: tuple[tuple[str, Mode, Mapping[str, tuple[str, ...]]], ...] = (
        ("controls", "apply", page.file.controls),
        ("report", "report", page.file.report),
    )
    return {
        f"{role}/{name}": Member(mode, page.origin(key, role, number))
        for key, mode, chosen in choices
        for role, names in chosen.items()
        for number, name in enumerate(names)
    }


def _given(page: _Page) -> dict[str, Given]:
    return {
        name: Given(value, page.origin("inputs", name)) for name, value in page.file.inputs.items()
    }


def _waivers(
    page: _Page, inherited: Mapping[str, Granted], members: Mapping[str, Member], problems: Problems
) -> dict[str, Granted]:
    waivers = dict(inherited)
    for identity, waiver in page.file.exceptions.items():
        at = ("except", identity)
        if isinstance(waiver, Waiver):
            waivers[identity] = Granted(waiver, page.origin(*at))
            if identity not in members:
                text = f"exception for '{identity}', which profile '{page.name}' does not hold"
                problems.note(page.document.problem(at, text))
        elif waivers.pop(identity, None) is None:
            text = f"'drop' for '{identity}', but no exception for it is inherited"
            problems.note(page.document.problem(at, text))
    return waivers
