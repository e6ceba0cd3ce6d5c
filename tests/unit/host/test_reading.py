"""What the reading makes of the texts of other programs."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
import reading as reader
from ansible.module_utils import hardhost_unit

ENGINE_20 = """-P FORWARD DROP
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A FORWARD -i docker0 -o docker0 -j DROP
"""
ENGINE_28 = "-A DOCKER-FORWARD -i docker0 -o docker0 -j DROP\n"
# `nft flush ruleset`, and the timer of docker_firewall since.
AFTER_A_FLUSH = """-P INPUT ACCEPT
-P FORWARD ACCEPT
-P OUTPUT ACCEPT
-N DOCKER-USER
-N HARDHOST-DOCKER
-A FORWARD -j DOCKER-USER
-A DOCKER-USER -j HARDHOST-DOCKER
-A HARDHOST-DOCKER -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN
-A HARDHOST-DOCKER -m conntrack ! --ctstate DNAT -j RETURN
-A HARDHOST-DOCKER -j DROP
"""
NFTABLES = """table ip docker-bridges {
\tchain filter-forward-in__docker0 {
\t\tct state established,related counter accept
\t\tiifname "docker0" counter drop comment "ICC"
\t}
\tchain filter-forward-in__br-0815 {
\t\tcounter drop comment "UNPUBLISHED PORT DROP"
\t}
}
"""


@pytest.mark.parametrize(
    ("rules", "bridge", "expected"),
    [
        (ENGINE_20, "docker0", True),
        (ENGINE_28, "docker0", True),
        (ENGINE_20, "docker1", False),
        (ENGINE_20.replace("DROP", "ACCEPT"), "docker0", False),
        ("-A FORWARD -i docker0 ! -o docker0 -j DROP\n", "docker0", False),
        ("-A FORWARD -i docker0 -o docker0 -m comment --comment x -j DROP\n", "docker0", True),
        ("", "docker0", False),
    ],
)
def test_the_rule_of_icc_in_iptables(rules: str, bridge: str, expected: bool) -> None:
    assert reader.drops(rules, bridge) is expected


@pytest.mark.parametrize(("bridge", "expected"), [("docker0", True), ("br-0815", False)])
def test_the_rule_of_icc_in_nftables(bridge: str, expected: bool) -> None:
    assert reader.drops_in_nftables(NFTABLES, bridge) is expected


def facts(path: Path, age: float, recorded: dict[str, Any] | None = None) -> dict[str, Any]:
    data = path.read_bytes() if path.exists() else None
    status = path.stat() if path.exists() else None
    return {
        "process": {"pid": 4711, "started": 1, "age": age},
        "state": {"daemon": recorded},
        "daemon_json": {
            "path": str(path), "data": data, "options": {"icc": False}, "error": "",
            "described": status and {"mtime_ns": status.st_mtime_ns},
        },
    }  # fmt: skip


def test_a_file_older_than_the_daemon_was_read_by_it(tmp_path: Path) -> None:
    path = tmp_path / "daemon.json"
    path.write_text('{"icc": false, "dns": ["192.0.2.1"]}')
    assert reader._file(facts(path, age=-10), ["icc"])["read"] == {"icc": False}


def test_a_file_newer_than_the_daemon_was_perhaps_not_read(tmp_path: Path) -> None:
    path = tmp_path / "daemon.json"
    path.write_text('{"icc": false}')
    assert reader._file(facts(path, age=100), ["icc"])["read"] is None


def test_the_record_of_the_daemons_start_counts_more_than_times(tmp_path: Path) -> None:
    path = tmp_path / "daemon.json"
    path.write_text('{"icc": false}')
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    recorded = {"boot": hardhost_unit.boot(), "pid": 4711, "started": 1, "file": digest}
    assert reader._file(facts(path, age=100, recorded=recorded), ["icc"])["read"] == {"icc": False}


def test_the_record_of_another_process_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "daemon.json"
    path.write_text('{"icc": false}')
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    recorded = {"boot": hardhost_unit.boot(), "pid": 4712, "started": 1, "file": digest}
    assert reader._file(facts(path, age=100, recorded=recorded), ["icc"])["read"] is None


def test_a_seccomp_profile_changed_after_the_start_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "profile.json"
    path.write_text("{}")
    seen = facts(tmp_path / "daemon.json", age=100)
    seen["info"] = {"SecurityOptions": [f"name=seccomp,profile={path}"]}
    assert reader._profile_newer(seen)
    seen["process"]["age"] = -10
    assert not reader._profile_newer(seen)
    path.unlink()
    assert reader._profile_newer(seen), "the next start of dockerd fails without it"
    seen["info"] = {"SecurityOptions": ["name=seccomp,profile=builtin"]}
    assert not reader._profile_newer(seen)


@pytest.mark.parametrize(
    ("rules", "nftables", "expected"),
    [
        ("-N DOCKER\n-A FORWARD -j DOCKER-USER\n", "", False),
        (AFTER_A_FLUSH, "", False),
        (AFTER_A_FLUSH + "-A FORWARD -j DOCKER-ISOLATION-STAGE-1\n", "", True),
        (AFTER_A_FLUSH + "-A FORWARD -j DOCKER-FORWARD\n", "", True),
        ("-N DOCKER\n-A FORWARD -o docker0 -j DOCKER\n", "", True),
        ("-N DOCKER\n-N DOCKER-USER\n", "", False),
        ("", "table ip docker-bridges {\n", True),
        ("", "", False),
    ],
)
def test_rules_of_docker_in_use(rules: str, nftables: str, expected: bool) -> None:
    assert reader.has_docker(rules, nftables) is expected


def test_the_policy_of_forward() -> None:
    rules = "-P INPUT ACCEPT\n-P FORWARD DROP\n-A FORWARD -j DOCKER-USER\n"
    assert reader.forward_policy(rules) == "DROP"
    assert reader.forward_policy("") == ""


def test_a_proxy_is_told_by_name_and_parent() -> None:
    assert reader.is_proxy("12 (docker-proxy) S 7 12 12 0", 7)
    assert not reader.is_proxy("12 (docker-proxy) S 8 12 12 0", 7)
    assert not reader.is_proxy("12 (docker (x) proxy) S 7 12 12 0", 7)


@pytest.mark.parametrize(
    ("pid", "kind", "privileges"),
    [
        ("its own", "unconfined_t", False),
        (0, None, True),  # to the daemon a container that is being restarted runs
        (2**22 + 1, None, True),  # above what the kernel gives: it has ended
    ],
)
def test_only_processes_that_are_there_tell_of_a_container(
    pid: int | str, kind: str | None, privileges: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = os.getpid() if pid == "its own" else pid
    created = {"id": "c0ffee", "name": "web", "running": True, "pid": pid, "privileged": False}
    created |= {"security_options": [], "userns_mode": "", "pid_mode": "", "ipc_mode": ""}
    monkeypatch.setattr(reader, "_created_with_no_new_privileges", lambda *_words: True)
    monkeypatch.setattr(reader, "_text", lambda _path: "")
    monkeypatch.setattr(reader.selinux, "process", lambda _pid: "u:r:unconfined_t:s0")
    found = reader._container(created, {})
    assert (found["selinux"], found["no_new_privileges"]) == (kind, privileges)
    assert found["running"]
