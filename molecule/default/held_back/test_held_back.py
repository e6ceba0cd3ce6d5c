"""After the first converge: all in force but the switch that would hide images."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.hosts.container_host import Host
from tests.hosts.observation import observe
from tests.hosts.project import Project, Report

Table = Callable[[str, Host], dict[str, Any]]


@pytest.fixture(scope="session")
def report(project: Project) -> Report:
    return project.verify(probe=True)


def test_all_but_the_switch_is_in_force(report: Report, node: Host, expectation: Table) -> None:
    assert report.statuses(node.name) == expectation("held_back", node), report.text


def test_nothing_fails(report: Report) -> None:
    assert report.code == 0, report.text


def test_the_reason_names_what_was_found_and_what_to_do(project: Project, node: Host) -> None:
    decision = project.decision(node.name, "docker_daemon/userns_remap")
    assert decision["decision"] == "pending"
    assert "image" in decision["reason"]
    assert "docker_daemon_accept_data_root_change" in decision["remedy"]


def test_images_and_containers_are_still_there(node: Host, memory: Path) -> None:
    before = json.loads((memory / "before.json").read_text())[node.name]
    now = observe(node)
    assert now["images"] == before["images"]
    assert now["all_containers"] == before["all_containers"]


def test_settings_of_other_people_stay_in_their_place(node: Host) -> None:
    written = json.loads(node.out("cat /etc/docker/daemon.json"))
    assert list(written)[:4] == ["dns", "runtimes", "log-opts", "max-concurrent-downloads"]
    assert written["dns"] == ["192.0.2.53"]
    assert written["log-opts"]["tag"] == "{{.Name}}"
