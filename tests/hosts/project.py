"""A rendered project, used as an operator does: render, run playbooks, verify, read reports."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.hosts.container_host import Host
from tests.hosts.inventory import inventory
from tests.hosts.local import PROJECT

PLAY_SECONDS = 2400  # packages of a policy in an emulated machine, beside two others
# What no disposable host can be, and what would change one by whatever is published that day.
NEVER = {"docker_engine/engine_fixed": "the distribution's engine is what it is"}
UNPATCHED = dict.fromkeys(
    (
        "docker_engine/engine_updated",
        "host_patching/automatic_updates",
        "host_patching/security_updates",
    ),
    "this host has the distribution's own repositories",
)


@dataclass(frozen=True)
class Run:
    """What a command said and how it ended."""

    code: int
    text: str
    seconds: float

    def assert_converged(self, *hosts: Host) -> None:
        """It succeeded, and on each of these hosts it really ran."""
        assert self.code == 0, self.text
        for host in hosts:
            assert self.recap(host)["ok"] > 0, self.text

    def assert_unchanged(self, *hosts: Host) -> None:
        """It succeeded and had nothing to do on any of these hosts."""
        self.assert_converged(*hosts)
        assert [self.recap(host)["changed"] for host in hosts] == [0] * len(hosts), self.text

    def assert_failed(self, *hosts: Host, saying: str) -> None:
        """It failed on these hosts, and says so in these words, however the lines are broken."""
        assert self.code != 0, self.text
        assert all(self.recap(host)["failed"] > 0 for host in hosts), self.text
        assert saying in " ".join(self.text.split()), f"{saying!r} is not said:\n{self.text}"

    def recap(self, host: Host) -> dict[str, int]:
        """The counts of Ansible's recap for one host; an error where it has none."""
        found = re.findall(rf"^{re.escape(host.name)} +: (.*)$", self.text, re.MULTILINE)
        assert len(found) == 1, f"{host.name} is not in the recap once:\n{self.text}"
        return {name: int(number) for name, number in re.findall(r"(\w+)=(\d+)", found[0])}


@dataclass(frozen=True)
class Report:
    """A `report.json`, with the exit code of the `hardhost verify` that wrote it."""

    code: int
    text: str
    content: dict[str, Any]
    planned: frozenset[str]

    def statuses(self, host: str) -> dict[str, str]:
        return {result["id"]: result["status"] for result in self.results(host)}

    def reasons(self, host: str) -> dict[str, str]:
        return {result["id"]: result["reason"] for result in self.results(host)}

    def results(self, host: str) -> list[dict[str, Any]]:
        """One result per control of the plan: an audit that did not run proves nothing."""
        found = [entry for entry in self.content["hosts"] if entry["host"] == host]
        assert len(found) == 1, f"{host} is not in the report once:\n{self.text}"
        results: list[dict[str, Any]] = found[0]["results"]
        assert {result["id"] for result in results} == self.planned, self.text
        assert len(results) == len(self.planned), self.text
        return results

    def failed(self) -> list[str]:
        """The controls that fail on any host; of a report in which every host was audited."""
        return [
            result["id"]
            for entry in self.content["hosts"]
            for result in self.results(entry["host"])
            if result["status"] == "fail"
        ]


@dataclass(frozen=True)
class Project:
    """A rendered project and the inventory it is run with."""

    directory: Path
    inventory: Path
    vault: Path | None = None  # the file with the password, where variables are vaulted

    def environment(self) -> dict[str, str]:
        """What an operator would export."""
        return {"ANSIBLE_VAULT_PASSWORD_FILE": str(self.vault)} if self.vault else {}

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
        return execute(command, self.directory, timeout, self.environment())

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
        # Few hosts, and disposable: all at once, unless a case is about batches.
        given = {"hardhost_serial": "100%", **(inputs or {})}
        return [*command, "--extra-vars", json.dumps(given)]

    def start(self, name: str = "site", *, limit: str | None = None) -> subprocess.Popen[bytes]:
        """Begin a playbook and return at once; its process group can be ended as a whole."""
        return subprocess.Popen(
            self.play_command(name, limit=limit),
            cwd=self.directory,
            env={**clean_environment(), **self.environment()},
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
        run = hardhost(*command, given=self.environment())
        assert report.exists(), f"verify wrote no report, ended with {run.code}:\n{run.text}"
        return Report(run.code, run.text, json.loads(report.read_text()), self.controls())

    def controls(self) -> frozenset[str]:
        """The ids that the plan holds, read from the plan and from no report."""
        plan = json.loads((self.directory / "plan.json").read_text())
        ids = frozenset(control["id"] for control in plan["controls"])
        assert ids, f"{self.directory}/plan.json holds no control"
        return ids

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


def render(
    profile: str, directory: Path, hosts: Collection[Host], profiles: Path | None = None
) -> Project:
    """Render a profile and write an inventory of these hosts, in the project's group."""
    own = ["--profiles", str(profiles)] if profiles else []
    run = hardhost("render", profile, *own, "-o", str(directory))
    if run.code != 0:
        raise RuntimeError(f"{profile} cannot be rendered:\n{run.text}")
    group = json.loads((directory / "plan.json").read_text())["group"]
    file = directory / "inventory.yml"
    file.write_text(inventory(hosts, [group]))
    made = Project(directory, file)
    made.give(**excepted(made, patched=not any(host.has_repositories for host in hosts)))
    return made


def excepted(project: Project, *, patched: bool = True) -> dict[str, Any]:
    """The inputs that except from the project's controls what a disposable host must not meet."""
    reasons = NEVER if patched else {**NEVER, **UNPATCHED}
    terms = {"owner": "tests@example.org", "expires": "2099-12-31"}
    known = project.controls()
    found = [{"id": one, "reason": why, **terms} for one, why in reasons.items() if one in known]
    return {"hardhost_exceptions": found} if found else {}


def scenario_directory(scenario: str) -> Path:
    """Where a scenario keeps its rendered project and its memory; it outlives the hosts."""
    directory = PROJECT / "build" / "scenarios" / scenario
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def hardhost(
    *arguments: str, timeout: float = PLAY_SECONDS, given: Mapping[str, str] | None = None
) -> Run:
    command = [sys.executable, "-m", "generator", *arguments]
    return execute(command, PROJECT, timeout, given)


def program(name: str) -> str:
    """A program of the environment this runs in, which may not be on PATH."""
    return str(Path(sys.executable).parent / name)


def execute(
    command: list[str],
    directory: Path,
    timeout: float,
    given: Mapping[str, str] | None = None,
) -> Run:
    begun = time.monotonic()
    done = subprocess.run(
        command,
        cwd=directory,
        env={**clean_environment(), **(given or {})},
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
