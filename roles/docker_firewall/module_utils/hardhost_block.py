"""The one block of packet filter rules that is ours, reached from DOCKER-USER: its text, its unit, and whether it is in force.

Docker looks at DOCKER-USER before its own rules and never changes what it finds there.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import ipaddress
import re

from ansible.module_utils import hardhost_managed as managed
from ansible.module_utils import hardhost_programs as programs

CHAIN, ABOVE = "HARDHOST-DOCKER", "DOCKER-USER"
FOLDER = "/etc/hardhost"
SCRIPT = FOLDER + "/docker-firewall.sh"
UNIT = "hardhost-docker-firewall.service"
UNIT_PATH = "/etc/systemd/system/" + UNIT
TIMER = "hardhost-docker-firewall.timer"
TIMER_PATH = "/etc/systemd/system/" + TIMER
DROP_IN = "/etc/systemd/system/docker.service.d/zz-hardhost-firewall.conf"
TOOLS = {"iptables": 4, "ip6tables": 6}
PROTOCOLS = ("tcp", "udp", "sctp")
PORTS = re.compile(r"\d{1,5}(:\d{1,5})?")
# A rule after which a packet to a container may not come past those that follow: Docker's own, and what accepts.
LETS_THROUGH = re.compile(r" -j (ACCEPT|DOCKER\S*)( |$)| -[io] (docker0|br-\S+) ")
# Bridges that get their name from Docker. Others are its by a rule of its own: of engines before 28 in FORWARD, of later ones in
# DOCKER-BRIDGE, of 28.0.0 in DOCKER.
DOCKERS = re.compile(r"docker0|docker_gwbridge|br-[0-9a-f]{12}")
DOCKERS_RULE = re.compile(r"-A DOCKER .*-o (\S+) -j DROP|-A .*-o (\S+) -j DOCKER")
NOT_FOR_CONTAINERS = re.compile(r"-A %s (?:-i (\S+) )?-o ([\w.-]+) -j RETURN" % CHAIN)
KEYS = {"cidr", "port", "proto"}
MADE_BY = "# Written by hardhost (%s); rollback.yml takes it back.\n"
# Loaded before Docker starts: no port is published before the rules are there. Nothing is taken away when it stops: a
# restart of Docker under live-restore leaves ports open all the time.
UNIT_TEXT = """[Unit]
Description=hardhost: who may reach the published ports of containers
Before=docker.service

[Service]
Type=oneshot
ExecStart=/bin/sh %s
# Not a line for each time that nothing was left to do.
LogLevelMax=notice
"""
# Others empty the packet filter while Docker runs, and no unit is told: firewalld 1.3 with each `firewall-cmd --reload`, after
# which Docker makes its own rules anew (measured).
TIMER_TEXT = """[Unit]
Description=hardhost: see that the rules for published ports are still there

[Timer]
OnActiveSec=%d
OnUnitInactiveSec=%d
AccuracySec=1
"""
EVERY = 30  # seconds
# Once more when Docker has started: 26.1.5 does not put its own jump first when it starts under live-restore into a table
# that was emptied (measured). Docker's start does not depend on it (`-`).
DROP_IN_TEXT = """[Unit]
Wants=%s %s

[Service]
ExecStartPost=-/bin/sh %s
"""
SCRIPT_TEXT = """set -eu
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
# TABLE CHAIN TARGET: the jump to TARGET is the chain's first rule.
first() {
    case "$("$1" -w 10 -S "$2" | grep -m 1 '^-A')" in "-A $2 -j $3") return ;; esac
    while "$1" -w 10 -D "$2" -j "$3" 2>/dev/null; do :; done
    "$1" -w 10 -I "$2" 1 -j "$3"
}
load() {
    "$1" -w 10 -n -L %s >/dev/null 2>&1 || "$1" -w 10 -N %s
    "$1-restore" -w 10 --noflush
    first "$1" %s %s
}
# The bridges that Docker's own rules name.
bridges() {
    "$1" -w 10 -S | sed -n -e 's/^-A DOCKER .*-o \\([^ ]*\\) -j DROP$/\\1/p' -e 's/^-A .*-o \\([^ ]*\\) -j DOCKER$/\\1/p'
}
# Docker makes one network after the other when it starts. Until it has, only what was let through before is.
starts=$(systemctl show -p SubState --value docker.service 2>/dev/null) || starts=
has() {
    echo "$1" | grep -q -x -F -e "$2"
}
# A bridge that is none of Docker's; any may be one while Docker has no rules.
is_others() {
    [ "$known" ] && ! has "$known" "$1" && { [ "$starts" != start ] || has "$standing" "$1"; }
}
# What was readdressed by others: it leaves by what is no bridge of Docker's. And what goes back to the bridge that it came from,
# where Docker made that: one of others may have outsiders on it.
not_for_containers() {
    known=$(bridges iptables; bridges "$1")
    standing=$("$1" -w 10 -S %s 2>/dev/null | sed -n 's/^-A %s -o \\([^ ]*\\) -j RETURN$/\\1/p')
    for path in /sys/class/net/*; do
        name=${path##*/}
        case $name in
        -* | *[!A-Za-z0-9_.-]*) ;;
        docker0 | docker_gwbridge | br-%s)
            echo "-A %s -i $name -o $name -j RETURN"
            ;;
        *)
            [ ! -e "$path/brport" ] || continue
            if [ ! -e "$path/bridge" ] || is_others "$name"; then echo "-A %s -o $name -j RETURN"; fi
            ;;
        esac
    done
}
"""
# Docker's own jump. It makes none for IPv6 where it leaves that to docker-proxy, and there nothing is forwarded to it.
FORWARD_TEXT = """first iptables FORWARD %s
if ip6tables -w 10 -n -L DOCKER >/dev/null 2>&1; then first ip6tables FORWARD %s; fi
"""
# Docker's own rules in table nat are Docker's to make: here it is only told, once, that they are gone and docker-proxy answers
# in their place. The mark makes one line of it, not one each time.
NAT_TEXT = """mark=/run/hardhost-docker-firewall.told
if ! pidof docker-proxy >/dev/null || iptables -w 10 -t nat -S PREROUTING | grep -q -e '-j DOCKER$'; then
    rm -f $mark
elif [ ! -e $mark ]; then
    : > $mark
    logger -p daemon.warning -t hardhost-docker-firewall \
        "Docker's rules in table nat are gone: docker-proxy answers published ports past %s; restart Docker" || :
fi
"""


def wrong(entries):
    """What is wrong with the allow-list; "" where nothing is."""
    for number, one in enumerate(entries, 1):
        problem = _wrong(one)
        if problem:
            return "docker_firewall_allow, item %d: %s" % (number, problem)
    return ""


def _wrong(one):
    if not isinstance(one, dict) or "cidr" not in one or set(one) - KEYS:
        return "wanted is {cidr, port, proto}, of which port and proto may be left out"
    try:
        ipaddress.ip_network(str(one["cidr"]))
    except ValueError as error:
        return str(error)
    if one.get("proto", "tcp") not in PROTOCOLS:
        return "proto is one of %s" % ", ".join(PROTOCOLS)
    port = str(one.get("port", "1"))
    numbers = [int(number) for number in port.split(":")] if PORTS.fullmatch(port) else [0]
    if not 1 <= numbers[0] <= numbers[-1] <= 65535:
        return "port is a number or a range such as 8000:8010"
    return ""


def rules(entries, family):
    """The rules of the block as `iptables -S` words them, without those that go by the host's interfaces."""
    found = [
        "-A %s -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN" % CHAIN,
        # Only what was sent to a published port: what containers send out is none of our business.
        "-A %s -m conntrack ! --ctstate DNAT -j RETURN" % CHAIN,
    ]
    for one in entries:
        network = ipaddress.ip_network(str(one["cidr"]))
        if network.version == family:
            found.append(_allowed(one, network))
    return found + ["-A %s -j DROP" % CHAIN]


def _allowed(one, network):
    words = ["-A", CHAIN]
    words += ["-s", str(network)] if network.prefixlen else []
    words += ["-p", one.get("proto", "tcp")]
    # The port that was asked for on the host; by now the packet has the container's.
    words += ["-m", "conntrack", "--ctorigdstport", str(one["port"])] if "port" in one else []
    return " ".join(words + ["-j", "RETURN"])


def script(entries):
    """What loads the block, whole and in one step, and puts the jump to it first."""
    text = SCRIPT_TEXT % (ABOVE, ABOVE, ABOVE, CHAIN, CHAIN, CHAIN, "[0-9a-f]" * 12, CHAIN, CHAIN)
    for tool, family in sorted(TOOLS.items(), key=lambda one: one[1]):
        *lets, drops = rules(entries, family)
        lines = ["*filter", ":%s - [0:0]" % CHAIN] + lets
        lines += ["$(not_for_containers %s)" % tool, drops, "COMMIT"]
        text += "load %s <<END\n%s\nEND\n" % (tool, "\n".join(lines))
    return text + FORWARD_TEXT % (ABOVE, ABOVE) + NAT_TEXT % ABOVE


def wanted_files(control, entries):
    """The files by which the block is loaded now, with every start of Docker, and when somebody has emptied the filter."""
    texts = {
        SCRIPT: script(entries),
        UNIT_PATH: UNIT_TEXT % SCRIPT,
        TIMER_PATH: TIMER_TEXT % (EVERY, EVERY),
        DROP_IN: DROP_IN_TEXT % (UNIT, TIMER, SCRIPT),
    }
    return [managed.wanted(path, MADE_BY % control + text, control) for path, text in texts.items()]


def live(tool, table="filter"):
    """`{chain: rules}` of a table of the packet filter, {} where the tool is not there or does not work."""
    found = {}
    for line in programs.answer([tool, "-w", "10", "-t", table, "-S"], 30).splitlines():
        words = line.split()
        if words[0] in ("-N", "-P"):
            found.setdefault(words[1], [])
        elif words[0] == "-A":
            found.setdefault(words[1], []).append(line)
    return found


def not_in_force(entries, tool):
    """Why the block does not hold for one family; "" where it does."""
    there = live(tool)
    block = [rule for rule in there.get(CHAIN, []) if not not_for_containers(rule, there)]
    if block != rules(entries, TOOLS[tool]):
        return "%s: the chain %s is not as wanted" % (tool, CHAIN)
    if not (there.get(ABOVE) or [""])[0].startswith("-A %s -j %s" % (ABOVE, CHAIN)):
        return "%s: %s does not begin with it" % (tool, ABOVE)
    if tool == "iptables" and not passed_by(there):
        return "%s: what is forwarded does not come past %s first" % (tool, ABOVE)
    return ""


def not_for_containers(rule, there):
    """Whether a rule lets through only what leaves by no bridge of Docker's, or by the one that it came from; see the script."""
    found = NOT_FOR_CONTAINERS.fullmatch(rule)
    if not found:
        return False
    came, left = found.groups()
    if DOCKERS.fullmatch(left):
        return came == left
    named = [DOCKERS_RULE.fullmatch(one) for chain in there.values() for one in chain]
    return came is None and not any(left in one.groups() for one in named if one)


def timer_runs():
    """Whether the timer is active, which brings the rules back."""
    return programs.answer(["systemctl", "is-active", TIMER], 30).strip() == "active"


def passed_by(there):
    """Whether what is forwarded comes past DOCKER-USER before Docker's rules, by the chains that `live` gives."""
    for rule in there.get("FORWARD", []):
        if rule == "-A FORWARD -j %s" % ABOVE:
            return True
        if LETS_THROUGH.search(rule):
            return False
    return False
