"""Reads roles/*/controls/*.yml into the Catalog: the directory is the registry."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from generator import yamlfile
from generator.arguments import inputs_of, is_settings, read_defaults, read_options
from generator.content import Content
from generator.errors import Problems, one_of, shown
from generator.layout import ALWAYS, MECHANISM_CHECKS
from generator.model import NAME, Control, ControlFile, Input, Role
from generator.parse import parse
from generator.settings import dotted, is_wish, leaves
from generator.yamlfile import Document


class Catalog(NamedTuple):
    """All roles and controls that a profile can choose from."""

    roles: Mapping[str, Role]
    controls: Mapping[str, Control]
    inputs: Mapping[str, Input]


class _Loaded(NamedTuple):
    """A control with the document it came from, for the checks that need the whole catalog."""

    control: Control
    document: Document


def load_catalog(content: Content) -> Catalog:
    """Read every role; raises InvalidContent with the problems of all files."""
    problems = Problems()
    loaded: list[_Loaded] = []
    roles: dict[str, Role] = {}
    for path in _role_directories(content.roles, problems):
        if path.name in roles:
            text = (
                f"role '{path.name}' exists already in {shown(roles[path.name].path)}; rename one"
            )
            problems.add(path, 0, text)
            continue
        with problems.collecting():
            roles[path.name] = _load_role(path, problems, loaded)
    catalog = _catalog(roles)
    preconditions = precondition_names(content.preconditions)
    for one in loaded:
        _check_references(one, catalog, preconditions, problems)
    problems.raise_if_any()
    return catalog


def precondition_names(module: Path) -> frozenset[str] | None:
    """The keys of the registry, read without running it; None where the module is not there."""
    if not module.is_file():
        return None
    for node in ast.parse(module.read_text(encoding="utf-8")).body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Name) and target.id == "PRECONDITIONS":
            keys = getattr(getattr(node, "value", None), "keys", [])
            return frozenset(str(key.value) for key in keys if isinstance(key, ast.Constant))
    return frozenset()


def _catalog(roles: dict[str, Role]) -> Catalog:
    controls = {control.id: control for role in roles.values() for control in role.controls}
    inputs = {one.option.name: one for role in roles.values() for one in role.inputs}
    return Catalog(
        dict(sorted(roles.items())), dict(sorted(controls.items())), dict(sorted(inputs.items()))
    )


def _role_directories(directories: Iterable[Path], problems: Problems) -> list[Path]:
    found = []
    for directory in directories:
        if not directory.is_dir():
            problems.add(directory, 0, "not a directory; --roles takes a directory of roles")
            continue
        for path in sorted(directory.iterdir()):
            if not path.is_dir() or path.name.startswith((".", "__")):
                continue
            if re.match(NAME, path.name):
                found.append(path)
            else:
                problems.add(
                    path, 0, "the name of a role is lower-case letters, digits, underscores"
                )
    return found


def _load_role(path: Path, problems: Problems, loaded: list[_Loaded]) -> Role:
    options = read_options(path, problems)
    about = _about(path, problems)
    check = about.get("check") or MECHANISM_CHECKS.get(path.name, path.name)
    settings = frozenset(name for name, option in options.items() if is_settings(option))
    controls = []
    for file in control_files(path, problems):
        with problems.collecting():
            document = yamlfile.settle(yamlfile.read(file), lambda _: "text")
            parsed = parse(ControlFile, document)
            control = Control(path.name, file.stem, parsed, parsed.check or check, file)
            controls.append(control)
            loaded.append(_Loaded(control, document))
            _check_settings(control, document, settings, problems)
    return Role(
        name=path.name,
        path=path,
        settings=settings,
        inputs=tuple(inputs_of(path.name, options, read_defaults(path))),
        controls=tuple(controls),
        only_with={file: tuple(names) for file, names in (about.get("only_with") or {}).items()},
    )


def control_files(role: Path, problems: Problems) -> list[Path]:
    """The control files of a role; a name that could not be an id is a problem, not a surprise."""
    directory = role / "controls"
    files = []
    for file in sorted(directory.iterdir()) if directory.is_dir() else []:
        if file.name.startswith(".") or file.name.endswith("~"):
            continue
        if file.suffix == ".yml" and re.match(NAME, file.stem):
            files.append(file)
        else:
            problems.add(file, 0, "not the name of a control; accepted: lower-case letters, digits "
                                  "and underscores, ending in .yml")  # fmt: skip
    return files


def _about(role: Path, problems: Problems) -> Mapping[str, Any]:
    """`meta/hardhost.yml`: the check of the role's controls, and files only some settings need."""
    path = role / "meta" / "hardhost.yml"
    if not path.exists():
        return {}
    document = yamlfile.settle(yamlfile.read(path), lambda _: "text")
    data = document.data if isinstance(document.data, dict) else {}
    for key, kind in {"check": str, "only_with": dict}.items():
        if key in data and not isinstance(data[key], kind):
            problems.note(document.problem((key,), f"'{key}' has the wrong type"))
            return {}
    for key in data.keys() - {"check", "only_with"}:
        text = f"unknown key '{key}'{one_of(key, ('check', 'only_with'))}"
        problems.note(document.problem((key,), text))
    for file, names in (data.get("only_with") or {}).items():
        if not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
            text = f"'only_with.{file}' must be a list of settings variables"
            problems.note(document.problem(("only_with", file), text))
            return {}
    return data


def _check_settings(
    control: Control, document: Document, known: frozenset[str], problems: Problems
) -> None:
    settings = control.file.settings
    for variable, value in settings.items():
        at = ("settings", variable)
        if variable not in known:
            text = f"control '{control.id}': the role declares no free map '{variable}'"
            problems.note(document.problem(at, text + one_of(variable, known)))
        elif not isinstance(value, dict):
            problems.note(document.problem(at, f"'{dotted(at)}' must be a map of keys to values"))
    set_here = {dotted(path) for path, _ in leaves(settings)}
    for name in control.file.sources:
        if not any(leaf == name or leaf.startswith(f"{name}.") for leaf in set_here):
            text = (
                f"control '{control.id}': 'sources' names '{name}', which 'settings' does not set"
            )
            problems.note(document.problem(("sources", name), text + one_of(name, set_here)))


def _check_references(
    one: _Loaded, catalog: Catalog, preconditions: frozenset[str] | None, problems: Problems
) -> None:
    control, document = one
    for number, required in enumerate(control.file.requires):
        if required not in catalog.controls:
            text = f"control '{control.id}' requires the unknown control '{required}'"
            location = ("requires", number)
            problems.note(document.problem(location, text + one_of(required, catalog.controls)))
    for number, name in enumerate(control.file.preconditions):
        if preconditions is not None and name not in preconditions:
            text = f"control '{control.id}': unknown precondition '{name}'"
            location = ("preconditions", number)
            problems.note(document.problem(location, text + one_of(name, preconditions)))
    for name in control.file.needs:
        _check_input(one, ("needs", name), name, catalog, problems)
    for path, value in leaves(control.file.settings):
        if is_wish(value):
            _check_wish(one, ("settings", *path), value, catalog, problems)


def _check_wish(
    one: _Loaded, at: tuple[str, ...], wish: dict[str, Any], catalog: Catalog, problems: Problems
) -> None:
    for key in wish.keys() - {"from_input", "never"}:
        text = f"'{dotted(at)}' mixes a wish with '{key}'; accepted: from_input, never"
        problems.note(one.document.problem((*at, key), text))
    if "never" in wish and not (isinstance(wish["never"], list) and wish["never"]):
        text = f"'{dotted((*at, 'never'))}' must be a list of values"
        problems.note(one.document.problem((*at, "never"), text))
    if "from_input" in wish:
        _check_input(one, (*at, "from_input"), wish["from_input"], catalog, problems)


def _check_input(
    one: _Loaded, at: tuple[str, ...], name: object, catalog: Catalog, problems: Problems
) -> None:
    known = catalog.inputs.get(name) if isinstance(name, str) else None
    if known is None:
        text = f"control '{one.control.id}': unknown input '{name}'{one_of(name, catalog.inputs)}"
    elif known.role != one.control.role and known.role not in ALWAYS:
        text = f"control '{one.control.id}': input '{name}' belongs to role '{known.role}'"
        text += f"; use one of role '{one.control.role}'"
    else:
        return
    problems.note(one.document.problem(at, text))
