"""The packages that bring what a host lacks, by operating system."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.roles.hosts import module

docker_packages = module("docker_engine", "docker_packages")


def system(name: str, version: str, family: str = "debian") -> dict[str, str]:
    return {"id": name, "version": version, "family": family}


BOOKWORM, TRIXIE = system("debian", "12"), system("debian", "13")


@pytest.mark.parametrize(
    ("os", "engine", "client", "binary", "packages"),
    [
        pytest.param(BOOKWORM, True, True, "", ["docker.io"], id="Debian 12: the client is in it"),
        pytest.param(TRIXIE, True, True, "", ["docker.io", "docker-cli"], id="Debian 13"),
        pytest.param(
            system("debian", ""), True, True, "", ["docker.io", "docker-cli"], id="Debian sid"
        ),
        pytest.param(TRIXIE, True, False, "", ["docker.io"], id="Debian 13 with a client"),
        pytest.param(
            TRIXIE, False, True, "/usr/sbin/dockerd", ["docker-cli"], id="Debian 13 without client"
        ),
        pytest.param(
            BOOKWORM, False, True, "/usr/sbin/dockerd", ["docker.io"], id="Debian 12: damaged"
        ),
        pytest.param(
            TRIXIE, False, True, "/usr/bin/dockerd", ["docker-ce-cli"], id="Docker's own packages"
        ),
        pytest.param(system("ubuntu", "24.04"), True, True, "", ["docker.io"], id="Ubuntu"),
        pytest.param(TRIXIE, False, False, "/usr/sbin/dockerd", [], id="stopped only"),
        pytest.param(
            system("fedora", "43", "redhat"),
            True,
            True,
            "",
            ["moby-engine", "docker-cli"],
            id="Fedora",
        ),
        pytest.param(
            system("rocky", "9.6", "redhat"),
            True,
            True,
            "",
            ["docker-ce", "containerd.io", "docker-ce-cli"],
            id="Rocky",
        ),
        pytest.param(
            system("rhel", "9.6", "redhat"),
            False,
            True,
            "/usr/bin/dockerd",
            ["docker-ce-cli"],
            id="RHEL",
        ),
    ],
)
def test_packages(
    os: dict[str, str], engine: bool, client: bool, binary: str, packages: list[str]
) -> None:
    assert docker_packages.packages(os, engine, client, binary) == packages


def test_dpkg_tells_what_is_installed() -> None:
    assert docker_packages.installed("dpkg", "debian")
    assert not docker_packages.installed("no-such-package-of-ours", "debian")


@pytest.mark.parametrize(
    ("known", "to_be_enabled"),
    [
        pytest.param({"UnitFileState": "disabled"}, True, id="disabled"),
        pytest.param({"UnitFileState": "enabled"}, False, id="enabled"),
        pytest.param({"UnitFileState": ""}, False, id="not there: the package enables it"),
        pytest.param({}, False, id="no systemd"),
    ],
)
def test_only_a_service_that_is_there_and_disabled_is_recorded(
    known: dict[str, str], to_be_enabled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(docker_packages.units, "show", lambda _unit: known)
    assert docker_packages.disabled() is to_be_enabled


def test_the_service_is_recorded_and_the_lease_is_given_back(
    state_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(
        docker_packages.work, "add", lambda _s, *rest, **named: asked.append((rest, named))
    )
    inputs = {"preflight_package_timeout": 1}
    given = {"run": "r1", "holder": "ops@bastion", "inputs": inputs, "os": TRIXIE}
    docker_packages.install(["docker-cli"], True, given)
    state = json.loads((state_directory / "state.json").read_text())
    kept = [(one["kind"], one["target"], one["before"]) for one in state["changes"]]
    assert kept == [("unit", "docker.service", {"enabled": False})]
    assert state["lease"] is None
    named = {"engine": True}
    words = ("debian", ["docker-cli"], docker_packages.CONTROL, "r1", inputs)
    assert asked == [(words, named)]
