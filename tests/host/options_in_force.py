"""Judge one leaf of daemon.json: what is in force, and what the next start would bring."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from verdict import Verdict, failed, passed, pending

Reading = dict[str, Any]
Leaf = tuple[str, ...]


class _Absent:
    def __repr__(self) -> str:
        return "not set"


ABSENT = _Absent()  # set nowhere, and no default that could be compared
UNKNOWN = object()  # the daemon may have it or not

BUILTIN = (
    "builtin"  # the seccomp profile that is part of dockerd; engines before 23.0 call it default
)

# What dockerd does when a key is set nowhere, from the key table of its command line reference.
DEFAULTS: dict[Leaf, Any] = {
    ("debug",): False,
    ("experimental",): False,
    ("icc",): True,
    ("live-restore",): False,
    ("log-level",): "info",
    ("no-new-privileges",): False,
    ("seccomp-profile",): BUILTIN,
    ("selinux-enabled",): False,
    ("userland-proxy",): True,
}


def security_option(reading: Reading, name: str) -> str | None:
    """What follows the name of a security option, as `profile=builtin`; None where it is off."""
    for option in reading["info"]["SecurityOptions"]:
        words = option.split(",", 1)
        if words[0] == f"name={name}":
            return words[1] if len(words) > 1 else ""
    return None


def _seccomp(reading: Reading) -> Any:
    profile = (security_option(reading, "seccomp") or "profile=unconfined").removeprefix("profile=")
    return BUILTIN if profile in ("default", "builtin") else profile


# What the API shows; everything else is judged from the daemon's flags and the file it read.
SHOWN: dict[Leaf, Callable[[Reading], Any]] = {
    ("debug",): lambda reading: reading["info"]["Debug"],
    ("experimental",): lambda reading: reading["info"]["ExperimentalBuild"],
    ("live-restore",): lambda reading: reading["info"]["LiveRestoreEnabled"],
    ("seccomp-profile",): _seccomp,
}


def leaves(options: dict[str, Any], path: Leaf = ()) -> Iterator[tuple[Leaf, Any]]:
    """`(leaf, wish)` for all that a control wants; a limit (`Name`, `Soft`, `Hard`) is one leaf."""
    for name, value in options.items():
        if isinstance(value, dict) and value and set(value) != {"never"} and "Name" not in value:
            yield from leaves(value, (*path, name))
        else:
            yield (*path, name), value


def judge(reading: Reading, leaf: Leaf, wish: Any) -> Verdict:
    """Whether a leaf is in force, and stays so."""
    now, later = running(reading, leaf), after_restart(reading, leaf)
    what, where = ".".join(leaf), reading["file"]["path"]
    if now is UNKNOWN:
        if fulfils(later, wish):
            return pending(
                f"{where} holds {what} as wanted, but was changed after dockerd started: restart it"
            )
        return failed(f"{what} is {shown(later)} in {where}, {wanted(wish)}")
    if not fulfils(now, wish):
        if fulfils(later, wish) and not fulfils(read_by_daemon(reading, leaf), wish):
            return pending(
                f"{what} is {shown(now)} in the running daemon; "
                f"{where} has it as wanted: restart due"
            )
        return failed(f"{what} is {shown(now)} in the running daemon, {wanted(wish)}")
    if not fulfils(later, wish):
        return failed(
            f"{what} is in force, but the next start of dockerd loses it: {shown(later)} in {where}"
        )
    return passed(f"{what} is {shown(now)}")


def running(reading: Reading, leaf: Leaf) -> Any:
    """The value the daemon works with: as the API shows it, else as it was given."""
    if leaf in SHOWN:
        return SHOWN[leaf](reading)
    return read_by_daemon(reading, leaf)


def read_by_daemon(reading: Reading, leaf: Leaf) -> Any:
    """The value that the daemon was given, UNKNOWN where the file is newer than what it read."""
    flag = look(reading["daemon"]["flags"]["running"], leaf)
    if flag is not ABSENT:
        return flag
    if reading["file"]["read"] is None:
        return UNKNOWN
    return _or_default(look(reading["file"]["read"], leaf), leaf)


def after_restart(reading: Reading, leaf: Leaf) -> Any:
    """The value that dockerd would be given if it were started now."""
    flag = look(reading["daemon"]["flags"]["configured"], leaf)
    return _or_default(look(reading["file"]["options"], leaf) if flag is ABSENT else flag, leaf)


def _or_default(value: Any, leaf: Leaf) -> Any:
    return DEFAULTS.get(leaf, ABSENT) if value is ABSENT else value


def look(options: dict[str, Any], leaf: Leaf) -> Any:
    """The value of a leaf, ABSENT where it is not there."""
    value: Any = options
    for name in leaf:
        if not isinstance(value, dict) or name not in value:
            return ABSENT
        value = value[name]
    return value


def fulfils(value: Any, wish: Any) -> bool:
    """Whether a value is what a control wants: the same, or none of those it may never be."""
    if value is UNKNOWN:
        return False
    if isinstance(wish, dict) and set(wish) == {"never"}:
        return not any(_same(value, bad) for bad in wish["never"])
    return value is not ABSENT and _same(value, wish)


def _same(one: Any, other: Any) -> bool:
    """Equality in JSON's eyes: true is not 1."""
    return type(one) is type(other) and bool(one == other)


def shown(value: Any) -> str:
    return "not set" if value is ABSENT else json.dumps(value)


def wanted(wish: Any) -> str:
    if isinstance(wish, dict) and set(wish) == {"never"}:
        return f"which it may never be ({', '.join(map(shown, wish['never']))})"
    return f"wanted is {shown(wish)}"
