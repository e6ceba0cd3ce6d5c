"""What Ansible needs to know to reach disposable hosts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import yaml

from tests.hosts.container_host import Host
from tests.hosts.local import key_pair


def inventory(hosts: Iterable[Host], groups: Iterable[str]) -> str:
    """YAML text: every host in every group, with what ssh needs."""
    members = {host.name: connection(host) for host in hosts}
    names: dict[str, Any] = dict.fromkeys(members)
    children = {group: {"hosts": dict(names)} for group in groups}
    return yaml.safe_dump({"all": {"hosts": members, "children": children}}, width=200)


def connection(host: Host) -> dict[str, Any]:
    known = f"-o UserKnownHostsFile={host.known_hosts} -o StrictHostKeyChecking=yes"
    return {
        "ansible_host": host.address,
        "ansible_port": host.port,
        "ansible_user": "root",
        "ansible_ssh_private_key_file": str(key_pair()),
        "ansible_ssh_common_args": known,
        "ansible_control_path": control_path(host),
        "ansible_python_interpreter": "/usr/bin/python3",
    }


def control_path(host: Host) -> str:
    """By the host too: addresses are given again, and an open connection asks for no host key."""
    name = f"{host.known_hosts} {host.address} {host.port}"
    return "%(directory)s/" + hashlib.sha256(name.encode()).hexdigest()[:16]


def molecule_instance(host: Host) -> dict[str, Any]:
    """The same for molecule, which writes an inventory of its own."""
    return {
        "instance": host.name,
        "address": host.address,
        "port": host.port,
        "user": "root",
        "identity_file": str(key_pair()),
    }
