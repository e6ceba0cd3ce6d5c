"""Facts of hosts that do not exist, controls to decide about, and the modules of the roles."""

from __future__ import annotations

import copy
import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

from ansible.module_utils import hardhost_decisions
from ansible.module_utils.hardhost_options import word

ROLES = Path(__file__).parents[3] / "roles"

Json = dict[str, Any]
TODAY = "2026-11-21"

_QUIET: Json = {
    "os": {"id": "debian", "version": "13", "family": "debian", "pretty": "Debian GNU/Linux 13"},
    "engine": {
        "installed": True,
        "running": True,
        "version": "26.1.5+dfsg1",
        "client": "26.1.5+dfsg1",
        "api": "1.45",
        "binary": "/usr/sbin/dockerd",
        "candidate": "",
    },
    "unit": {
        "FragmentPath": "/usr/lib/systemd/system/docker.service",
        "MainPID": "1",
        "ActiveState": "active",
        "DropInPaths": "",
    },
    "arguments": {
        "running": [
            "/usr/sbin/dockerd",
            "-H",
            "fd://",
            "--containerd=/run/containerd/containerd.sock",
        ]
    },
    "process": {"pid": 1, "started": 1, "age": 1000.0, "nofile": 1048576},
    "flags": {"hosts": ["fd://"], "containerd": "/run/containerd/containerd.sock"},
    "identities": {"subuid": [], "subgid": [], "users": {"root": 0}, "groups": {"root": 0}},
    "snap": False,
    "podman": False,
    "user_namespaces": {"supported": True, "maximum": 60000},
    "bridge_netfilter": {"active": True, "loadable": True},
    "selinux": {"enabled": False, "enforcing": False, "containers": False},
    "info": {
        "SecurityOptions": ["name=seccomp,profile=builtin", "name=cgroupns"],
        "LiveRestoreEnabled": False,
        "LoggingDriver": "json-file",
        "Swarm": "inactive",
    },
    "containers": [],
    "images": 0,
    "volumes": 0,
    "networks": [],
    "data_roots": [],
    "api_error": "",
    "containerd_error": "",
    "silent_collectors": {},
    "state_error": "",
    "state": {
        "version": 1,
        "lease": None,
        "changes": [],
        "undone": [],
        "files": {},
        "daemon": None,
    },
}


def facts(options: Json | None = None, **changed: Any) -> Json:
    """A quiet Debian 13 with this daemon.json; a map given for a part changes only its entries."""
    found = copy.deepcopy(_QUIET)
    found["daemon_json"] = daemon_json(options)
    for name, value in changed.items():
        known = found.get(name)
        found[name] = (
            {**known, **value} if isinstance(known, dict) and isinstance(value, dict) else value
        )
    return found


def daemon_json(options: Json | None, error: str = "") -> Json:
    """What is read of a daemon.json that is older than the daemon; None for no file."""
    described = {"uid": 0, "gid": 0, "mode": 0o644, "mtime_ns": 0}
    return {
        "path": "/etc/docker/daemon.json",
        "exists": options is not None,
        "described": described if options is not None else None,
        "data": word(options) if options is not None else None,
        "options": options or {},
        "error": error,
    }


def container(name: str, **changed: Any) -> Json:
    """A running container without anything special."""
    found: Json = {
        "id": name * 8,
        "name": name,
        "running": True,
        "pid": 4242,
        "started": "2026-11-21T10:00:00Z",
        "privileged": False,
        "network_mode": "bridge",
        "pid_mode": "",
        "ipc_mode": "private",
        "userns_mode": "",
        "security_options": [],
        "auto_remove": False,
        "stop_timeout": None,
        "log_driver": "json-file",
        "log_target": "",
    }
    return {**found, **changed}


def control(identifier: str, options: Json | None = None, **changed: Any) -> Json:
    """A control of plan.json as preflight sends it; `options` are its docker_daemon_options."""
    found: Json = {
        "id": identifier,
        "mode": "apply",
        "engine": "",
        "platforms": [],
        "needs": {},
        "requires": [],
        "unless": [],
        "applied_by": None,
        "preconditions": [],
        "settings": {} if options is None else {"docker_daemon_options": options},
        "waiver": None,
    }
    return {**found, **changed}


def icc(**changed: Any) -> Json:
    return control("docker_daemon/icc", {"icc": False}, **changed)


def decided(one: Json, host: Json | None = None, inputs: Json | None = None, **more: Any) -> Json:
    """The decision for a single control."""
    found: Json = hardhost_decisions.decide(
        [one], host or facts(), inputs or {}, more.get("exceptions", []), more.get("today", TODAY)
    )
    decision: Json = found[one["id"]]
    return decision


def module(role: str, name: str) -> ModuleType:
    """A module of a role's library."""
    path = ROLES / role / "library" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded
