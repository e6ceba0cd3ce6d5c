"""The API is not served over TCP to clients without a certificate."""

from __future__ import annotations

from typing import Any

from verdict import ObservedHost, Verdict, failed, passed

WORDS = {"plain": "without TLS", "tls": "over TLS without asking for a client certificate"}


def check(host: ObservedHost, _control: dict[str, Any], _artifact: dict[str, Any]) -> Verdict:
    listeners = host.reading["listeners"]
    found = [f"{_place(one)} {WORDS[one['answers']]}" for one in listeners if one["answers"]]
    if found:
        return failed(f"dockerd serves its API to anybody on {' and '.join(found)}")
    if listeners:
        return passed(
            f"dockerd listens on {', '.join(map(_place, listeners))}, but serves no stranger there"
        )
    return passed("dockerd listens on no TCP port")


def _place(listener: dict[str, Any]) -> str:
    address = listener["address"]
    return f"[{address}]:{listener['port']}" if ":" in address else f"{address}:{listener['port']}"
