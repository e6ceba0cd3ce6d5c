"""Owner and mode of the files Docker reads, on the paths that are really in use."""

from __future__ import annotations

from typing import Any

from verdict import ObservedHost, Verdict, failed, named, passed, pending

ASKS_ENGINE = False  # it has an answer without the engine's too


def check(host: ObservedHost, control: dict[str, Any], artifact: dict[str, Any]) -> Verdict:
    rules = artifact["decisions"][control["id"]]["settings"]["docker_files_paths"]
    found = [
        (path, rule)
        for subject, rule in rules.items()
        for path in host.reading["subjects"][subject]
    ]
    if not found:
        return pending(f"nothing is there (any more) of {named(sorted(rules))}")
    wrong = [reason for path, rule in found if (reason := _wrong(path, rule))]
    if wrong:
        return failed("; ".join(wrong[:10]))
    return passed(named(sorted({_worded(path) for path, _rule in found})))


def _wrong(path: dict[str, Any], rule: dict[str, str]) -> str:
    too_much = path["mode"] & ~int(rule["mode"], 8)
    if (path["owner"], path["group"]) == (rule["owner"], rule["group"]) and not too_much:
        return ""
    wanted = f"{rule['owner']}:{rule['group']} and no more than {rule['mode']}"
    return f"{_worded(path)}, wanted is {wanted}"


def _worded(path: dict[str, Any]) -> str:
    return f"{path['path']} is {path['owner']}:{path['group']} {path['mode']:04o}"
