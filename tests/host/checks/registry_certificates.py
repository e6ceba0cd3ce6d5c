"""The daemon has its registries' authorities, and a registry that answers is of its own."""

from __future__ import annotations

from typing import Any

from verdict import ObservedHost, Verdict, failed, passed

ASKS_ENGINE = False  # the daemon reads the files at each pull


def check(host: ObservedHost, _control: dict[str, Any], _artifact: dict[str, Any]) -> Verdict:
    found = host.reading["surfaces"]["image_trust"]["registry_certificates"]
    wrong = [f"not as wanted: {path}" for one in found for path in one["missing"]]
    wrong += [
        f"{one['registry']}: {one['handshake']}"
        for one in found
        if one["handshake"] not in ("", "no answer")
    ]
    if wrong or not found:
        return failed("; ".join(wrong[:10]) or "no registry is named")
    return passed("; ".join(_worded(one) for one in found[:10]))


def _worded(one: dict[str, Any]) -> str:
    if one["handshake"]:
        return f"{one['registry']} has its files, but does not answer now"
    return f"{one['registry']} shows a certificate of its authority"
