"""A collector that cannot be, or does not answer, is told before a container fails to start."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from ansible.module_utils import hardhost_log_target as logging

from tests.unit.roles.hosts import Json, control, decided


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


def test_an_authority_that_is_not_there(tmp_path: Path) -> None:
    assert "is no file" in held("udp://192.0.2.1:514", authority=str(tmp_path))["reason"]
