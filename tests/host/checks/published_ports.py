"""The rules for published ports are in force, now and with the next start; nothing gets past."""

from __future__ import annotations

from typing import Any

from verdict import ObservedHost, Verdict, failed, named, passed

ASKS_ENGINE = False  # the rules are the kernel's

WAYS_OUT = {
    "iptables": "Docker's own rules are gone from table nat, so docker-proxy answers everybody"
    " past these rules: %s; restart Docker, as a converge does where it may",
    "ip6tables": "over IPv6, docker-proxy answers everybody past these rules: %s; publish on an"
    " address, or let Docker forward IPv6 (ip6tables, and a network that has it) and restart it",
}


def check(host: ObservedHost, control: dict[str, Any], artifact: dict[str, Any]) -> Verdict:
    allow = artifact["decisions"][control["id"]]["settings"]["docker_firewall_published"]["allow"]
    found = host.reading["surfaces"]["docker_firewall"]
    past = [WAYS_OUT[tool] % named(ports) for tool, ports in found["past"].items() if ports]
    if found["wrong"] or past:
        return failed("; ".join(found["wrong"] + past))
    return passed(f"published ports answer {len(allow)} listed networks and ports alone")
