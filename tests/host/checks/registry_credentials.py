"""No user's client configuration holds a password for a registry."""

from __future__ import annotations

from typing import Any

from verdict import ObservedHost, Verdict, failed, named, passed

ASKS_ENGINE = False  # it has an answer without the engine's too


def check(host: ObservedHost, _control: dict[str, Any], _artifact: dict[str, Any]) -> Verdict:
    found = host.reading["surfaces"]["image_trust"]["registry_credentials_protected"]
    if found:
        return failed("; ".join(_worded(one) for one in found[:10]))
    return passed("no client's configuration holds a password")


def _worded(one: dict[str, Any]) -> str:
    """File and registries; the secret itself was never read out of the host."""
    if one["error"]:
        return f"{one['path']} ({one['user']}) cannot be judged: {one['error']}"
    registries = named(one["registries"])
    return f"{one['path']} ({one['user']}) holds a login in clear text for {registries}"
