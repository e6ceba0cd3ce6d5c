"""What a disposable host looks like from outside hardhost, and how two looks differ."""

from __future__ import annotations

import json
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from tests.hosts.container_host import Host

ON_HOST = Path(__file__).with_name("on_host.py")


def observe(host: Host) -> dict[str, Any]:
    """Everything a run could have touched: /etc, the state directory, the engine's answers."""
    seen = host.sh("python3 -", stdin=ON_HOST.read_bytes())
    loaded: dict[str, Any] = json.loads(seen.stdout)
    # Two looks at a host that shows nothing would be equal.
    assert loaded["etc"], f"{host.name}: /etc was not read"
    assert loaded["daemon"], f"{host.name}: the engine does not answer"
    assert loaded["process"], f"{host.name}: no daemon process is known"
    return loaded


def differences(before: dict[str, Any], after: dict[str, Any]) -> dict[str, str]:
    """Dotted name -> what it was and is; an empty result means the host is as it was."""
    old, new = flat(before), flat(after)
    return {
        key: f"{old.get(key, 'absent')} -> {new.get(key, 'absent')}"
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    }


def unexpected(changed: dict[str, str], allowed: list[str]) -> dict[str, str]:
    """The differences that no pattern of the written list covers."""
    return {
        key: value
        for key, value in changed.items()
        if not any(fnmatch(key, pattern) for pattern in allowed)
    }


def flat(value: Any, name: str = "") -> dict[str, str]:
    if isinstance(value, dict):
        rows: dict[str, str] = {}
        for key, inner in value.items():
            rows |= flat(inner, f"{name}.{key}" if name else key)
        return rows
    return {name: json.dumps(value, sort_keys=True)}
