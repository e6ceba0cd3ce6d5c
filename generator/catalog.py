"""Reads roles/*/controls/*.yml into the Catalog: the directory is the registry."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from generator import yamlfile
from generator.arguments import inputs_of, is_settings, read_defaults, read_options
from generator.content import Content
from generator.errors import InvalidContent, Problem, Problems, shown
from generator.layout import MECHANISM_CHECKS
from generator.model import (
    NAME,
    NAME_RULE,
    Control,
    ControlFile,
    Frozen,
    Input,
    Name,
    Names,
    Role,
    Text,
)
from generator.parse import parse
from generator.yamlfile import Document


class Catalog(NamedTuple):
    """All roles and controls that a profile can choose from."""

    roles: Mapping[str, Role]
    controls: Mapping[str, Control]
    inputs: Mapping[str, Input]
    broken: frozenset[str]  # controls and roles that are there but could not be read

    def has_control(self, identity: str) -> bool:
        return identity in self.controls or identity in self.broken

    def may_have_input(self, name: str) -> bool:
        """Whether an unknown input may belong to a role whose arguments could not be read."""
        return any(name.startswith(f"{role}_") for role in self.broken)


class LoadedControl(NamedTuple):
    """A control with the document it came from, for checks that tell a line."""

    control: Control
    document: Document


class RoleFile(Frozen):
    """What `roles/<role>/meta/hardhost.yml` says; a role needs none."""

    check: str | None = None  # the check that proves the role's ordinary controls
    only_with: dict[str, Names] = {}  # file -> the settings variables without which it is left out
    # settings variable -> pattern of a name in it -> value -> why a control with that is refused
    refused: dict[Name, dict[str, dict[str, Text]]] = {}
    # settings variable -> letter -> the one that means the same in names; `refused` has that one
    alike: dict[Name, dict[str, str]] = {}


def load_catalog(content: Content, problems: Problems) -> tuple[Catalog, list[LoadedControl]]:
    """Read every role; what cannot be read is noted and left out."""
    roles: dict[str, Role] = {}
    loaded: list[LoadedControl] = []
    broken: set[str] = set()
    for path in _role_directories(content.roles, problems):
        if path.name in roles:
            other = shown(roles[path.name].path)
            problems.add(path, 0, f"role '{path.name}' exists already in {other}; rename one")
            continue
        controls = list(_load_controls(path, problems, broken))
        loaded += controls
        roles[path.name] = _load_role(path, [one.control for one in controls], problems, broken)
    controls_by_id = {one.control.id: one.control for one in loaded}
    inputs = {one.option.name: one for role in roles.values() for one in role.inputs}
    catalog = Catalog(
        dict(sorted(roles.items())),
        dict(sorted(controls_by_id.items())),
        dict(sorted(inputs.items())),
        frozenset(broken),
    )
    return catalog, loaded


def precondition_names(module: Path) -> frozenset[str] | None:
    """The keys of the registry, read without running it; None where the module is not there."""
    if not module.is_file():
        return None
    for node in _parsed(module).body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Name) and target.id == "PRECONDITIONS":
            keys = getattr(getattr(node, "value", None), "keys", [])
            return frozenset(str(key.value) for key in keys if isinstance(key, ast.Constant))
    return frozenset()


def _parsed(module: Path) -> ast.Module:
    try:
        return ast.parse(module.read_bytes())
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        # Some of these come without a line, or with more text than tells anything.
        problem = Problem(shown(module), getattr(error, "lineno", 0) or 0, "not valid Python")
        raise InvalidContent([problem]) from None


def _role_directories(directories: Iterable[Path], problems: Problems) -> list[Path]:
    found = []
    for directory in directories:
        for path in sorted(directory.iterdir()):
            if not path.is_dir() or path.name.startswith((".", "__")):
                continue
            if re.match(NAME, path.name):
                found.append(path)
            else:
                problems.add(path, 0, f"not the name of a role; {NAME_RULE}")
    return found


def _load_controls(role: Path, problems: Problems, broken: set[str]) -> Iterable[LoadedControl]:
    about = _about(role, problems)
    check = about.check or MECHANISM_CHECKS.get(role.name, role.name)
    for path in _control_files(role, problems):
        file = None
        with problems.collecting():
            document = yamlfile.read(path)
            file = parse(ControlFile, document, lambda _: "text", problems)
        if file is None:
            broken.add(f"{role.name}/{path.stem}")
        else:
            control = Control(role.name, path.stem, file, file.check or check, path)
            yield LoadedControl(control, document)


def _load_role(
    path: Path, controls: Iterable[Control], problems: Problems, broken: set[str]
) -> Role:
    try:
        options, defaults = read_options(path, problems), read_defaults(path)
    except InvalidContent as error:
        problems.extend(error.problems)
        broken.add(path.name)
        options, defaults = {}, {}
    about = _about(path, Problems())
    return Role(
        name=path.name,
        path=path,
        settings=frozenset(name for name, option in options.items() if is_settings(option)),
        inputs=tuple(inputs_of(path.name, options, defaults)),
        controls=tuple(controls),
        only_with=about.only_with,
        refused=about.refused,
        alike=about.alike,
    )


def _control_files(role: Path, problems: Problems) -> list[Path]:
    """The control files of a role; a name that could not be an id is a problem, not a surprise."""
    directory = role / "controls"
    files = []
    for file in sorted(directory.iterdir()) if directory.is_dir() else []:
        if file.name.startswith(".") or file.name.endswith("~"):
            continue
        if file.suffix == ".yml" and re.match(NAME, file.stem):
            files.append(file)
        else:
            problems.add(file, 0, f"not the name of a control; {NAME_RULE}, and ends in .yml")
    return files


def _about(role: Path, problems: Problems) -> RoleFile:
    path = role / "meta" / "hardhost.yml"
    about = None
    if path.exists():
        with problems.collecting():
            about = parse(RoleFile, yamlfile.read(path), lambda _: "text", problems)
    return about or RoleFile()
