"""Published ports that docker-proxy answers itself, because no rule of Docker's leads to the container: nothing of it is forwarded.

Then INPUT decides and not DOCKER-USER (docs/firewall.md). Asked is the kernel, and the processes that serve; not what Docker thinks.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import ipaddress
import os

from ansible.module_utils import hardhost_block as block
from ansible.module_utils import hardhost_files as files

# What docker-proxy is told by dockerd, wherever its program lies (`userland-proxy-path`); measured on 20.10.24 and 26.1.5.
PROTOCOL, ADDRESS, PORT, CONTAINER = "-proto", "-host-ip", "-host-port", "-container-ip"


def past(tool, root="/proc"):
    """What docker-proxy serves for one family and Docker's rules do not lead to a container; shape as `proxies`."""
    served = [one for one in proxies(root) if one["family"] == block.TOOLS[tool]]
    rules = block.live(tool, "nat") if served else {}
    # Over IPv6 Docker need not have a hand in forwarding at all; over IPv4 what is wrong there is told, and mended, as such.
    if tool == "ip6tables" and served and not block.passed_by(block.live(tool)):
        return served
    return [one for one in served if not led(one, rules)]


def led(one, rules):
    """Whether packets to what a proxy serves are readdressed before they reach it, by the chains that `live` gives of table nat."""
    if not any(rule.endswith(" -j DOCKER") for rule in rules.get("PREROUTING", [])):
        return False
    return any(_leads(rule.split(), one) for rule in rules.get("DOCKER", []))


def _leads(words, one):
    found = {name: _after(words, name) for name in ("-j", "-p", "--dport", "-d")}
    if "%(-j)s %(--dport)s/%(-p)s" % found != "DNAT " + one["port"]:
        return False
    return not found["-d"] or found["-d"].partition("/")[0] == one["address"]


def proxies(root="/proc"):
    """`[{family, address, port}]` of the docker-proxies that serve others in this network; not what a container runs."""
    found = []
    for name in filter(str.isdigit, os.listdir(root)):
        folder = os.path.join(root, name)
        words = _words(folder + "/cmdline")
        if CONTAINER in words and _ours(folder, root):
            found += _proxy(words)
    return sorted(found, key=lambda one: (one["address"], one["port"]))


def _words(path):
    try:
        return (files.read(path) or b"").decode("utf-8", "replace").split("\0")
    except OSError:  # it has ended while it was read
        return []


def _ours(folder, root):
    """Of the one who asks (root), and in no container's namespaces: anybody may give a process these words, and so does a Docker in a container."""
    try:
        return os.stat(folder).st_uid == os.geteuid() and all(
            os.readlink("%s/ns/%s" % (folder, kind)) == os.readlink("%s/self/ns/%s" % (root, kind))
            for kind in ("net", "pid")
        )
    except OSError:  # it has ended
        return False


def _proxy(words):
    try:
        address = ipaddress.ip_address(_after(words, ADDRESS))
    except ValueError:
        return []
    if address.is_loopback:
        return []
    port = "%s/%s" % (_after(words, PORT), _after(words, PROTOCOL))
    return [{"family": address.version, "address": str(address), "port": port}]


def _after(words, name):
    """The word that follows a name; "" where there is none."""
    place = words.index(name) + 1 if name in words else len(words)
    return words[place] if place < len(words) else ""
