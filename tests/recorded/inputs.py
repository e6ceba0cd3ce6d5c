"""Read the recorded inputs, `daemon_json/*.yml`; README.md describes them."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).with_name("daemon_json")
ENGINES = ("20.10.24", "26.1.5", "28.5.2", "29.7.2")
MERGED, REFUSED, HELD = "merged", "refused", "held"


@dataclass(frozen=True)
class Recorded:
    """One file and what is expected of it."""

    name: str
    data: bytes | None
    expect: dict[str, Any]  # engine -> "merged", {"refused": words} or {"held": [controls]}
    described: dict[str, int] | None = None  # uid, gid and mode where they are not a package's


def recorded() -> list[Recorded]:
    """All of them, in the order of the files."""
    found = [
        Recorded(
            f"{file.stem}: {entry['name']}", data(entry), expectations(entry), described(entry)
        )
        for file in sorted(FOLDER.glob("*.yml"))
        for entry in yaml.safe_load(file.read_text(encoding="utf-8"))
    ]
    assert len({one.name for one in found}) == len(found)
    return found


def data(entry: dict[str, Any]) -> bytes | None:
    if "base64" in entry:
        return base64.b64decode(entry["base64"])
    if "repeat" in entry:
        made = entry["repeat"]
        return (made["before"] + made["part"] * made["times"] + made["after"]).encode()
    return None if entry["text"] is None else str(entry["text"]).encode()


def described(entry: dict[str, Any]) -> dict[str, int] | None:
    if "file" not in entry:
        return None
    given = entry["file"]
    return {"uid": given["uid"], "gid": given["gid"], "mode": int(given["mode"], 8)}


def expectations(entry: dict[str, Any]) -> dict[str, Any]:
    """The same for every engine, or what differs on some."""
    differing = entry.get("but", {})
    return {engine: differing.get(engine, entry["expect"]) for engine in ENGINES}
