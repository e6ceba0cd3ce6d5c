"""Which published ports docker-proxy answers in place of Docker's rules, by /proc and table nat."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import hardhost_block as block
from ansible.module_utils import hardhost_published as published
from ansible.module_utils import hardhost_surface_docker_firewall as surface

from tests.unit.roles.hosts import facts

ID = "docker_firewall/published_ports"
CONTROL = {"id": ID, "settings": {"docker_firewall_published": {"allow": [{"cidr": "10.0.0.0/8"}]}}}
JUMP = "-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER"
# As `iptables -t nat -S` words them with 20.10.24 and 26.1.5.
EVERYWHERE = (
    "-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8090 -j DNAT --to-destination 172.18.0.2:80"
)
ON_ONE = (
    "-A DOCKER -d 198.51.100.1/32 ! -i br-8b61 -p udp -m udp --dport 8092 -j DNAT"
    " --to-destination 172.19.0.2:81"
)
OVER_IPV6 = (
    "-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8090 -j DNAT --to-destination [fd00::2]:80"
)
RULES = {"PREROUTING": [JUMP], "DOCKER": ["-A DOCKER -i docker0 -j RETURN", EVERYWHERE, ON_ONE]}
WIDE = ("0.0.0.0", 8090, "tcp")
NARROW = ("198.51.100.1", 8092, "udp")
WIDE6 = ("::", 8090, "tcp")


def serve(root: Path, *served: tuple[str, int, str], net: str = "net:[1]", first: int = 10) -> None:
    """A /proc in which docker-proxy serves these addresses and ports, in a network namespace."""
    self_ns = root / "self" / "ns"
    if not self_ns.exists():
        namespaces(self_ns, "net:[1]")
    for number, (address, port, protocol) in enumerate(served, first):
        words = ["/usr/sbin/docker-proxy", "-proto", protocol, "-host-ip", address, "-host-port"]
        words += [str(port), "-container-ip", "172.18.0.2", "-container-port", "80", ""]
        namespaces(root / str(number) / "ns", net)
        (root / str(number) / "cmdline").write_text("\0".join(words))


def namespaces(folder: Path, net: str) -> None:
    folder.mkdir(parents=True)
    (folder / "net").symlink_to(net)
    (folder / "pid").symlink_to("pid:[1]")


def live(monkeypatch: pytest.MonkeyPatch, **tables: dict[str, list[str]]) -> None:
    monkeypatch.setattr(block, "live", lambda _tool, table="filter": tables.get(table, {}))


def ports(found: list[dict[str, Any]]) -> list[str]:
    return [f"{one['address']} {one['port']}" for one in found]


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        (RULES, []),
        ({}, ["0.0.0.0 8090/tcp", "198.51.100.1 8092/udp"]),  # nft flush ruleset
        # iptables -t nat -F: the chain stays
        ({"PREROUTING": [], "DOCKER": []}, ["0.0.0.0 8090/tcp", "198.51.100.1 8092/udp"]),
        ({**RULES, "PREROUTING": []}, ["0.0.0.0 8090/tcp", "198.51.100.1 8092/udp"]),
        ({**RULES, "DOCKER": [EVERYWHERE]}, ["198.51.100.1 8092/udp"]),
        ({**RULES, "DOCKER": [EVERYWHERE.replace("8090", "80901"), ON_ONE]}, ["0.0.0.0 8090/tcp"]),
        ({**RULES, "DOCKER": [EVERYWHERE.replace("tcp", "udp"), ON_ONE]}, ["0.0.0.0 8090/tcp"]),
        ({**RULES, "DOCKER": [EVERYWHERE.replace("DNAT", "RETURN"), ON_ONE]}, ["0.0.0.0 8090/tcp"]),
        (
            {**RULES, "DOCKER": [EVERYWHERE, ON_ONE.replace("100.1/", "100.9/")]},
            ["198.51.100.1 8092/udp"],
        ),
    ],
)
def test_what_no_rule_leads_to_a_container(
    rules: dict[str, list[str]], said: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(tmp_path, WIDE, NARROW)
    live(monkeypatch, nat=rules)
    assert ports(published.past("iptables", str(tmp_path))) == said


def test_where_nothing_is_served_nothing_gets_past(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is published, or `userland-proxy` is off: without Docker's rules nobody gets in."""
    live(monkeypatch, nat={})
    serve(tmp_path, ("127.0.0.1", 8090, "tcp"), ("::1", 8090, "tcp"))
    serve(tmp_path, WIDE, net="net:[2]", first=20)  # a Docker in a container
    (tmp_path / "30").mkdir()
    (tmp_path / "30" / "cmdline").write_text("vi\0docker-proxy\0")
    for tool in block.TOOLS:
        assert published.past(tool, str(tmp_path)) == []


def test_words_that_name_no_address_are_no_proxy(tmp_path: Path) -> None:
    serve(tmp_path, ("office", 1, "tcp"))
    (tmp_path / "11").mkdir()
    (tmp_path / "11" / "cmdline").write_text("x\0-container-ip")
    namespaces(tmp_path / "11" / "ns", "net:[1]")
    assert published.proxies(str(tmp_path)) == []


@pytest.mark.parametrize(
    ("forward", "rules", "said"),
    [
        (["-A FORWARD -j DOCKER-USER"], [OVER_IPV6], []),
        (["-A FORWARD -j DOCKER-USER"], [], [":: 8090/tcp"]),  # its network has no IPv6
        ([], [OVER_IPV6], [":: 8090/tcp"]),
    ],
)
def test_over_ipv6_docker_need_not_forward(
    forward: list[str],
    rules: list[str],
    said: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    serve(tmp_path, WIDE6, WIDE)
    live(monkeypatch, filter={"FORWARD": forward}, nat={"PREROUTING": [JUMP], "DOCKER": rules})
    assert ports(published.past("ip6tables", str(tmp_path))) == said


def test_this_machine_can_be_asked() -> None:
    assert isinstance(published.proxies(), list)


def test_a_restart_is_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Announced while nobody has asked for one; from then on docker_restart knows."""
    proxy = {"family": 4, "address": "0.0.0.0", "port": "8090/tcp"}
    monkeypatch.setattr(published, "past", lambda _tool: [proxy])
    monkeypatch.setattr(block, "not_in_force", lambda *_words: "")
    monkeypatch.setattr(block, "timer_runs", lambda: True)
    monkeypatch.setattr(surface.managed, "different", lambda _wanted: [])
    monkeypatch.setattr(surface.running, "due", lambda _facts: "")
    (change,) = surface.changes(CONTROL, facts(), {})
    assert change["restart"] == surface.RULES_GONE
    monkeypatch.setattr(surface.running, "due", lambda _facts: surface.RULES_GONE)
    assert surface.changes(CONTROL, facts(), {}) == []


# As `iptables -t nat -S DOCKER-INGRESS` words them on a node of a swarm.
INGRESS = [
    "-A DOCKER-INGRESS -p tcp -m tcp --dport 8081 -j DNAT --to-destination 172.18.0.2:8081",
    "-A DOCKER-INGRESS -p udp -m udp --dport 53 -j DNAT --to-destination 172.18.0.2:53",
    "-A DOCKER-INGRESS -j RETURN",
]


@pytest.mark.parametrize(
    ("state", "nat", "said", "unread"),
    [
        ("active", {"DOCKER-INGRESS": INGRESS}, ["0.0.0.0 8081/tcp", "0.0.0.0 53/udp"], False),
        ("active", {"PREROUTING": []}, [], False),  # no service has a port
        ("active", {}, [], True),
        ("inactive", {"DOCKER-INGRESS": INGRESS}, [], False),  # it has left the swarm
        ("inactive", {}, [], False),
    ],
)
def test_ports_that_a_swarm_opens_on_its_nodes(
    state: str,
    nat: dict[str, list[str]],
    said: list[str],
    unread: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The API lists the containers' ports, and none of those of services."""
    live(monkeypatch, nat=nat)
    monkeypatch.setattr(surface.docker, "get", lambda _path: [])
    found = surface.observe(facts(info={"Swarm": state}), {}, {})
    assert (ports(found["published"]), bool(found["unread"])) == (said, unread)
