"""Judge one leaf of daemon.json: what is in force, and what the next start would bring."""

from __future__ import annotations

import fnmatch
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
    ("allow-direct-routing",): False,
    ("debug",): False,
    ("default-ipc-mode",): "private",
    ("experimental",): False,
    ("icc",): True,
    ("ip-forward-no-drop",): False,
    ("iptables",): True,
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


def _cgroup_namespaces(reading: Reading) -> Any:
    return "host" if security_option(reading, "cgroupns") is None else "private"


# What the API shows; everything else is judged from the daemon's flags and the file it read.
SHOWN: dict[Leaf, Callable[[Reading], Any]] = {
    ("debug",): lambda reading: reading["info"]["Debug"],
    ("default-cgroupns-mode",): _cgroup_namespaces,
    ("experimental",): lambda reading: reading["info"]["ExperimentalBuild"],
    ("live-restore",): lambda reading: reading["info"]["LiveRestoreEnabled"],
    ("log-driver",): lambda reading: reading["info"]["LoggingDriver"],
    ("seccomp-profile",): _seccomp,
    ("selinux-enabled",): lambda reading: security_option(reading, "selinux") is not None,
}


def leaves(options: dict[str, Any], path: Leaf = ()) -> Iterator[tuple[Leaf, Any]]:
    """`(leaf, wish)` for all that a control wants; a limit (`Name`, `Soft`, `Hard`) is one leaf."""
    for name, value in options.items():
        if isinstance(value, dict) and value and not is_wish(value) and "Name" not in value:
            yield from leaves(value, (*path, name))
        else:
            yield (*path, name), value


def is_wish(value: Any) -> bool:
    """Whether a wanted value forbids some and is no value itself."""
    return isinstance(value, dict) and bool(value) and set(value) <= {"never", "without"}


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
    return _or_default(reading, look(reading["file"]["read"], leaf), leaf)


def after_restart(reading: Reading, leaf: Leaf) -> Any:
    """The value that dockerd would be given if it were started now."""
    flag = look(reading["daemon"]["flags"]["configured"], leaf)
    given = look(reading["file"]["options"], leaf) if flag is ABSENT else flag
    return _or_default(reading, given, leaf)


def _or_default(reading: Reading, value: Any, leaf: Leaf) -> Any:
    if value is ABSENT and leaf == ("default-cgroupns-mode",):
        return "private" if reading["info"].get("CgroupVersion") == "2" else "host"
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
    if is_wish(wish):
        return not _forbidden(value, wish)
    return value is not ABSENT and _same(value, wish)


def _forbidden(value: Any, wish: dict[str, Any]) -> list[Any]:
    """What of a value may not be: the value itself, or items of a list."""
    if value is ABSENT:
        return []
    items = value if isinstance(value, list) else [value]
    patterns = wish.get("without", [])
    bad = [value] if any(_same(value, one) for one in wish.get("never", [])) else []
    return bad + matching(items, patterns)


def matching(items: list[Any], patterns: list[str]) -> list[Any]:
    """The items that patterns forbid: the last that fits decides; one with a `!` allows."""
    found = []
    for item in items:
        fitting = [one for one in patterns if fnmatch.fnmatchcase(str(item), one.lstrip("!"))]
        if fitting and not fitting[-1].startswith("!"):
            found.append(item)
    return found


def _same(one: Any, other: Any) -> bool:
    """Equality in JSON's eyes: true is not 1."""
    return type(one) is type(other) and bool(one == other)


def shown(value: Any) -> str:
    return "not set" if value is ABSENT else json.dumps(value)


def wanted(wish: Any) -> str:
    if is_wish(wish):
        words = [*map(shown, wish.get("never", [])), *wish.get("without", [])]
        return f"which it may never be ({', '.join(words)})"
    return f"wanted is {shown(wish)}"
