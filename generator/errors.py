"""The one tree of errors, with the exit code of each."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

_ALIKE = 0.6
_MOST_NAMES = 24  # a message does not list more
# What moves the cursor, recolours, or reverses the reading direction of a terminal.
_INVISIBLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class Problem(NamedTuple):
    """One thing that is wrong in one place. Problems sort by file, then by line."""

    path: str
    line: int
    text: str

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}" if self.line else self.path
        return f"{place}: {self.text}"


class HardhostError(Exception):
    """What the user can mend. Anything else is our mistake and keeps its traceback."""

    exit_code = 3

    def messages(self) -> list[str]:
        return [str(self)]


class UnknownName(HardhostError):
    """The command line names something that does not exist."""

    exit_code = 2


class InvalidContent(HardhostError):
    """Profiles, controls or roles are wrong; carries every problem found, not just the first."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(map(str, self.problems)))

    def messages(self) -> list[str]:
        return [str(problem) for problem in self.problems]


class RefusedOutput(HardhostError):
    """The output directory holds something that rendering must not touch."""

    def __init__(self, messages: Iterable[str]) -> None:
        self._messages = sorted(messages)
        super().__init__("\n".join(self._messages))

    def messages(self) -> list[str]:
        return list(self._messages)


def messages(error: Exception) -> tuple[list[str], int]:
    """What to tell of an error, and the exit code; nothing to tell of our own mistakes."""
    if isinstance(error, HardhostError):
        return error.messages(), error.exit_code
    if isinstance(error, OSError) and error.strerror:
        # A file that may not be read, or is gone since it was listed; a full disk.
        place = "" if error.filename is None else f"{shown(os.fsdecode(error.filename))}: "
        return [f"{place}{error.strerror}"], HardhostError.exit_code
    return [], 1


class Problems:
    """Collects problems over many files, so that they can be shown all at once."""

    def __init__(self) -> None:
        self._found: list[Problem] = []

    def __bool__(self) -> bool:
        return bool(self._found)

    def add(self, path: Path | str, line: int, text: str) -> None:
        self._found.append(Problem(shown(path), line, text))

    def note(self, problem: Problem) -> None:
        self._found.append(problem)

    def extend(self, problems: Iterable[Problem]) -> None:
        self._found.extend(problems)

    @contextmanager
    def collecting(self) -> Iterator[None]:
        """Keep the problems of one file and let the caller go on with the next."""
        try:
            yield
        except InvalidContent as error:
            self._found.extend(error.problems)

    def concern(self, path: Path) -> bool:
        """Whether anything is wrong in this file."""
        return any(problem.path == shown(path) for problem in self._found)

    def raise_if_any(self) -> None:
        if self._found:
            raise InvalidContent(self._found)


def printable(text: str) -> str:
    """Text that a terminal can only show: file names, manifests and hosts are not ours."""
    return _INVISIBLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def shown(path: Path | str) -> str:
    """A path as the user would write it: relative where it lies below the working directory."""
    path = Path(path)
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except (OSError, ValueError):
        return str(path)


def one_of(wanted: object, accepted: Iterable[object]) -> str:
    """The end of a message: the nearest match where there is one, else what is accepted."""
    names = sorted(str(name) for name in accepted)
    near = max(names, key=lambda name: _likeness(str(wanted), name), default=None)
    if near is not None and _likeness(str(wanted), near) >= _ALIKE:
        return f" (did you mean '{near}'?)"
    return f"; accepted: {', '.join(names)}" if 0 < len(names) <= _MOST_NAMES else ""


def _likeness(one: str, other: str) -> float:
    """How alike two names are; of ids, the parts that are least alike count."""
    parts = [one.split("/"), other.split("/")]
    if len(parts[0]) != len(parts[1]):
        parts = [[one], [other]]
    return min(_ratio(*pair) for pair in zip(*parts, strict=True))


def _ratio(one: str, other: str) -> float:
    """difflib's ratio; 0 where cheap upper bounds show that nobody would call them alike."""
    matcher = difflib.SequenceMatcher(None, one, other)
    bounds = (matcher.real_quick_ratio, matcher.quick_ratio)
    return matcher.ratio() if all(bound() >= _ALIKE for bound in bounds) else 0.0
