"""Reads one YAML file strictly: plain data with the line of every value, and nothing guessed.

YAML 1.1 reads `off` as false, `0644` as 420 and `5.20` as 5.2. Such an unquoted scalar is kept as
*doubtful*: it is taken only where its place expects just this type.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from generator.errors import InvalidContent, Problem, shown

Location = tuple[str | int, ...]

LARGEST_FILE = 1_000_000
DEEPEST_NESTING = 40
MOST_VALUES = 10_000

_Parser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_RESOLVERS: Mapping[str | None, list[tuple[str, re.Pattern[str]]]] = (
    yaml.SafeLoader.yaml_implicit_resolvers
)
_PLAIN_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")
_PLAIN_FRACTION = re.compile(r"-?(0|[1-9][0-9]*)\.[0-9]+")
_PLAIN_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_SPECIAL_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}


@dataclass(frozen=True, slots=True)
class Doubtful:
    """An unquoted scalar that YAML 1.1 takes for something else than its text."""

    text: str
    type: str  # bool, float, date; number and other are never what a place expects
    value: Any

    def message(self, location: Location, expected: str) -> str:
        found = f"'{'.'.join(map(str, location))}' is the unquoted {self.text}"
        remedy = f'quote it: "{self.text}"'
        if expected in ("int", "float"):
            remedy = "write a plain decimal number"
        elif self.type == "bool":
            remedy = f"write {str(self.value).lower()}, or {remedy}"
        return f"{found}, which YAML reads as {self._reading()}; {remedy}"

    def _reading(self) -> str:
        kinds = {"bool": "", "number": "the number ", "float": "the number ", "date": "the date "}
        if self.type not in kinds:
            return "something else than text"
        return kinds[self.type] + (
            str(self.value).lower() if self.type == "bool" else str(self.value)
        )


@dataclass(frozen=True, slots=True)
class Document:
    """The content of one file, with the line of every key and item."""

    path: Path
    data: Any
    lines: Mapping[Location, int]
    doubtful: Mapping[Location, Doubtful]

    def line(self, location: Location) -> int:
        """The line of a value, or of the nearest thing around it."""
        while location and location not in self.lines:
            location = location[:-1]
        return self.lines.get(location, 1)

    def settled(self, expected: Callable[[Location], str]) -> Any:
        """The data with every doubtful scalar read as the type that its place expects."""
        data = self.data
        for location, scalar in self.doubtful.items():
            if expected(location) in (scalar.type, "any"):
                data = _replaced(data, location, scalar.value)
        return data

    def problem(self, location: Location, text: str) -> Problem:
        return Problem(shown(self.path), self.line(location), text)


def read(path: Path) -> Document:
    """Read one file; raises InvalidContent with every problem of that file."""
    text = _text(path)
    if "\t" in text:
        _refuse_tab_indentation(path, text)
    builder = _Builder(path)
    try:
        builder.document(yaml.parse(text, Loader=_Parser))
    except yaml.reader.ReaderError as error:
        raise _failure(path, 1, f"a character that YAML does not allow: {error.reason}") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = " ".join(part for part in (error.context, error.problem) if part)
        raise _failure(path, mark.line + 1 if mark else 1, f"not valid YAML: {what}") from None
    if builder.problems:
        raise InvalidContent(builder.problems)
    return Document(path, builder.data, builder.lines, builder.doubtful)


def _text(path: Path) -> str:
    try:
        if not path.is_file():
            raise _failure(path, 0, "not a regular file")
        if path.stat().st_size > LARGEST_FILE:
            raise _failure(path, 0, "the file is too large; at most 1 MB is accepted")
        content = path.read_bytes()
    except OSError as error:
        raise _failure(path, 0, f"cannot be read: {error.strerror}") from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _failure(path, line, "not valid UTF-8; save the file as UTF-8") from None
    forbidden = _FORBIDDEN.search(text.replace("\r\n", "\n"))
    if forbidden:
        line = text.replace("\r\n", "\n").count("\n", 0, forbidden.start()) + 1
        raise _failure(path, line, f"control character {forbidden[0]!a}; remove it")
    return text


def _refuse_tab_indentation(path: Path, text: str) -> None:
    for number, line in enumerate(text.splitlines(), start=1):
        indentation = line[: len(line) - len(line.lstrip())]
        if "\t" in indentation:
            raise _failure(path, number, "a tab in the indentation; use spaces")


def _failure(path: Path, line: int, text: str) -> InvalidContent:
    return InvalidContent([Problem(shown(path), line, text)])


def _replaced(data: Any, location: Location, value: Any) -> Any:
    """A copy of nested data with one value put in its place."""
    if not location:
        return value
    copy = data.copy()
    copy[location[0]] = _replaced(data[location[0]], location[1:], value)
    return copy


def _scalar_type(text: str) -> tuple[str, Any] | None:
    """What YAML 1.1 takes a plain scalar for, as (type, value); None where it stays text."""
    for tag, pattern in _RESOLVERS.get(text[:1], ()):
        if pattern.match(text):
            return _reading(tag.rpartition(":")[2], text)
    return None


def _reading(tag: str, text: str) -> tuple[str, Any]:
    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):
        return "other", None
    if tag == "int" or (tag == "float" and not _PLAIN_FRACTION.fullmatch(text)):
        return "number", value
    if tag == "timestamp":
        plain = _PLAIN_DATE.fullmatch(text) and isinstance(value, date)
        return ("date", value) if plain else ("other", None)
    return (tag, value) if tag in ("bool", "float") else ("other", None)


class _Builder:
    """Builds plain data from parser events, so that nothing is expanded before it is judged."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data: Any = None
        self.lines: dict[Location, int] = {}
        self.doubtful: dict[Location, Doubtful] = {}
        self.problems: list[Problem] = []
        self._anchors_refused = False
        self._values = 0

    def document(self, events: Iterator[yaml.Event]) -> None:
        documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._refuse(event, "a second document ('---'); one document is accepted")
                    return
            elif isinstance(event, yaml.NodeEvent):
                self.data = self._value(event, events, ())

    def _value(self, event: yaml.NodeEvent, events: Iterator[yaml.Event], at: Location) -> Any:
        self.lines.setdefault(at, _line(event))
        self._values += 1
        if self._values > MOST_VALUES:
            raise _failure(self.path, _line(event), f"more than {MOST_VALUES} values in one file")
        self._check_node(event)
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, at)
        if isinstance(event, yaml.AliasEvent):
            return None
        if len(at) >= DEEPEST_NESTING:
            raise _failure(self.path, _line(event), f"nested deeper than {DEEPEST_NESTING} levels")
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(events, at)
        return self._mapping(events, at)

    def _sequence(self, events: Iterator[yaml.Event], at: Location) -> list[Any]:
        items: list[Any] = []
        for event in events:
            if not isinstance(event, yaml.NodeEvent):
                break
            items.append(self._value(event, events, (*at, len(items))))
        return items

    def _mapping(self, events: Iterator[yaml.Event], at: Location) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        for event in events:
            if not isinstance(event, yaml.NodeEvent):
                break
            key = self._key(event, events, at)
            location: Location = (*at, key)
            if key in mapping:
                first = self.lines[location]
                self._refuse(event, f"key '{key}' is given twice (first in line {first})")
                self._skip(next(events), events)
                continue
            self.lines[location] = _line(event)
            value = next(events)
            assert isinstance(value, yaml.NodeEvent)  # noqa: S101 - the parser's own promise
            mapping[key] = self._value(value, events, location)
        return mapping

    def _key(self, event: yaml.NodeEvent, events: Iterator[yaml.Event], at: Location) -> str:
        self._check_node(event)
        if not isinstance(event, yaml.ScalarEvent):
            self._refuse(event, "a key that is not text; keys are plain words")
            self._skip(event, events)
            return ""
        if not event.style:
            if event.value == "<<":
                self._refuse(event, "a merge key ('<<'); write the values out")
            elif _scalar_type(event.value) is not None:
                name = ".".join(map(str, (*at, event.value)))
                self._refuse(
                    event, f"key '{name}' is not text to YAML; quote it: \"{event.value}\""
                )
        return str(event.value)

    def _scalar(self, event: yaml.ScalarEvent, at: Location) -> Any:
        text: str = event.value
        if _FORBIDDEN.search(text):
            self._refuse(event, "a control character in a quoted text; remove it")
        if event.style:
            return text
        if text in _SPECIAL_WORDS:
            return _SPECIAL_WORDS[text]
        if _PLAIN_INTEGER.fullmatch(text) and len(text) < 20:
            return int(text)
        doubtful = _scalar_type(text)
        if doubtful is not None:
            self.doubtful[at] = Doubtful(text, *doubtful)
        return text

    def _check_node(self, event: yaml.NodeEvent) -> None:
        if event.anchor is not None and not self._anchors_refused:
            self._anchors_refused = True
            self._refuse(
                event, "anchors and aliases (& and *) are not accepted; write the value out"
            )
        tag = getattr(event, "tag", None)
        if tag is not None:
            self._refuse(event, f"the tag '{tag}' is not accepted; only plain values are")

    def _skip(self, event: yaml.Event, events: Iterator[yaml.Event]) -> None:
        depth = 0
        while True:
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            if depth == 0:
                return
            event = next(events)

    def _refuse(self, event: yaml.Event, text: str) -> None:
        self.problems.append(Problem(shown(self.path), _line(event), text))


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1
