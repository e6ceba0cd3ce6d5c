"""tests/host as a user runs it: real pytest and testinfra, with this machine as the hosts."""

from __future__ import annotations

import datetime
import getpass
import grp
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
CONTROL = "docker_files/daemon_json"


class Project:
    """A rendered project with one control, about a file of the test's own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.file = directory / "guarded"
        self.file.write_text("")
        self.file.chmod(0o640)
        shutil.copytree(ROOT / "tests" / "host", directory / "tests" / "host")
        shared = "roles/preflight/module_utils"
        shutil.copytree(ROOT / shared, directory / shared)
        control = {"id": CONTROL, "check": "path_permissions"}
        plan = {"profile": "production", "group": "production", "controls": [control]}
        (directory / "plan.json").write_text(json.dumps(plan))
        self.inventory("db1")

    def inventory(self, *hosts: str) -> None:
        local = {name: {"ansible_connection": "local"} for name in hosts}
        groups = {"production": {"hosts": local}, "bastions": {"hosts": {"bastion": {}}}}
        (self.directory / "inventory.yml").write_text(json.dumps({"all": {"children": groups}}))

    def decide(self, host: str = "db1", decision: str = "apply", **changes: Any) -> None:
        group = grp.getgrgid(os.getgid()).gr_name
        rule = {"owner": getpass.getuser(), "group": group, "mode": "0640"}
        decided = {
            "decision": decision, "reason": "because", "remedy": "",
            "settings": {"docker_files_paths": {str(self.file): rule}},
        }  # fmt: skip
        now = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
        artifact = {
            "schema": 1, "host": host, "profile": "production", "run": f"{now}-00000000",
            "refused": None, "engine": {}, "os": {}, "decisions": {CONTROL: decided},
        } | changes  # fmt: skip
        path = self.directory / "artifacts" / f"{host}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(artifact))

    def pytest(self, *options: str) -> subprocess.CompletedProcess[str]:
        words = [
            sys.executable, "-m", "pytest", "tests/host", "-rA", "--ansible-inventory",
            "inventory.yml", "--hardhost-results", "results.json", "-p", "no:randomly", *options,
        ]  # fmt: skip
        return subprocess.run(
            words, cwd=self.directory, capture_output=True, text=True, check=False
        )

    def results(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads((self.directory / "results.json").read_text())
        return found


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    commands = tmp_path / "commands"
    commands.mkdir()
    for name, text in (("sudo", 'shift\nexec "$@"'), ("python3", f'exec "{sys.executable}" "$@"')):
        (commands / name).write_text(f"#!/bin/sh\n{text}\n")
        (commands / name).chmod(0o755)
    path = f"{commands}:{os.environ['PATH']}"
    monkeypatch.setenv("PATH", path)
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    (tmp_path / "project").mkdir()
    return Project(tmp_path / "project")


def test_a_control_in_force_passes(project: Project) -> None:
    project.decide()
    done = project.pytest()
    assert done.returncode == 0, done.stdout
    assert f"test_control[db1-{CONTROL}]" in done.stdout
    assert "2 passed" in done.stdout
    [host] = project.results()
    assert host["problem"] == ""
    assert [(one["id"], one["status"]) for one in host["results"]] == [(CONTROL, "pass")]


def test_a_control_that_is_not_in_force_fails_with_the_reason_alone(project: Project) -> None:
    project.decide()
    project.file.chmod(0o666)
    done = project.pytest()
    assert done.returncode == 1
    assert "0666, wanted is" in done.stdout
    assert "Traceback" not in done.stdout
    assert "1 failed, 1 passed" in done.stdout


@pytest.mark.parametrize("decision", ["pending", "not_applicable", "waived", "manual"])
def test_what_preflight_decided_is_a_skip_with_its_reason(project: Project, decision: str) -> None:
    project.decide(decision=decision)
    done = project.pytest()
    assert done.returncode == 0
    assert f"{decision}: because" in done.stdout
    assert project.results()[0]["results"][0]["status"] == decision


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"refused": "daemon.json:1: not JSON", "decisions": {}}, "daemon.json:1: not JSON"),
        ({"run": "20200101T000000Z-00000000"}, "seconds old: run preflight.yml again"),
        ({"profile": "baseline"}, "not for the profile production"),
    ],
)
def test_a_host_that_cannot_be_judged_fails_for_every_control(
    project: Project, changes: dict[str, Any], words: str
) -> None:
    project.decide(**changes)
    done = project.pytest()
    assert done.returncode == 1
    assert words in done.stdout
    assert "2 failed" in done.stdout


def test_all_hosts_of_the_group_are_taken_or_those_that_are_named(project: Project) -> None:
    project.inventory("db1", "db2")
    project.decide("db1")
    done = project.pytest()
    assert done.returncode == 1, "db2 has no decisions"
    assert "artifacts/db2.json" in done.stdout
    assert project.pytest("--hosts", "db1").returncode == 0
    assert [host["host"] for host in project.results()] == ["db1"]


def test_no_more_hosts_are_read_at_once_than_is_allowed(project: Project) -> None:
    names, log = ("db1", "db2", "db3"), project.directory / "log"
    program = project.directory / "python"
    program.write_text(
        f'#!/bin/sh\necho begin >> {log}\n"{sys.executable}" "$@"\necho end >> {log}\n'
    )
    program.chmod(0o755)
    project.inventory(*names)
    inventory = json.loads((project.directory / "inventory.yml").read_text())
    inventory["all"]["vars"] = {"ansible_python_interpreter": str(program)}
    (project.directory / "inventory.yml").write_text(json.dumps(inventory))
    for name in names:
        project.decide(name)
    done = project.pytest("--hardhost-at-once", "1")
    assert done.returncode == 0, done.stdout
    assert log.read_text().split() == ["begin", "end"] * len(names)


def test_an_inventory_that_is_known_is_not_asked(project: Project) -> None:
    """It may be a program that asks a cloud."""
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    answer = {
        "_meta": {"hostvars": {"db1": local}},
        "all": {"children": ["production"]},
        "production": {"hosts": ["db1"]},
    }
    (project.directory / "answer.json").write_text(json.dumps(answer))
    (project.directory / "inventory.yml").write_text("#!/bin/sh\nexit 1\n")
    (project.directory / "inventory.yml").chmod(0o755)
    project.decide("db1")
    assert project.pytest().returncode != 0, "the positive control"
    done = project.pytest("--hardhost-inventory", "answer.json")
    assert done.returncode == 0, done.stdout
    assert [host["host"] for host in project.results()] == ["db1"]


def test_a_host_that_is_lost_takes_no_result_of_the_others_away(project: Project) -> None:
    """Where the inventory has a password, ansible is what fails."""
    project.inventory("db1", "db2")
    inventory = json.loads((project.directory / "inventory.yml").read_text())
    lost = {"ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_become_password": "lost"}
    inventory["all"]["children"]["production"]["hosts"]["db2"] = lost
    (project.directory / "inventory.yml").write_text(json.dumps(inventory))
    project.decide("db1")
    project.decide("db2")
    assert project.pytest().returncode == 1
    found = {host["host"]: host for host in project.results()}
    assert [one["status"] for one in found["db1"]["results"]] == ["pass"]
    assert found["db2"]["problem"].startswith("cannot be reached: ")
    assert not found["db2"]["reachable"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--hosts", "bastion"], "not in the inventory's group production: bastion"),
        (["--hardhost-project", "nowhere"], "plan.json is not there"),
        (["--ansible-inventory", "nowhere.yml"], "--ansible-inventory nowhere.yml"),
    ],
)
def test_wrong_options_are_told_and_nothing_passes(
    project: Project, options: list[str], words: str
) -> None:
    project.decide()
    done = project.pytest(*options)
    assert done.returncode not in (0, 1)
    assert words in done.stdout + done.stderr


def test_a_group_without_hosts_is_no_success(project: Project) -> None:
    project.inventory()
    assert project.pytest().returncode not in (0, 1)
