"""Read, on the host and as root, what the checks need of the live system. Changes nothing.

`read(wanted)` takes `{"keys": [daemon.json keys], "subjects": [of docker_files_paths],
"settings": {control id: settings}, "inputs": {…}}` and returns plain data: of flags and of
daemon.json the wanted keys alone, of containers never the environment. Roles that bring a surface
of their own read it themselves: `surfaces`.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import grp
import json
import os
import pwd
import re
import subprocess
import time
from pathlib import Path

import sockets
from ansible.module_utils import hardhost_facts
from ansible.module_utils import hardhost_files as files
from ansible.module_utils import hardhost_permissions as permissions
from ansible.module_utils import hardhost_running as running_daemon
from ansible.module_utils import hardhost_selinux_kernel as selinux
from ansible.module_utils import hardhost_surfaces as surfaces
from ansible.module_utils import hardhost_unit as units
from ansible.module_utils.hardhost_options import OptionsError, parse
from ansible.module_utils.hardhost_redaction import redact


def read(wanted):
    """Everything, in one answer."""
    facts = hardhost_facts.collect()
    process = facts["process"]
    return {
        "machine": os.uname().machine,
        "machine_id": facts["machine_id"],
        "engine": facts["engine"],
        "api_error": facts["api_error"] if process else "dockerd does not run",
        "info": facts["info"],
        "bridge": facts["bridge"],
        "kernel": {
            "bridge_nf_call_iptables": _text("/proc/sys/net/bridge/bridge-nf-call-iptables"),
            "docker_proxies": _proxies(process),
            **_packet_filter(facts["bridge"].get("com.docker.network.bridge.name", "docker0")),
        },
        "containers": [_container(one, facts["info"]) for one in facts["containers"]],
        "daemon": _daemon(process, facts, wanted["keys"]),
        "file": _file(facts, wanted["keys"]),
        "listeners": sockets.listeners(process["pid"]) if process else [],
        "identities": {name: facts["identities"][name] for name in ("subuid", "subgid")},
        "subjects": {
            subject: [_described(found) for found in permissions.paths(subject, facts)]
            for subject in wanted["subjects"]
        },
        "profile_newer": _profile_newer(facts),
        "surfaces": surfaces.observe(facts, wanted["inputs"], wanted["settings"]),
    }


def _text(path):
    try:
        return (files.read(path) or b"").decode("ascii", "replace").strip()
    except OSError:
        return ""


def _packet_filter(bridge):
    """Whether the kernel drops what goes from a bridge back into it, and has Docker's rules."""
    rules = _output(["iptables", "-w", "10", "-S"]), _output(["nft", "list", "ruleset"])
    return {
        "isolates_bridge": drops(rules[0], bridge) or drops_in_nftables(rules[1], bridge),
        "docker_rules": has_docker(*rules),
        "forward_policy": forward_policy(rules[0]),
        "forwards": _text("/proc/sys/net/ipv4/ip_forward") != "0",
    }


def has_docker(rules, nftables):
    """Whether `iptables -S` shows a chain of Docker in use, or `nft list ruleset` its table.

    Not DOCKER-USER: the timer of docker_firewall brings back the jump to it, and no rule of Docker.
    """
    return bool(
        re.search(r"^-A FORWARD .*-j DOCKER(?!-USER\b)", rules, re.MULTILINE)
        or re.search(r"^table \w+ docker-bridges", nftables, re.MULTILINE)
    )


def forward_policy(rules):
    """What becomes of packets about which no rule of FORWARD decides; "" where nothing says so."""
    found = re.search(r"^-P FORWARD (\w+)$", rules, re.MULTILINE)
    return found.group(1) if found else ""


def _proxies(process):
    """How many docker-proxy processes the daemon has."""
    parent = process["pid"] if process else None
    statuses = [_text(f"{one}/stat") for one in Path("/proc").glob("[0-9]*")]
    return sum(1 for one in statuses if one and is_proxy(one, parent))


def is_proxy(status, parent):
    """Whether a line of proc(5) stat is that of a docker-proxy with this parent."""
    name, _unused, rest = status.partition("(")[2].rpartition(")")
    return name == "docker-proxy" and rest.split()[1] == str(parent)


def drops(rules, bridge):
    """Whether `iptables -S` shows the rule of `icc: false`."""
    name = re.escape(bridge)
    return bool(re.search(rf"^-A \S+ -i {name} -o {name}(?: .*)? -j DROP$", rules, re.MULTILINE))


def drops_in_nftables(rules, bridge):
    """Whether `nft list ruleset` shows it, as engines since 29.0 word it."""
    chains = re.findall(r"chain ([^\s{]+) \{(.*?)\n\t\}", rules, re.DOTALL)
    return any(bridge in name and 'drop comment "ICC"' in body for name, body in chains)


def _output(words):
    try:
        done = subprocess.run(
            words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace")


def _container(facts, info):
    """What the kernel and the daemon hold about one container.

    `selinux` and `root_is` are None where no process could be asked: it has ended meanwhile, or
    waits to be started again (pid 0).
    """
    kept = ("id", "name", "running", "privileged", "security_options")
    found = {key: facts[key] for key in (*kept, "userns_mode", "pid_mode", "ipc_mode")}
    found["no_new_privileges"] = _created_with_no_new_privileges(facts["id"], info)
    found["root_is"], found["selinux"] = None, None
    if facts["running"]:
        status = _text(f"/proc/{facts['pid']}/status")
        kind = selinux.kind(selinux.process(facts["pid"]))
        first = _text(f"/proc/{facts['pid']}/uid_map").split()
        if units.started(facts["pid"]) is None:
            return found
        found["no_new_privileges"] = found["no_new_privileges"] and bool(
            re.search(r"^NoNewPrivs:\s*1$", status, re.MULTILINE)
        )
        found["selinux"] = kind
        found["root_is"] = int(first[1]) if len(first) > 1 else None
    return found


def _created_with_no_new_privileges(identifier, info):
    """What the daemon stored when the container was created; the API does not show it."""
    path = f"{info.get('DockerRootDir')}/containers/{identifier}/config.v2.json"
    try:
        return (
            json.loads((files.read(path) or b"{}").decode("utf-8")).get("NoNewPrivileges") is True
        )
    except (OSError, ValueError):
        return False


def _daemon(process, facts, keys):
    if not process:
        return None
    flags = {"running": units.flags(process["arguments"]), "configured": facts["flags"]}
    return {
        "nofile": process["nofile"],
        "flags": {when: _only(found, keys) for when, found in flags.items()},
    }


def _file(facts, keys):
    """daemon.json as it is (`options`), and as the daemon has read it (`read`, None: unknown)."""
    found = facts["daemon_json"]
    return {
        "path": found["path"],
        "error": found["error"],
        "options": _only(found["options"], keys),
        "read": _read(facts, keys),
    }


def _only(options, keys):
    return {key: redact(value, key) for key, value in options.items() if key in keys}


def _read(facts, keys):
    known = running_daemon.known(facts)
    try:
        return None if known is None else _only(parse(known), keys)
    except OptionsError:
        return None


def _profile_newer(facts):
    """Whether the custom seccomp profile was changed after the daemon read it."""
    options = [
        one for one in facts["info"].get("SecurityOptions", []) if one.startswith("name=seccomp")
    ]
    path = options[0].partition("profile=")[2] if options else ""
    if not path.startswith("/") or not facts["process"]:
        return False
    try:
        started = time.time() - facts["process"]["age"]
        return Path(path).stat().st_mtime > started + running_daemon.MARGIN
    except OSError:
        return True


def _described(path):
    status = Path(path).stat()
    return {
        "path": path,
        "owner": _name(pwd.getpwuid, status.st_uid),
        "group": _name(grp.getgrgid, status.st_gid),
        "mode": status.st_mode & 0o7777,
    }


def _name(look_up, number):
    try:
        return look_up(number)[0]
    except KeyError:
        return str(number)
