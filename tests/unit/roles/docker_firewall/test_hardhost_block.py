"""The block's rules, what is no allow-list, and how the live rules are judged."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import hardhost_block as block
from ansible.module_utils import hardhost_surface_docker_firewall as surface

from tests.unit.roles.hosts import facts

ALLOW = [
    {"cidr": "192.0.2.0/24", "port": 443},
    {"cidr": "192.0.2.7", "port": "8000:8010", "proto": "udp"},
    {"cidr": "0.0.0.0/0", "port": 80},
    {"cidr": "2001:db8::/32"},
]
ID = "docker_firewall/published_ports"


def control(allow: list[Any]) -> dict[str, Any]:
    return {"id": ID, "settings": {"docker_firewall_published": {"allow": allow}}}


def test_each_family_gets_its_own() -> None:
    assert block.rules(ALLOW, 4)[2:] == [
        "-A HARDHOST-DOCKER -s 192.0.2.0/24 -p tcp -m conntrack --ctorigdstport 443 -j RETURN",
        "-A HARDHOST-DOCKER -s 192.0.2.7/32 -p udp -m conntrack --ctorigdstport 8000:8010"
        " -j RETURN",
        "-A HARDHOST-DOCKER -p tcp -m conntrack --ctorigdstport 80 -j RETURN",
        "-A HARDHOST-DOCKER -j DROP",
    ]
    assert block.rules(ALLOW, 6)[2:] == [
        "-A HARDHOST-DOCKER -s 2001:db8::/32 -p tcp -j RETURN",
        "-A HARDHOST-DOCKER -j DROP",
    ]


@pytest.mark.parametrize(
    ("one", "said"),
    [
        ("192.0.2.0/24", "wanted is"),
        ({"port": 80}, "wanted is"),
        ({"cidr": "192.0.2.1/24"}, "host bits"),
        ({"cidr": "office"}, "does not appear to be"),
        ({"cidr": "192.0.2.0/24", "port": 0}, "port is"),
        ({"cidr": "192.0.2.0/24", "port": "90:80"}, "port is"),
        ({"cidr": "192.0.2.0/24", "port": "80 -j ACCEPT"}, "port is"),
        ({"cidr": "192.0.2.0/24", "proto": "icmp"}, "proto is"),
        ({"cidr": "192.0.2.0/24", "ports": 80}, "wanted is"),
    ],
    ids=str,
)
def test_what_is_no_entry(one: Any, said: str) -> None:
    assert "item 2" in block.wrong([ALLOW[0], one])
    assert said in block.wrong([ALLOW[0], one])
    assert block.wrong(ALLOW) == ""
    decision = surface.docker_user_there(facts(), {}, control([one]))
    assert decision["decision"] == "pending"


def test_without_iptables_there_is_no_place_for_it() -> None:
    for options in ({"iptables": False}, {"firewall-backend": "nftables"}):
        decision = surface.docker_user_there(facts(options), {}, control(ALLOW))
        assert decision["decision"] == "pending"
        assert "no DOCKER-USER" in decision["reason"]


def test_the_script_is_one_the_shell_understands(tmp_path: Path) -> None:
    path = tmp_path / "script.sh"
    path.write_text(block.script(ALLOW))
    subprocess.run(["sh", "-n", str(path)], check=True)
    lines = path.read_text().splitlines()
    assert lines.count(":HARDHOST-DOCKER - [0:0]") == 2
    assert lines.count("-A HARDHOST-DOCKER -j DROP") == 2


HEX = "br-0123456789ab"
# As `iptables -S` words them with 20.10.24, 28.0.0 and 29.
OLDER = [f"-A FORWARD -o {name} -j DOCKER" for name in ("docker0", HEX, "apps0")]
WITH_SETS = [f"-A DOCKER ! -i {name} -o {name} -j DROP" for name in ("docker0", HEX, "apps0")]
NEWER = [f"-A DOCKER-BRIDGE -o {name} -j DOCKER" for name in ("docker0", HEX, "apps0")]
HAIRPINS = [f"-A HARDHOST-DOCKER -i {name} -o {name} -j RETURN" for name in (HEX, "docker0")]
BRIDGES = ("apps0", HEX, "br-lan", "docker0", "virbr0")


STANDING = ["-A HARDHOST-DOCKER -o br-lan -j RETURN", "-A HARDHOST-DOCKER -o apps0 -j RETURN"]


@pytest.mark.parametrize(
    ("dockers", "docker", "passed"),
    [
        (OLDER, "running", ["br-lan", "eth0", "virbr0"]),
        (WITH_SETS, "running", ["br-lan", "eth0", "virbr0"]),
        (NEWER, "start-post", ["br-lan", "eth0", "virbr0"]),
        (["-A DOCKER-USER -j HARDHOST-DOCKER"], "dead", ["eth0"]),  # any bridge may be Docker's
        (NEWER[:1], "start", ["eth0"]),  # it has come to its first network
        (NEWER[:1] + STANDING[:1], "start", ["br-lan", "eth0"]),
        (NEWER + STANDING, "start", ["br-lan", "eth0"]),
    ],
)
def test_what_others_readdress_is_let_through(
    dockers: list[str], docker: str, passed: list[str], tmp_path: Path
) -> None:
    """The script, with these interfaces and these rules of Docker."""
    net, programs = tmp_path / "net", tmp_path / "programs"
    programs.mkdir()
    for name in (*BRIDGES, "eth0", "odd+", "veth1"):
        (net / name).mkdir(parents=True)
    for name in BRIDGES:
        (net / name / "bridge").mkdir()
    (net / "veth1" / "brport").mkdir()
    rules = tmp_path / "rules"
    rules.write_text("\n".join(dockers) + "\n")
    stub(programs / "systemctl", f"echo {docker}")
    for tool in block.TOOLS:
        stub(
            programs / tool,
            f"case $* in '-w 10 -S'*HARDHOST-DOCKER) grep ' HARDHOST-DOCKER ' {rules} ;;"
            f" '-w 10 -S') cat {rules} ;; *' -D '*) exit 1 ;; esac",
        )
        stub(programs / f"{tool}-restore", f"cat > {tmp_path}/{tool}.loaded")
    text = block.script(ALLOW).replace("/sys/class/net", str(net))
    text = text.replace("PATH=", f"PATH={programs}:").replace("/run/", f"{tmp_path}/")
    subprocess.run(["sh", "-c", text], check=True, timeout=60)
    for tool, family in block.TOOLS.items():
        loaded = (tmp_path / f"{tool}.loaded").read_text().splitlines()
        lets = [f"-A HARDHOST-DOCKER -o {name} -j RETURN" for name in passed]
        static = block.rules(ALLOW, family)
        found = [line for line in loaded if line.startswith("-A")]
        assert sorted(found[len(static) - 1 : -1]) == sorted(HAIRPINS + lets)
        assert found[: len(static) - 1] + found[-1:] == static


def stub(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


JUMP = "-A FORWARD -j DOCKER-USER"
LETS_ALL = "-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"


def there(**changed: list[str]) -> dict[str, list[str]]:
    found = {"DOCKER-USER": ["-A DOCKER-USER -j HARDHOST-DOCKER", "-A DOCKER-USER -j RETURN"]}
    found["FORWARD"] = [JUMP]
    return {**found, "HARDHOST-DOCKER": block.rules(ALLOW, 4), **changed}


def past(words: str, dockers: list[str] = NEWER) -> dict[str, list[str]]:
    """With a rule that lets through by interface, and these rules of Docker."""
    chain = block.rules(ALLOW, 4)
    chain.insert(-1, f"-A HARDHOST-DOCKER {words} -j RETURN")
    return there(**{"HARDHOST-DOCKER": chain, "DOCKER-BRIDGE": dockers})


@pytest.mark.parametrize(
    ("live", "said"),
    [
        (there(), ""),
        (there(**{"HARDHOST-DOCKER": block.rules(ALLOW, 4)[1:]}), "not as wanted"),
        (past("-o virbr0"), ""),
        (past(f"-i {HEX} -o {HEX}"), ""),
        (past(f"-o {HEX}"), "not as wanted"),
        (past(f"-i eth0 -o {HEX}"), "not as wanted"),
        (past("-o br-+"), "not as wanted"),
        (past("-o apps0"), "not as wanted"),
        (past("-i apps0 -o apps0"), "not as wanted"),
        (past("-o apps0", dockers=[]), ""),
        ({}, "not as wanted"),
        (there(**{"DOCKER-USER": ["-A DOCKER-USER -j RETURN"]}), "does not begin with it"),
        (there(**{"DOCKER-USER": []}), "does not begin with it"),
        (there(FORWARD=[]), "does not come past DOCKER-USER"),
        (there(FORWARD=[LETS_ALL, JUMP]), "does not come past DOCKER-USER"),
        (there(FORWARD=["-A FORWARD -j DOCKER-FORWARD", JUMP]), "does not come past DOCKER-USER"),
        (there(FORWARD=["-A FORWARD -j ufw-before-forward", JUMP]), ""),
    ],
)
def test_what_is_in_force(
    live: dict[str, list[str]], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(block, "live", lambda _tool: live)
    found = block.not_in_force(ALLOW, "iptables")
    assert said in found
    assert bool(said) == bool(found)


def test_nothing_is_filtered_without_a_list() -> None:
    assert surface.changes(control([]), facts(), {}) == []


def test_a_global_address_is_told_from_a_local_one(tmp_path: Path) -> None:
    file = tmp_path / "if_inet6"
    file.write_text("00000000000000000000000000000001 01 80 10 80       lo\n")
    assert not surface.global_ipv6(str(file))
    file.write_text("20010db8000000000000000000000001 02 40 00 80     eth0\n")
    assert surface.global_ipv6(str(file))
