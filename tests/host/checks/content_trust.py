"""Docker Content Trust is switched on where chosen, with the private server and pinned keys."""

from __future__ import annotations

from typing import Any

from verdict import ObservedHost, Verdict, failed, passed

ASKS_ENGINE = False  # it is the client's affair


def check(host: ObservedHost, _control: dict[str, Any], _artifact: dict[str, Any]) -> Verdict:
    found = host.reading["surfaces"]["image_trust"]["content_trust"]
    if found["problem"]:
        return failed(found["problem"])
    wrong = [
        text for place, given in found["places"].items() if (text := _wrong(place, given, found))
    ]
    wrong += [f"not as wanted: {path}" for path in found["files"]] + found["roots"]
    if wrong:
        return failed("; ".join(wrong[:10]))
    if not found["places"]:
        return failed(
            "image_trust_clients and image_trust_units are empty: it is switched on for nobody"
        )
    return passed(f"switched on in {', '.join(sorted(found['places']))}")


def _wrong(place: str, given: dict[str, str] | None, found: dict[str, Any]) -> str:
    if given is None:
        return f"{place} cannot be tried"
    for name, value in found["wanted"].items():
        if given.get(name) != value:
            return f"in {place} {name} is {given.get(name) or 'not set'}, not {value}"
    return ""
