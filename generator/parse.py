"""Turns a document into a frozen type, and everything wrong with it into problems with line.

What is wrong is left out and the rest is still returned, so that one run can find the problems
of all files. Whoever uses the result asks `problems` first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from generator.errors import Problems, one_of
from generator.model import GATE, NAME, NAME_RULE, REFERENCE
from generator.yamlfile import Document, Location

ModelT = TypeVar("ModelT", bound=BaseModel)

_PATTERNS = {
    NAME: NAME_RULE,
    REFERENCE: 'a reference is a quoted id, e.g. "2.2"',
    GATE: 'a gate is comparisons separated by commas, e.g. ">=20.10,<29"',
}
_KINDS = {
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "bool_type": "must be true or false",
    "dict_type": "must be a map of keys to values",
    "tuple_type": "must be a list",
    "date_type": "must be a date, e.g. 2027-03-31",
    "model_type": "must be a map of keys to values",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
}
_EXCEPTION_KEYS = ("reason", "owner", "expires")

# What stands in for a required key that is wrong or missing, while the other problems are sought.
_STAND_INS = {"severity": "low", "disruption": "none"}


def parse(
    model: type[ModelT],
    document: Document,
    expected: Callable[[Location], str],
    problems: Problems,
    at: Location = (),
) -> ModelT | None:
    """Check the value at a location; None where nothing of it can be used."""
    data: Any = _at(document.data, at)
    if not isinstance(data, dict):
        problems.note(document.problem(at, "must be a map of keys to values"))
        return None
    wrong = _doubts(document, expected, problems, at)
    data = _without(_at(document.settled(expected), at), [one[len(at) :] for one in wrong])
    try:
        return model.model_validate(data)
    except ValidationError as error:
        found = error.errors(include_url=False)
    for item in found:
        location = _place(item["loc"], document, at)
        if not any(one[: len(at) + len(location)] == (*at, *location) for one in wrong):
            problems.note(document.problem((*at, *location), _sentence(model, location, item)))
    return _what_is_left(
        model, _without(data, [_unusable(item["loc"], document, at) for item in found])
    )


def _doubts(
    document: Document, expected: Callable[[Location], str], problems: Problems, at: Location
) -> list[Location]:
    """Notes the unquoted scalars that are not what their place expects, and says where they are."""
    wrong = []
    for location, scalar in document.doubtful.items():
        if location[: len(at)] != at:
            continue
        wanted = expected(location)
        if wanted not in (scalar.type, "any"):
            wrong.append(location)
            problems.note(document.problem(location, scalar.message(location, wanted)))
    return wrong


def _what_is_left(model: type[ModelT], data: Any) -> ModelT | None:
    required = {name for name, field in model.model_fields.items() if field.is_required()}
    stand_ins = {name: _STAND_INS.get(name, "-") for name in required - data.keys()}
    try:
        return model.model_validate(data | stand_ins)
    except ValidationError:
        return None


def _at(data: Any, location: Location) -> Any:
    for step in location:
        data = data[step]
    return data


def _without(data: Any, locations: Iterable[Location]) -> Any:
    """A copy without these places; a list with a bad item goes whole, so that lines stay right."""
    tree: dict[Any, list[Location]] = {}
    for location in locations:
        if location:
            tree.setdefault(location[0], []).append(location[1:])
    if not isinstance(data, dict):
        return data
    copy = {}
    for key, value in data.items():
        below = tree.get(key)
        if below is None:
            copy[key] = value
        elif () not in below and isinstance(value, dict):
            copy[key] = _without(value, below)
    return copy


def _place(location: Location, document: Document, at: Location) -> Location:
    """pydantic adds the branch of a union, '[key]' or the 0 of a lone item; the file knows none."""
    if location[:1] == ("except",) and len(location) > 2:
        location = (*location[:2], *location[3:])
    if location[-1] == "[key]" or (
        isinstance(location[-1], int) and (*at, *location) not in document.lines
    ):
        return location[:-1]
    return location


def _unusable(location: Location, document: Document, at: Location) -> Location:
    """What must be left out for a problem; an exception is good or bad as a whole."""
    place = _place(location, document, at)
    return place[:2] if place[0] == "except" else place


def _sentence(model: type[BaseModel], location: Location, item: Any) -> str:
    kind, context, value = item["type"], item.get("ctx", {}), item["input"]
    name = ".".join(map(str, location))
    number = isinstance(value, int | float) and not isinstance(value, bool)
    match kind:
        case "missing":
            text = f"key '{name}' is missing"
        case "extra_forbidden":
            text = f"unknown key '{name}'{one_of(location[-1], _keys(model, location))}"
        case "literal_error":
            is_key = item["loc"][-1] == "[key]"
            text = f"unknown key '{name}'" if is_key else f"'{name}' is {value!r}"
            text += one_of(value, _words(context["expected"]))
        case "string_pattern_mismatch":
            text = f"'{name}' is {value!r}; {_PATTERNS[context['pattern']]}"
        case "string_type" if number:
            text = f"'{name}' must be text; quote it: \"{value}\""
        case "union_tag_invalid":
            text = f"'{name}' must be drop, or a map of {', '.join(_EXCEPTION_KEYS)}"
        case _:
            text = f"'{name}' {_KINDS.get(kind, item['msg'])}"
    return text


def _words(expected: str) -> list[str]:
    """pydantic's "'low', 'medium' or 'high'" as a list."""
    return [word.strip("' ") for word in expected.replace(" or ", ",").split(",")]


def _keys(model: type[BaseModel], location: Location) -> list[str]:
    """The keys that are accepted where an unknown one was found."""
    if len(location) == 1:
        return [field.alias or name for name, field in model.model_fields.items()]
    return [*_EXCEPTION_KEYS] if location[0] == "except" else []
