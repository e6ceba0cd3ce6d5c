"""Holds controls against what they name: variables, inputs, preconditions and other controls."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any

from generator.catalog import Catalog, LoadedControl, precondition_names
from generator.errors import Problems, one_of
from generator.layout import ALWAYS
from generator.settings import WISH_KEYS, dotted, is_wish, leaves
from generator.yamlfile import Location


def check_controls(
    loaded: Iterable[LoadedControl],
    catalog: Catalog,
    registry: frozenset[str] | None,
    problems: Problems,
) -> None:
    """Note everything that a control names and that is not there."""
    for one in loaded:
        preconditions = _preconditions(one, catalog, registry)
        _check_settings(one, catalog, problems)
        _check_sources(one, problems)
        for key in ("requires", "unless"):
            for number, name in enumerate(getattr(one.control.file, key)):
                if not catalog.has_control(name):
                    text = f"unknown control '{name}'{one_of(name, catalog.controls)}"
                    _note(one, (key, number), text, problems)
        for number, name in enumerate(one.control.file.preconditions):
            if preconditions is not None and name not in preconditions:
                text = f"unknown precondition '{name}'{one_of(name, preconditions)}"
                _note(one, ("preconditions", number), text, problems)
        for name in one.control.file.needs:
            _check_input(one, ("needs", name), name, catalog, problems)
        if one.control.file.applied_by:
            _check_input(one, ("applied_by",), one.control.file.applied_by, catalog, problems)


def _note(one: LoadedControl, at: Location, text: str, problems: Problems) -> None:
    problems.note(one.document.problem(at, f"control '{one.control.id}': {text}"))


def _preconditions(
    one: LoadedControl, catalog: Catalog, registry: frozenset[str] | None
) -> frozenset[str] | None:
    """The registry and what the control's own role adds to it; None where there is no registry."""
    if registry is None or not one.control.file.preconditions:
        return registry
    role = catalog.roles[one.control.role]
    surface = role.path / "module_utils" / f"hardhost_surface_{role.name}.py"
    return registry | (precondition_names(surface) or frozenset())


def _check_settings(one: LoadedControl, catalog: Catalog, problems: Problems) -> None:
    control = one.control
    known = catalog.roles[control.role].settings
    for variable, value in control.file.settings.items():
        at = ("settings", variable)
        if variable not in known and control.role not in catalog.broken:
            text = f"the role declares no variable '{variable}' of type dict for settings"
            _note(one, at, text + one_of(variable, known), problems)
        elif not isinstance(value, dict):
            _note(one, at, f"'{dotted(at)}' must be a map of keys to values", problems)
    for path, value in leaves(control.file.settings):
        _check_refused(one, path, value, catalog, problems)
        if is_wish(value):
            _check_wish(one, ("settings", *path), value, catalog, problems)


def _check_refused(
    one: LoadedControl, path: tuple[str, ...], value: object, catalog: Catalog, problems: Problems
) -> None:
    """What a role says would do harm wherever it is set."""
    role = catalog.roles[one.control.role]
    name = dotted(path[1:])
    usual = name
    for letter, same in role.alike.get(path[0], {}).items():
        usual = usual.replace(letter, same)
    for pattern, values in role.refused.get(path[0], {}).items():
        # A name may be a pattern itself, and mean what is refused among others.
        meant = fnmatchcase(usual, pattern) or fnmatchcase(pattern, usual)
        if meant and str(value) in values:
            text = f"{name} must not be {value}: {values[str(value)]}"
            _note(one, ("settings", *path), text, problems)


def _check_sources(one: LoadedControl, problems: Problems) -> None:
    set_here = {dotted(path) for path, _ in leaves(one.control.file.settings)}
    for name in one.control.file.sources:
        if not any(leaf == name or leaf.startswith(f"{name}.") for leaf in set_here):
            text = f"'sources' names '{name}', which 'settings' does not set"
            _note(one, ("sources", name), text + one_of(name, set_here), problems)


def _check_wish(
    one: LoadedControl,
    at: tuple[str, ...],
    wish: dict[str, Any],
    catalog: Catalog,
    problems: Problems,
) -> None:
    for key in wish.keys() - WISH_KEYS:
        text = f"'{dotted(at)}' mixes a wish with '{key}'; accepted: {', '.join(sorted(WISH_KEYS))}"
        _note(one, (*at, key), text, problems)
    for key in ("never", "without"):
        if key in wish and not (isinstance(wish[key], list) and wish[key]):
            text = f"'{dotted((*at, key))}' must be a list of values"
            _note(one, (*at, key), text, problems)
    for name in _conditions(one, at, wish, problems):
        _check_input(one, (*at, "when", name), name, catalog, problems)
    if "from_input" in wish:
        _check_input(one, (*at, "from_input"), wish["from_input"], catalog, problems)


def _conditions(
    one: LoadedControl, at: tuple[str, ...], wish: dict[str, Any], problems: Problems
) -> list[str]:
    """The inputs that decide whether a leaf is wanted; they go with `from_input` alone."""
    given = wish.get("when", {})
    if isinstance(given, dict) and (not given or "from_input" in wish):
        return list(given)
    text = f"'{dotted((*at, 'when'))}' must map inputs to values, beside from_input"
    _note(one, (*at, "when"), text, problems)
    return []


def _check_input(
    one: LoadedControl, at: tuple[str, ...], name: object, catalog: Catalog, problems: Problems
) -> None:
    known = catalog.inputs.get(name) if isinstance(name, str) else None
    role = one.control.role
    if known is None:
        if not catalog.may_have_input(str(name)):
            _note(one, at, f"unknown input '{name}'{one_of(name, catalog.inputs)}", problems)
    elif known.role != role and known.role not in ALWAYS:
        text = f"input '{name}' belongs to role '{known.role}'; use one of role '{role}'"
        _note(one, at, text, problems)
