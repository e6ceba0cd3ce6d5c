"""The surface of docker_firewall: which ports are published to whom, and what its control would change.

`plan` is shared with the module that applies it: what preflight announces is what is done.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import re

from ansible.module_utils import hardhost_block as block
from ansible.module_utils import hardhost_docker as docker
from ansible.module_utils import hardhost_files as files
from ansible.module_utils import hardhost_managed as managed
from ansible.module_utils import hardhost_published as published_ports
from ansible.module_utils import hardhost_running as running
from ansible.module_utils.hardhost_preconditions import hold

EVERYWHERE = "0.0.0.0"  # noqa: S104 - as Docker names it
INGRESS = re.compile(r"-A DOCKER-INGRESS -p (\w+) .*--dport (\d+) -j DNAT ")
RULES_GONE = "Docker's rules for published ports are gone from table nat"


def read(_facts, _inputs):
    """Nothing beforehand: the rules are asked where they are needed."""
    return {}


def entries(settings):
    """The allow-list of a control's settings; None where it has none."""
    return settings.get("docker_firewall_published", {}).get("allow")


def plan(control):
    """What applying one control `{id, settings}` does: `{files, chains, timer, restart}`.

    Chains to load anew, a timer to start, and why dockerd is to be: its own rules are not ours to make.
    """
    allow = entries(control["settings"])
    if not allow:
        return {"files": [], "chains": [], "timer": False, "restart": ""}
    found = managed.different(block.wanted_files(control["id"], allow))
    return {
        "files": found,
        "chains": [tool for tool in block.TOOLS if block.not_in_force(allow, tool)],
        "timer": not block.timer_runs(),
        "restart": RULES_GONE if published_ports.past("iptables") else "",
    }


def changes(control, facts, _inputs):
    """`[{what, before, after}]` of what applying a control would change; `restart` where only that brings Docker's rules back."""
    found = plan(control)
    shown = managed.changes(found["files"]).get(control["id"], [])
    allow = entries(control["settings"]) or []
    shown += [
        {
            "what": "%s: %s" % (tool, block.CHAIN),
            "before": None,
            "after": "%d rules" % len(block.rules(allow, block.TOOLS[tool])),
        }
        for tool in found["chains"]
    ]
    if found["timer"]:
        shown.append({"what": block.TIMER, "before": "inactive", "after": "active"})
    if found["restart"] and not running.due(facts):
        why = found["restart"]
        shown.append({"what": "dockerd", "before": why, "after": "restarted", "restart": why})
    return shown


def observe(facts, _inputs, settings):
    """What the checks want to know: published ports, why the block does not hold, and per tool the ports that get past it.

    `unread`: why not all published ports could be told; "" where all were.
    """
    found = {"published": published(), "unread": "", "wrong": [], "past": {}}
    if facts["info"].get("Swarm", "inactive") not in ("inactive", ""):
        rules = block.live("iptables", "nat")
        found["published"] += ingress(rules)
        found["unread"] = (
            "" if rules else "the ports of the swarm's services: see `iptables -t nat -S`"
        )
    for identifier, given in settings.items():
        allow = entries(given)
        if allow:
            wanted = managed.different(block.wanted_files(identifier, allow))
            found["wrong"] = ["%s is not as wanted" % one["path"] for one in wanted]
            found["wrong"] += filter(
                None, [block.not_in_force(allow, tool) for tool in block.TOOLS]
            )
            found["wrong"] += [] if block.timer_runs() else ["%s does not run" % block.TIMER]
            found["past"] = {tool: past(tool, found["published"]) for tool in block.TOOLS}
    return found


def past(tool, ports):
    """`["container port"]` that docker-proxy answers past the block; [] for IPv6 where nobody else can reach the host over it."""
    if tool == "ip6tables" and not global_ipv6():
        return []
    names = {(one["address"], one["port"]): one["container"] for one in ports}
    found = published_ports.past(tool)
    return ["%s %s" % (names.get((one["address"], one["port"]), "?"), one["port"]) for one in found]


def published():
    """`[{container, address, port}]` of ports that are open on an address of the host, by what Docker says."""
    try:
        containers = docker.get("/containers/json")
    except docker.ApiError:
        return []
    found = []
    for one in containers:
        name = (one.get("Names") or ["?"])[0].lstrip("/")
        for port in one.get("Ports") or []:
            if port.get("PublicPort"):
                worded = "%d/%s" % (port["PublicPort"], port.get("Type", "tcp"))
                found.append({"container": name, "address": port.get("IP", ""), "port": worded})
    return found


def ingress(rules):
    """Ports that a node of a swarm opens for services, on every address; shape as `published`. By the chains that `live` gives of nat.

    The API lists none of them, and workers know no services.
    """
    ports = [INGRESS.match(rule) for rule in rules.get("DOCKER-INGRESS", [])]
    return [
        {"container": "(service)", "address": EVERYWHERE, "port": "%s/%s" % one.group(2, 1)}
        for one in ports
        if one
    ]


def global_ipv6(path="/proc/net/if_inet6"):
    """Whether the host has an IPv6 address that others can reach."""
    text = (files.read(path) or b"").decode("ascii", "replace")
    # address, interface number, prefix length, scope (00: global), flags, name
    return any(line.split()[3] == "00" for line in text.splitlines())


def docker_user_there(facts, _inputs, control):
    """Docker manages iptables on this host, so that DOCKER-USER comes before its own rules."""
    options = dict(facts["flags"], **facts["daemon_json"]["options"])
    if options.get("iptables") is False or options.get("firewall-backend") == "nftables":
        return hold(
            "Docker does not use iptables here, so there is no DOCKER-USER",
            "let it manage iptables, or filter published ports with rules of your own (docs/firewall.md)",
        )
    problem = block.wrong(entries(control["settings"]) or [])
    if problem:
        return hold(problem, "mend the input")
    lacks = [tool for tool in sorted(block.TOOLS) if not block.live(tool)]
    if lacks:
        return hold(
            "%s cannot be used on this host" % ", ".join(lacks),
            "install the package iptables, and see what `%s -S` says" % lacks[0],
        )
    return None


PRECONDITIONS = {
    "docker_user_there": docker_user_there,
}
