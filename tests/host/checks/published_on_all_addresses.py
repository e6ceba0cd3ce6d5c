"""No running container has a port open on all addresses of the host."""

from __future__ import annotations

from typing import Any

from verdict import ObservedHost, Verdict, failed, named, passed, pending

EVERYWHERE = ("0.0.0.0", "::")


def check(host: ObservedHost, _control: dict[str, Any], _artifact: dict[str, Any]) -> Verdict:
    found = host.reading["surfaces"]["docker_firewall"]
    published = found["published"]
    wide = [one for one in published if one["address"] in EVERYWHERE]
    if wide:
        ports = sorted({f"{one['container']} {one['port']}" for one in wide})
        return failed(f"open on all addresses: {named(ports)}")
    if found["unread"]:
        return pending(f"not read: {found['unread']}")
    return passed(f"{len(published)} published ports, each on an address of its own")
