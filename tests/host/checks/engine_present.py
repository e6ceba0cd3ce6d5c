"""The Docker Engine and its client are installed, and the engine answers."""

from __future__ import annotations

from typing import Any

from verdict import ObservedHost, Verdict, failed, passed

ASKS_ENGINE = False  # it has an answer without the engine's too


def check(host: ObservedHost, _control: dict[str, Any], _artifact: dict[str, Any]) -> Verdict:
    engine = host.reading["engine"]
    if not engine["installed"]:
        return failed("the engine (dockerd) is not installed")
    if not engine["client"]:
        return failed("the client (docker) is not installed")
    if not engine["running"] or not host.reading["info"]:
        return failed("the engine is installed, but its API does not answer")
    return passed(f"engine {engine['version']}, client {engine['client']}, API {engine['api']}")
