"""Published ports: in force, not in force, and answered past the rules."""

from __future__ import annotations

from typing import Any

import pytest
from checks import published_on_all_addresses, published_ports
from verdict import ObservedHost

ALLOW = [{"cidr": "192.0.2.0/24"}]
ARTIFACT = {"decisions": {"a/b": {"settings": {"docker_firewall_published": {"allow": ALLOW}}}}}
NOBODY: dict[str, list[str]] = {"iptables": [], "ip6tables": []}


@pytest.mark.parametrize(
    ("found", "status", "words"),
    [
        ({}, "pass", "answer 1 listed"),
        ({"wrong": ["iptables: no chain"]}, "fail", "iptables: no chain"),
        (
            {"past": {**NOBODY, "iptables": ["web 80/tcp"]}},
            "fail",
            "past these rules: web 80/tcp; restart",
        ),
        ({"past": {**NOBODY, "ip6tables": ["web 80/tcp"]}}, "fail", "over IPv6, docker-proxy"),
        ({"wrong": ["x"], "past": {**NOBODY, "iptables": ["y 1/udp"]}}, "fail", "x; Docker's own"),
    ],
)
def test_published_ports(found: dict[str, Any], status: str, words: str) -> None:
    reading = {"surfaces": {"docker_firewall": {"wrong": [], "past": NOBODY, **found}}}
    verdict = published_ports.check(ObservedHost("db1", reading), {"id": "a/b"}, ARTIFACT)
    assert (verdict.status, words in verdict.reason) == (status, True), verdict.reason


@pytest.mark.parametrize(
    ("address", "unread", "status", "words"),
    [
        ("192.0.2.1", "", "pass", "1 published ports"),
        ("0.0.0.0", "", "fail", "web 80/tcp"),
        ("192.0.2.1", "those of services", "pending", "those of services"),
        ("0.0.0.0", "those of services", "fail", "web 80/tcp"),
    ],
)
def test_published_on_all_addresses(address: str, unread: str, status: str, words: str) -> None:
    published = [{"container": "web", "address": address, "port": "80/tcp"}]
    reading = {"surfaces": {"docker_firewall": {"published": published, "unread": unread}}}
    verdict = published_on_all_addresses.check(ObservedHost("db1", reading), {}, {})
    assert (verdict.status, words in verdict.reason) == (status, True), verdict.reason
