"""Makes tests/host importable as it is in a rendered project, with what it sends to hosts."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import ansible.module_utils
import pytest

ROOT = Path(__file__).resolve().parents[3]
HOST_TESTS = ROOT / "tests" / "host"
SHARED = sorted(str(path) for path in ROOT.glob("roles/*/module_utils"))

sys.path[:0] = [str(HOST_TESTS), str(HOST_TESTS / "onhost")]
ansible.module_utils.__path__ += [
    path for path in SHARED if path not in ansible.module_utils.__path__
]


@pytest.fixture
def reading() -> dict[str, Any]:
    """What is read on a host that was hardened and restarted; a test alters what it is about."""
    options = {
        "icc": False,
        "userns-remap": "default",
        "log-level": "info",
        "no-new-privileges": True,
        "live-restore": True,
    }
    return {
        "machine": "x86_64",
        "machine_id": "",
        "engine": {
            "installed": True, "running": True, "version": "26.1.5", "client": "26.1.5",
            "api": "1.45", "binary": "/usr/sbin/dockerd", "candidate": "",
        },
        "api_error": "",
        "info": {
            "SecurityOptions": [
                "name=seccomp,profile=builtin", "name=userns", "name=no-new-privileges",
            ],
            "LiveRestoreEnabled": True,
            "LoggingDriver": "json-file",
            "DockerRootDir": "/var/lib/docker/100000.100000",
            "Debug": False,
            "ExperimentalBuild": False,
        },
        "bridge": {
            "com.docker.network.bridge.enable_icc": "false",
            "com.docker.network.bridge.name": "docker0",
        },
        "kernel": {
            "bridge_nf_call_iptables": "1", "isolates_bridge": True, "docker_proxies": 0,
            "docker_rules": True, "forward_policy": "DROP", "forwards": True,
        },
        "containers": [],
        "daemon": {"nofile": 20000, "flags": {"running": {}, "configured": {}}},
        "file": {
            "path": "/etc/docker/daemon.json", "error": "",
            "options": dict(options), "read": dict(options),
        },
        "listeners": [],
        "identities": {
            "subuid": [["dockremap", 100000, 65536]], "subgid": [["dockremap", 100000, 65536]],
        },
        "subjects": {},
        "profile_newer": False,
    }  # fmt: skip


@pytest.fixture
def container() -> dict[str, Any]:
    """A container that was made after everything was in force."""
    return {
        "id": "c0ffee", "name": "web", "running": True, "security_options": [], "userns_mode": "",
        "no_new_privileges": True, "root_is": 100000, "pid_mode": "", "ipc_mode": "private",
    }  # fmt: skip
