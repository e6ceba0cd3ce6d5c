"""Owner and mode of the sockets that make root, of the one that is there and of the next one."""

from __future__ import annotations

from typing import Any

from verdict import ObservedHost, Verdict, failed, passed

ASKS_ENGINE = False  # the socket's mode counts whether somebody answers there or not


def check(host: ObservedHost, control: dict[str, Any], artifact: dict[str, Any]) -> Verdict:
    rules = artifact["decisions"][control["id"]]["settings"]["docker_access_sockets"]
    found = host.reading["surfaces"]["docker_access"]["sockets"]
    wrong = [text for path, rule in rules.items() for text in _wrong(path, rule, found[path])]
    if wrong:
        return failed("; ".join(wrong))
    return passed("; ".join(f"{path} is {_worded(found[path]['live'])}" for path in rules))


def _wrong(path: str, rule: dict[str, str], found: dict[str, Any]) -> list[str]:
    wanted = f"wanted is {rule['owner']}:{rule['group']} and no more than {rule['mode']}"
    if not found["live"]:
        return [f"there is no {path}"]
    wrong = []
    if not _within(found["live"], rule):
        wrong.append(f"{path} is {_worded(found['live'])}, {wanted}")
    following = {**found["next"], "owner": found["next"]["user"]}
    if not _within(following, rule):
        wrong.append(
            f"{path}: {following['maker']} makes the next one {_worded(following)}, {wanted}"
        )
    return wrong


def _within(socket: dict[str, str], rule: dict[str, str]) -> bool:
    try:
        too_much = int(socket["mode"], 8) & ~int(rule["mode"], 8)
    except ValueError:
        return False
    return not too_much and (socket["owner"], socket["group"]) == (rule["owner"], rule["group"])


def _worded(socket: dict[str, str]) -> str:
    return f"{socket['owner']}:{socket['group']} {socket['mode']}"
