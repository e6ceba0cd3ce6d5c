"""What probes conclude: in force, not in force, or nothing where the positive control fails."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import probes
import pytest
from ansible.module_utils import hardhost_docker
from onhost.probed import AUDITED, PROBED

LIMITS = {"docker_daemon_options": {"default-ulimits": {"nofile": {"Soft": 10, "Hard": 20}}}}
LOGS = {"docker_daemon_options": {"log-opts": {"max-size": "10m", "max-file": "5"}}}


def status(
    *, outside: int = 100000, privileges: int = 1, effective: int = 65534, seccomp: int = 2,
    files: tuple[int, int] = (10, 20),
) -> str:  # fmt: skip
    return (
        f"--- /proc/self/status\nNoNewPrivs:\t{privileges}\nSeccomp:\t{seccomp}\n"
        f"--- /proc/self/uid_map\n         0     {outside}      65536\n"
        f"--- /proc/self/limits\nMax open files            {files[0]}        {files[1]}    files\n"
        f"--- ids\nuid=65534 euid={effective}\n"
    )


class Laboratory:
    """Containers that say what a test wants: with a policy, and where they are allowed more."""

    def __init__(self, policed: str, allowed: str, code: int = 0) -> None:
        self.policed, self.allowed, self.code = policed, allowed, code

    def run(self, _command: list[str], host: Any = None, **_config: Any) -> tuple[int, str]:
        return self.code, self.allowed if host else self.policed


@pytest.mark.parametrize(
    ("probe", "settings", "policed", "unpoliced"),
    [
        (probes.userns_remap, {}, status(), status(outside=0)),
        (probes.no_new_privileges, {}, status(), status(privileges=0, effective=0)),
        (probes.seccomp_default, {}, status(), status(seccomp=0)),
        (probes.default_ulimits, LIMITS, status(), status(files=(64, 128))),
    ],
)
class TestAttempts:
    Probe = Callable[[Any, dict[str, Any]], str]

    def test_in_force(
        self, probe: Probe, settings: dict[str, Any], policed: str, unpoliced: str
    ) -> None:
        assert probe(Laboratory(policed, unpoliced), settings)

    def test_not_in_force(
        self, probe: Probe, settings: dict[str, Any], policed: str, unpoliced: str
    ) -> None:
        with pytest.raises(probes.NotInForce):
            probe(Laboratory(unpoliced, unpoliced), settings)

    def test_a_positive_control_that_fails_proves_nothing(
        self, probe: Probe, settings: dict[str, Any], policed: str, unpoliced: str
    ) -> None:
        with pytest.raises(probes.ProvesNothing):
            probe(Laboratory(policed, policed), settings)

    def test_a_probe_that_breaks_proves_nothing(
        self, probe: Probe, settings: dict[str, Any], policed: str, unpoliced: str
    ) -> None:
        with pytest.raises(probes.ProvesNothing):
            probe(Laboratory("", "", code=139), settings)
        with pytest.raises(probes.ProvesNothing):
            probe(Laboratory("garbage", "garbage"), settings)


class Network:
    """The two containers of the icc probe."""

    def __init__(self, bridge: tuple[int, str], own: tuple[int, str]) -> None:
        self.answers = {"bridge": bridge, "own": own}

    def start(self, _command: list[str], host: dict[str, str]) -> str:
        return host["NetworkMode"]

    def wait_for(self, _identifier: str, _text: str) -> None:
        """It is listening."""

    def inspect(self, identifier: str) -> dict[str, Any]:
        return {"NetworkSettings": {"Networks": {identifier: {"IPAddress": "192.0.2.2"}}}}

    def network(self, options: dict[str, str]) -> str:
        assert options == {probes.ICC: "true"}, "the daemon's default may be to isolate"
        return "own"

    def run(self, _command: list[str], host: dict[str, str]) -> tuple[int, str]:
        return self.answers[host["NetworkMode"]]

    def output(self, _identifier: str) -> str:
        return "listening\n"


CONNECTED = (0, "connected\n")


@pytest.fixture
def host_reaches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "greeting", lambda _address: "hardhost")


@pytest.mark.usefixtures("host_reaches")
class TestIcc:
    @pytest.mark.parametrize("said", ["timeout", "refused", "unreachable errno=113"])
    def test_in_force(self, said: str) -> None:
        assert said in probes.icc(Network((1, said), CONNECTED), {})

    def test_not_in_force(self) -> None:
        with pytest.raises(probes.NotInForce):
            probes.icc(Network(CONNECTED, CONNECTED), {})

    @pytest.mark.parametrize(
        ("bridge", "own"),
        [
            ((1, "timeout"), (1, "timeout")),
            ((2, "usage"), CONNECTED),
            ((1, "unexpected answer"), CONNECTED),
            ((139, ""), CONNECTED),
        ],
    )
    def test_a_failure_for_another_reason_proves_nothing(
        self, bridge: tuple[int, str], own: tuple[int, str]
    ) -> None:
        with pytest.raises(probes.ProvesNothing):
            probes.icc(Network(bridge, own), {})

    def test_a_container_the_host_cannot_reach_proves_nothing(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(probes, "greeting", lambda _address: "timed out")
        with pytest.raises(probes.ProvesNothing):
            probes.icc(Network((1, "timeout"), CONNECTED), {})


class Logs:
    """Containers whose log options are what a test wants."""

    def __init__(self, default: dict[str, str], obeys: bool = True) -> None:
        self.default, self.obeys = default, obeys

    def create(self, _command: list[str], host: dict[str, Any]) -> dict[str, str]:
        asked = host["LogConfig"]
        return asked["Config"] if asked and self.obeys else self.default

    def inspect(self, identifier: dict[str, str]) -> dict[str, Any]:
        return {"HostConfig": {"LogConfig": {"Config": identifier}}}


def test_log_rotation() -> None:
    options = LOGS["docker_daemon_options"]["log-opts"]
    assert "max-size 10m" in probes.log_rotation(Logs(options), LOGS)
    with pytest.raises(probes.NotInForce, match="max-file None"):
        probes.log_rotation(Logs({"max-size": "10m"}), LOGS)
    with pytest.raises(probes.ProvesNothing):
        probes.log_rotation(Logs(options, obeys=False), LOGS)


def test_both_sides_know_the_same_probes() -> None:
    assert set(PROBED) == set(probes.PROBES)


def test_engine_present() -> None:
    assert probes.engine_present(Laboratory("", ""), {})
    with pytest.raises(probes.NotInForce, match="137"):
        probes.engine_present(Laboratory("killed", "", code=137), {})


def test_an_engine_that_refuses_fails_every_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_image: bytes) -> None:
        raise hardhost_docker.ApiError("plugin denied it")

    monkeypatch.setattr(probes, "Laboratory", refuse)
    image = base64.b64encode(b"x").decode()
    in_containers = set(probes.PROBES) - set(AUDITED)
    found = probes.run({"image": image, "controls": {name: {} for name in in_containers}})
    assert found.keys() == in_containers
    assert {one["status"] for one in found.values()} == {"fail"}
    assert "plugin denied it" in found["docker_daemon/icc"]["reason"]
