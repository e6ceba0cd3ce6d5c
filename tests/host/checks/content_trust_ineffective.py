"""No variable of Docker Content Trust breaks pulls or does nothing."""

from __future__ import annotations

from typing import Any

from verdict import ObservedHost, Verdict, failed, passed

ASKS_ENGINE = False  # it has an answer without the engine's too


def check(host: ObservedHost, _control: dict[str, Any], _artifact: dict[str, Any]) -> Verdict:
    found = host.reading["surfaces"]["image_trust"]["content_trust_ineffective"]
    if found:
        return failed("; ".join(found[:10]))
    return passed("no file and no running process sets it to no effect or to harm")
