"""What new containers get without asking: in force, not in force, or proving nothing."""

from __future__ import annotations

from typing import Any

import default_probes as probes
import pytest
from ansible.module_utils import hardhost_docker
from conclusions import NotInForce, ProvesNothing

REFUSED = "can't join IPC of container x: non-shareable IPC"


class Neighbours:
    """Containers that may join another's shared memory, by its mode."""

    def __init__(self, joinable: tuple[str | None, ...]) -> None:
        self.joinable = joinable

    def start(self, _command: list[str], host: dict[str, str]) -> str | None:
        return host.get("IpcMode")

    def run(self, _command: list[str], host: dict[str, str]) -> tuple[int, str]:
        mode = host["IpcMode"].removeprefix("container:")
        if (None if mode == "None" else mode) not in self.joinable:
            raise hardhost_docker.ApiError(REFUSED)
        return 0, ""


def test_ipc_private() -> None:
    assert "non-shareable" in probes.ipc_private(Neighbours(("shareable",)), {})
    with pytest.raises(NotInForce):
        probes.ipc_private(Neighbours(("shareable", None)), {})
    with pytest.raises(ProvesNothing):
        probes.ipc_private(Neighbours(()), {})


@pytest.mark.parametrize(
    ("asked", "default", "outcome"),
    [("own", "other", None), ("own", "own", NotInForce), ("other", "other", ProvesNothing)],
)
def test_cgroup_namespace_private(
    monkeypatch: pytest.MonkeyPatch, asked: str, default: str, outcome: type[Exception] | None
) -> None:
    monkeypatch.setattr(probes, "own_namespace", lambda: "own")
    monkeypatch.setattr(probes, "_namespace", lambda _lab, host: asked if host else default)
    if outcome is None:
        assert probes.cgroup_namespace_private(None, {})
    else:
        with pytest.raises(outcome):
            probes.cgroup_namespace_private(None, {})


@pytest.mark.parametrize(
    ("bound", "wide", "narrow", "outcome"),
    [
        ("127.0.0.1", "hardhost", "refused", None),
        ("0.0.0.0", "hardhost", "hardhost", NotInForce),
        ("127.0.0.1", "hardhost", "hardhost", NotInForce),
        ("127.0.0.1", "refused", "refused", ProvesNothing),
    ],
)
def test_publish_on_loopback(
    monkeypatch: pytest.MonkeyPatch,
    bound: str,
    wide: str,
    narrow: str,
    outcome: type[Exception] | None,
) -> None:
    def published(_laboratory: Any, _network: str, address: str) -> dict[str, Any]:
        return {"bound": address or bound, "port": 1 if address else 2, "gateway": "192.0.2.1"}

    monkeypatch.setattr(probes, "published", published)
    monkeypatch.setattr(probes, "greeting", lambda _a, port: wide if port == 1 else narrow)
    if outcome is None:
        assert "127.0.0.1" in probes.publish_on_loopback(None, {})
    else:
        with pytest.raises(outcome):
            probes.publish_on_loopback(None, {})


@pytest.mark.parametrize(
    ("answer", "proxy", "outcome"),
    [("hardhost", False, None), ("hardhost", True, NotInForce), ("refused", False, ProvesNothing)],
)
def test_userland_proxy(
    monkeypatch: pytest.MonkeyPatch, answer: str, proxy: bool, outcome: type[Exception] | None
) -> None:
    found = {"bound": "0.0.0.0", "port": 1, "gateway": "192.0.2.1"}
    monkeypatch.setattr(probes, "published", lambda *_arguments: found)
    monkeypatch.setattr(probes, "greeting", lambda *_arguments: answer)
    monkeypatch.setattr(probes, "_proxy_of", lambda _port: proxy)
    if outcome is None:
        assert probes.userland_proxy(None, {})
    else:
        with pytest.raises(outcome):
            probes.userland_proxy(None, {})


@pytest.mark.parametrize(
    ("allowed", "default", "outcome"),
    [
        ((0, "connected"), (1, "timeout"), None),
        ((0, "connected"), (0, "connected"), NotInForce),
        ((1, "timeout"), (1, "timeout"), ProvesNothing),
        ((0, "connected"), (2, "usage"), ProvesNothing),
    ],
)
def test_icc_user_networks(
    monkeypatch: pytest.MonkeyPatch,
    allowed: tuple[int, str],
    default: tuple[int, str],
    outcome: type[Exception] | None,
) -> None:
    monkeypatch.setattr(
        probes, "_between_neighbours", lambda _lab, given: allowed if given else default
    )
    if outcome is None:
        assert "timeout" in probes.icc_user_networks(None, {})
    else:
        with pytest.raises(outcome):
            probes.icc_user_networks(None, {})


LOGS = {
    "docker_daemon_options": {
        "log-driver": "syslog",
        "log-opts": {"syslog-address": "udp://x:1", "max-size": {"without": ["*"]}},
    }
}


@pytest.mark.parametrize(
    ("default", "outcome"),
    [
        ({"Type": "syslog", "Config": {"syslog-address": "udp://x:1"}}, None),
        ({"Type": "json-file", "Config": {}}, NotInForce),
        ({"Type": "syslog", "Config": {"syslog-address": "udp://y:1"}}, NotInForce),
    ],
)
def test_log_destination(
    monkeypatch: pytest.MonkeyPatch, default: dict[str, Any], outcome: type[Exception] | None
) -> None:
    monkeypatch.setattr(probes, "_log_config", lambda _lab, asked: asked or default)
    if outcome is None:
        assert "udp://x:1" in probes.log_destination(None, LOGS)
    else:
        with pytest.raises(outcome):
            probes.log_destination(None, LOGS)


@pytest.mark.parametrize(("oldest", "outcome"), [(44, None), (24, NotInForce)])
def test_minimum_api_version(
    monkeypatch: pytest.MonkeyPatch, oldest: int, outcome: type[Exception] | None
) -> None:
    def get(path: str) -> dict[str, Any]:
        if int(path.split("/")[1].partition(".")[2]) < oldest:
            raise hardhost_docker.ApiError("too old", 400)
        return {}

    monkeypatch.setattr(hardhost_docker, "get", get)
    settings = {"docker_daemon_options": {"min-api-version": "1.44"}}
    if outcome is None:
        assert "1.43" in probes.minimum_api_version(None, settings)
    else:
        with pytest.raises(outcome):
            probes.minimum_api_version(None, settings)
