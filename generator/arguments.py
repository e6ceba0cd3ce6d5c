"""Reads a role's argument specs and defaults: which variables it has, and what they accept."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from generator import yamlfile
from generator.content import shipped_root
from generator.errors import InvalidContent, Problem, Problems, one_of
from generator.layout import NOT_INPUTS
from generator.model import Input, Option
from generator.yamlfile import Document, Location

_TYPES: Mapping[str, tuple[type, ...]] = {
    "str": (str,),
    "path": (str,),
    "int": (int,),
    "float": (float, int),
    "bool": (bool,),
    "list": (list,),
    "dict": (dict,),
    "raw": (object,),
}
_WORDS = {
    "str": "text",
    "path": "a path as text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "list": "a list",
    "dict": "a map of keys to values",
}
_TEMPLATE_MARKS = ("{{", "{%", "{#")


def read_options(role: Path, problems: Problems) -> dict[str, Option]:
    """The options of the role's `main` entry point; none where the role has no argument specs."""
    path = role / "meta" / "argument_specs.yml"
    if not path.exists():
        return {}
    document = yamlfile.read(path)
    at: Location = ()
    data: Any = document.settled(lambda _: "any")
    for key in ("argument_specs", "main"):
        at, data = (*at, key), data.get(key) if isinstance(data, dict) else None
    if not isinstance(data, dict):
        problems.add(path, 1, "'argument_specs.main' is missing")
        return {}
    return _options(document, (*at, "options"), data.get("options") or {}, problems)


def read_defaults(role: Path) -> dict[str, Any]:
    """The role's defaults as plain values."""
    path = role / "defaults" / "main.yml"
    if not path.exists():
        return {}
    document = yamlfile.read(path)
    data = document.settled(lambda _: "any")
    if data is not None and not isinstance(data, dict):
        raise InvalidContent([document.problem((), "must be a map of variables to values")])
    return data or {}


def is_settings(option: Option) -> bool:
    """A map without a default is filled by the settings of controls; an input has a default."""
    return option.type == "dict" and not option.has_default and not option.options


def inputs_of(role: str, options: Mapping[str, Option], defaults: Mapping[str, Any]) -> list[Input]:
    """The variables that profile, environment and inventory may set."""
    return [
        Input(role, option, defaults.get(name), f"roles/{role}/defaults/main.yml")
        for name, option in sorted(options.items())
        if name.startswith((f"{role}_", "hardhost_"))
        and name not in NOT_INPUTS
        and name != f"{role}_controls"
        and not option.required
        and not is_settings(option)
    ]


def value_problems(document: Document, at: Location, option: Option, value: Any) -> list[Problem]:
    """What is wrong with a value that is given for an option, in the file that gives it."""
    name = at[-1] if isinstance(at[-1], str) else f"{at[-2]}[{at[-1]}]"
    accepted = _TYPES.get(option.type, (object,))
    misplaced_bool = isinstance(value, bool) and not {bool, object} & {*accepted}
    if not isinstance(value, accepted) or misplaced_bool:
        return [document.problem(at, f"'{name}' must be {_wanted(option.type, value)}")]
    if isinstance(value, list):
        return _item_problems(document, at, option, value)
    secret = "" if isinstance(value, dict) and option.options else _secrets().secret_in(value)
    if secret:
        text = "; inputs travel in plan.json, in reports and in logs: leave it to the host"
        return [document.problem(at, f"'{name}' holds {secret}{text}")]
    if option.choices is not None and value not in option.choices:
        return [document.problem(at, f"'{name}' is {value!r}{one_of(value, option.choices)}")]
    if isinstance(value, dict):
        return _entry_problems(document, at, option, value)
    return []


@cache
def _secrets() -> ModuleType:
    """The host's own module, which says what is hidden in everything that is printed."""
    path = shipped_root() / "roles/preflight/module_utils/hardhost_redaction.py"
    spec = spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None  # noqa: S101, PT018 - a source file has them
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def expected_type(options: Mapping[str, Option], location: Location) -> str:
    """The type that the value at `location` (an input's name and the steps into it) should have."""
    option = options.get(str(location[0])) if location else None
    for step in location[1:]:
        if option is None:
            return "raw"
        if isinstance(step, int):
            option = option._replace(type=option.elements or "raw")
        else:
            option = (option.options or {}).get(step)
    return option.type if option else "raw"


def _wanted(kind: str, value: Any) -> str:
    quote = kind in ("str", "path") and isinstance(value, int | float)
    return _WORDS[kind] + (f'; quote it: "{value}"' if quote else "")


def _item_problems(
    document: Document, at: Location, option: Option, items: list[Any]
) -> list[Problem]:
    item = option._replace(type=option.elements or "raw")
    found = (
        value_problems(document, (*at, number), item, value) for number, value in enumerate(items)
    )
    return [problem for problems in found for problem in problems]


def _entry_problems(
    document: Document, at: Location, option: Option, entries: dict[str, Any]
) -> list[Problem]:
    found = []
    for key, value in entries.items():
        known = (option.options or {}).get(key)
        if known is not None:
            found += value_problems(document, (*at, key), known, value)
        elif option.options:
            text = f"unknown key '{key}' in '{at[-1]}'{one_of(key, option.options)}"
            found.append(document.problem((*at, key), text))
        elif any(mark in key for mark in _TEMPLATE_MARKS):
            found.append(document.problem((*at, key), f"key '{key}' must not hold a template"))
    for key, known in (option.options or {}).items():
        if known.required and key not in entries:
            found.append(document.problem(at, f"key '{key}' is missing in '{at[-1]}'"))
    return found


def _options(document: Document, at: Location, data: Any, problems: Problems) -> dict[str, Option]:
    if not isinstance(data, dict):
        problems.note(document.problem(at, "'options' must be a map of keys to values"))
        return {}
    return {name: _option(document, (*at, name), entry, problems) for name, entry in data.items()}


def _option(document: Document, at: Location, data: Any, problems: Problems) -> Option:
    name = str(at[-1])
    if not isinstance(data, dict):
        problems.note(document.problem(at, f"option '{name}' must be a map of keys to values"))
        return Option(name, "raw")
    kind = data.get("type", "str")
    if kind not in _TYPES:
        text = f"option '{name}' has the unknown type {kind!r}{one_of(kind, _TYPES)}"
        problems.note(document.problem((*at, "type"), text))
        kind = "raw"
    nested = data.get("options")
    description = data.get("description", "")
    return Option(
        name=name,
        type=kind,
        choices=tuple(data["choices"]) if isinstance(data.get("choices"), list) else None,
        elements=data.get("elements"),
        options=_options(document, (*at, "options"), nested, problems) if nested else None,
        required=data.get("required") is True,
        has_default="default" in data,
        description=" ".join(description) if isinstance(description, list) else str(description),
        secret=data.get("no_log") is True,
    )
