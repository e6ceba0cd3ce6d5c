"""What a check answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

PASS, FAIL, PENDING = "pass", "fail", "pending"


@dataclass(frozen=True)
class Verdict:
    """A status and the reason for it, worded for the operator."""

    status: str
    reason: str


@dataclass(frozen=True)
class ObservedHost:
    """A host, what was read on it just now, and the testinfra connection to it."""

    name: str
    reading: dict[str, Any]
    connection: Any = None


def passed(reason: str) -> Verdict:
    return Verdict(PASS, reason)


def failed(reason: str) -> Verdict:
    return Verdict(FAIL, reason)


def pending(reason: str) -> Verdict:
    return Verdict(PENDING, reason)


def named(names: list[str]) -> str:
    """Names for a message: the first ten."""
    rest = len(names) - 10
    return ", ".join(names[:10]) + (f" and {rest} more" if rest > 0 else "")
