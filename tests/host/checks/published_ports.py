"""The rules for published ports are in force, now and with the next start; nothing gets past."""

from __future__ import annotations

from typing import Any

from verdict import ObservedHost, Verdict, failed, named, passed

ASKS_ENGINE = False  # the rules are the kernel's


def check(host: ObservedHost, control: dict[str, Any], artifact: dict[str, Any]) -> Verdict:
    allow = artifact["decisions"][control["id"]]["settings"]["docker_firewall_published"]["allow"]
    found = host.reading["surfaces"]["docker_firewall"]
    if found["wrong"]:
        return failed("; ".join(found["wrong"]))
    if found["past"]:
        ports = named(sorted({f"{one['container']} {one['port']}" for one in found["past"]}))
        return failed(
            f"over IPv6, docker-proxy answers everybody past these rules: {ports};"
            " publish on an address, or switch ip6tables on"
        )
    return passed(f"published ports answer {len(allow)} listed networks and ports alone")
