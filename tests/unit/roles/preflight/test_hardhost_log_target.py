"""A collector that cannot be, or does not answer, is told before a container fails to start."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from ansible.module_utils import hardhost_decisions as decisions
from ansible.module_utils import hardhost_facts
from ansible.module_utils import hardhost_log_target as logging

from tests.unit.roles.hosts import Json, container, control, decided, facts


@pytest.mark.parametrize(
    ("driver", "target"),
    [
        ("syslog", "tcp+tls://logs.example:6514"),
        ("syslog", "udp://192.0.2.1:514"),
        ("syslog", "tcp://[2001:db8::1]:514"),
        ("syslog", "unixgram:///dev/log"),
        ("fluentd", "logs.example:24224"),
        ("gelf", "udp://logs.example:12201"),
        ("journald", ""),
    ],
)
def test_a_driver_and_its_target(driver: str, target: str) -> None:
    assert logging.wrong(driver, target) == ""


@pytest.mark.parametrize(
    ("driver", "target", "words"),
    [
        ("syslog", "", "is not given"),
        ("syslog", "https://logs.example", "begins with tcp://"),
        ("syslog", "tcp+tls://logs.example", "names no port"),
        ("gelf", "tcp+tls://logs.example:1", "begins with tcp://, udp://"),
        ("syslog", "a b", "begins with"),
        ("journald", "udp://logs.example:1", "takes no target"),
    ],
)
def test_what_does_not_go_together(driver: str, target: str, words: str) -> None:
    assert words in logging.wrong(driver, target)


def held(target: str, driver: str = "syslog", authority: str = "") -> Json:
    one = control("a/b", {"log-driver": "syslog"}, preconditions=["log_target_usable"])
    inputs = {"docker_daemon_log_driver": driver, "docker_daemon_log_target": target}
    return decided(one, inputs={**inputs, "docker_daemon_log_tls_ca": authority})


def test_a_collector_that_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        target = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        assert held(target)["decision"] == "apply"
    gone = held(target)
    assert gone["decision"] == "pending"
    assert "no container would start" in gone["reason"]


def test_a_socket_on_the_host(tmp_path: Path) -> None:
    assert held(f"unixgram://{tmp_path}")["decision"] == "apply"
    assert "is not there" in held(f"unixgram://{tmp_path}/gone")["reason"]


def test_datagrams_are_sent_to_whom_it_may_concern() -> None:
    assert held("udp://192.0.2.1:514")["decision"] == "apply"
    assert held("", driver="journald")["decision"] == "apply"


def test_a_name_that_nobody_knows_fails_the_start_of_datagrams_too() -> None:
    found = held("udp://nowhere.invalid:514")
    assert found["decision"] == "pending"
    assert "its name is not known" in found["reason"]


def test_a_collector_that_has_gone_since_is_told_in_other_words() -> None:
    """What is in force is not held back: it is what keeps containers from starting."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        target = f"tcp://127.0.0.1:{server.getsockname()[1]}"
    options = {"log-driver": "syslog", "log-opts": {"syslog-address": target}}
    one = control("a/b", options, preconditions=["log_target_usable"])
    inputs = {"docker_daemon_log_driver": "syslog", "docker_daemon_log_target": target}
    gone = decided(one, facts(options, info={"LoggingDriver": "syslog"}), inputs=inputs)
    assert gone["decision"] == "pending"
    assert "IN FORCE" in gone["reason"]
    assert "hardhost_rollback_controls: [a/b]" in gone["remedy"]
    before = decided(one, facts(options), inputs=inputs)
    assert "would start" in before["reason"], "the file is there, and dockerd not restarted yet"


def test_an_authority_that_is_not_there(tmp_path: Path) -> None:
    assert "is no file" in held("udp://192.0.2.1:514", authority=str(tmp_path))["reason"]


def test_no_restart_loses_containers_whose_logs_nobody_takes() -> None:
    """A dockerd that starts cannot attach to them, and goes on without them."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        target = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        web = container("web", log_driver="syslog", log_target=target)
        assert hardhost_facts._silent_collectors([web]) == {}
    silent = hardhost_facts._silent_collectors([web, {**web, "running": False}])
    assert "does not answer" in silent[target]
    host = facts({"live-restore": True}, containers=[web], silent_collectors=silent)
    host["info"]["LiveRestoreEnabled"] = True
    reason, _stopped = decisions.withheld(host, {"live-restore": True}, True)
    assert "would lose the containers that log there: web" in reason
    stopped = facts(containers=[{**web, "running": False}], silent_collectors=silent)
    assert decisions.withheld(stopped, {}, False)[0] == ""
