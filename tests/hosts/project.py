"""A rendered project, used as an operator does: render, run playbooks, verify, read reports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.hosts.container_host import Host
from tests.hosts.inventory import inventory
from tests.hosts.local import PROJECT

PLAY_SECONDS = 600


@dataclass(frozen=True)
class Run:
    """What a command said and how it ended."""

    code: int
    text: str
    seconds: float


@dataclass(frozen=True)
class Report:
    """A `report.json`, with the exit code of the `hardhost verify` that wrote it."""

    code: int
    text: str
    content: dict[str, Any]

    def statuses(self, host: str) -> dict[str, str]:
        return {result["id"]: result["status"] for result in self.results(host)}

    def reasons(self, host: str) -> dict[str, str]:
        return {result["id"]: result["reason"] for result in self.results(host)}

    def results(self, host: str) -> list[dict[str, Any]]:
        found = [entry for entry in self.content["hosts"] if entry["host"] == host]
        assert len(found) == 1, f"{host} is not in the report once:\n{self.text}"
        return list(found[0]["results"])


@dataclass(frozen=True)
class Project:
    """A rendered project and the inventory it is run with."""

    directory: Path
    inventory: Path

    def play(
        self,
        name: str = "site",
        *options: str,
        limit: str | None = None,
        inputs: Mapping[str, Any] | None = None,
        timeout: float = PLAY_SECONDS,
    ) -> Run:
        """Run a playbook of the project with its own ansible.cfg, as its README says."""
        command = self.play_command(name, *options, limit=limit, inputs=inputs)
        return execute(command, self.directory, timeout)

    def play_command(
        self,
        name: str,
        *options: str,
        limit: str | None = None,
        inputs: Mapping[str, Any] | None = None,
    ) -> list[str]:
        command = [program("ansible-playbook"), f"{name}.yml", "-i", str(self.inventory), *options]
        if limit:
            command += ["--limit", limit]
        if inputs:
            command += ["--extra-vars", json.dumps(dict(inputs))]
        return command

    def start(self, name: str = "site", *, limit: str | None = None) -> subprocess.Popen[bytes]:
        """Begin a playbook and return at once; its process group can be ended as a whole."""
        return subprocess.Popen(
            self.play_command(name, limit=limit),
            cwd=self.directory,
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def verify(self, *, probe: bool = False, limit: str | None = None) -> Report:
        """Run `hardhost verify` and read what it wrote; its exit code is the caller's to judge."""
        report = self.directory / "artifacts" / "report.json"
        report.unlink(missing_ok=True)
        options = ["--probe"] if probe else []
        if limit:
            options += ["--limit", limit]
        command = ["verify", str(self.directory), "-i", str(self.inventory), *options]
        run = hardhost(*command)
        assert report.exists(), f"verify wrote no report, ended with {run.code}:\n{run.text}"
        return Report(run.code, run.text, json.loads(report.read_text()))

    def artifact(self, host: str) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads((self.directory / f"artifacts/{host}.json").read_text())
        return loaded

    def decision(self, host: str, control: str) -> dict[str, Any]:
        found: dict[str, Any] = self.artifact(host)["decisions"][control]
        return found

    def give(self, **inputs: Any) -> None:
        """Set inputs the operator's way, in variables next to the playbook; they add up."""
        file = self.directory / "group_vars" / "all.yml"
        file.parent.mkdir(exist_ok=True)
        known = yaml.safe_load(file.read_text()) if file.exists() else {}
        file.write_text(yaml.safe_dump({**known, **inputs}))


def render(profile: str, directory: Path, hosts: Iterable[Host]) -> Project:
    """Render a profile and write an inventory of these hosts, in the project's group."""
    run = hardhost("render", profile, "-o", str(directory))
    assert run.code == 0, run.text
    group = json.loads((directory / "plan.json").read_text())["group"]
    file = directory / "inventory.yml"
    file.write_text(inventory(hosts, [group]))
    return Project(directory, file)


def scenario_directory(scenario: str) -> Path:
    """Where a scenario keeps its rendered project and its memory; it outlives the hosts."""
    directory = PROJECT / "build" / "scenarios" / scenario
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def hardhost(*arguments: str, timeout: float = PLAY_SECONDS) -> Run:
    return execute([sys.executable, "-m", "generator", *arguments], PROJECT, timeout)


def program(name: str) -> str:
    """A program of the environment this runs in, which may not be on PATH."""
    return str(Path(sys.executable).parent / name)


def execute(command: list[str], directory: Path, timeout: float) -> Run:
    begun = time.monotonic()
    done = subprocess.run(
        command,
        cwd=directory,
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=timeout,
        check=False,
    )
    return Run(done.returncode, done.stdout.decode(errors="replace"), time.monotonic() - begun)


def clean_environment() -> dict[str, str]:
    """Without what molecule sets: the project must work with its own ansible.cfg."""
    foreign = ("ANSIBLE_", "MOLECULE_", "PYTEST_")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
    path = f"{Path(sys.executable).parent}:{kept.get('PATH', '')}"
    return {**kept, "PATH": path, "ANSIBLE_FORCE_COLOR": "0", "NO_COLOR": "1"}
