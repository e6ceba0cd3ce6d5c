"""Audit one host: what preflight decided, what the host shows, what that proves."""

from __future__ import annotations

import base64
import datetime
import importlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import remote
from onhost.probed import PROBED
from verdict import FAIL, PASS, ObservedHost, Verdict, failed

# Decisions that are the status: no check is asked.
DECIDED = ("pending", "not_applicable", "waived", "manual")
IMAGES = Path("roles/docker_restart/files")
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass
class Result:
    """One control on one host."""

    id: str
    status: str
    reason: str
    probe: dict[str, str] | None = None


@dataclass
class HostResult:
    """One host; `problem` is why nothing could be proved on it, else ""."""

    host: str
    problem: str = ""
    reachable: bool = True
    refused: str | None = None
    engine: dict[str, Any] = field(default_factory=dict)
    os: dict[str, Any] = field(default_factory=dict)
    results: list[Result] = field(default_factory=list)


def artifact_problem(
    artifact: dict[str, Any], plan: dict[str, Any], max_age: float, now: datetime.datetime
) -> str:
    """Why decisions cannot be used: made for another profile, or too old; "" where they can."""
    again = "run preflight.yml again"
    if artifact.get("schema") != 1 or artifact.get("profile") != plan["profile"]:
        return f"preflight's decisions are not for the profile {plan['profile']}: {again}"
    try:
        moment = datetime.datetime.strptime(artifact["run"].split("-")[0], "%Y%m%dT%H%M%SZ")
    except (KeyError, ValueError):
        return f"preflight's decisions do not say when they were made: {again}"
    age = (now - moment.replace(tzinfo=datetime.UTC)).total_seconds()
    return f"preflight's decisions are {int(age)} seconds old: {again}" if age > max_age else ""


def artifact_file(project: Path, host: str) -> Path:
    """Where the action `preflight` leaves it: no two hosts have the same."""
    return project / "artifacts" / f"{quote(host, safe='')}.json"


def load_artifact(project: Path, host: str) -> dict[str, Any] | None:
    path = artifact_file(project, host)
    return json.loads(path.read_text("utf-8")) if path.is_file() else None


def another_machine(artifact: dict[str, Any], reading: dict[str, Any]) -> bool:
    """Whether both are known to be of machines that are not the same."""
    decided = (artifact.get("facts") or {}).get("machine_id")
    return bool(decided and reading["machine_id"]) and decided != reading["machine_id"]


class Auditor:
    """What all hosts have in common: the project, its plan, and how far to go."""

    def __init__(self, project: Path, plan: dict[str, Any], *, probe: bool, max_age: float) -> None:
        self.project, self.plan, self.probe, self.max_age = project, plan, probe, max_age

    def audit(self, name: str, connection: Any) -> HostResult:
        """Every control of the plan on one host; what is wrong with the host is its `problem`.

        Nothing is raised: that would take the results of all other hosts away.
        """
        result = HostResult(name)
        try:
            self._audit(result, connection)
        except remote.RemoteError as error:
            result.problem, result.reachable = str(error), False
        except Exception as error:
            result.problem, result.results = f"{type(error).__name__}: {error}", []
        return result

    def _audit(self, result: HostResult, connection: Any) -> None:
        name = result.host
        artifact = load_artifact(self.project, name)
        if artifact is None:
            wanted_file = f"artifacts/{artifact_file(self.project, name).name}"
            result.problem = (
                f"preflight has left no decisions ({wanted_file}): run preflight.yml first"
            )
            return
        result.engine, result.os = artifact.get("engine") or {}, artifact.get("os") or {}
        result.refused = artifact.get("refused")
        now = datetime.datetime.now(datetime.UTC)
        result.problem = result.refused or artifact_problem(artifact, self.plan, self.max_age, now)
        if result.problem:
            return
        reading = remote.call(connection, self.project, "reading", "read", wanted(artifact))
        if another_machine(artifact, reading):
            result.problem = "another machine than preflight has read (by /etc/machine-id)"
            return
        observed = ObservedHost(name, reading, connection)
        result.results = [decide(observed, control, artifact) for control in self.plan["controls"]]
        if self.probe:
            self._prove(observed, artifact, result.results)

    def _prove(self, host: ObservedHost, artifact: dict[str, Any], results: list[Result]) -> None:
        """Let the probes try what the checks could judge."""
        decided = artifact["decisions"].keys() & set(PROBED)
        judged = [one for one in results if one.status in (PASS, FAIL) and one.id in decided]
        settings = {one.id: artifact["decisions"][one.id]["settings"] for one in judged}
        found = self._probes(host, settings) if judged and host.reading["info"] else {}
        for result in judged:
            result.probe = found.get(result.id)
            if result.probe and result.probe["status"] == FAIL and result.status == PASS:
                result.status, result.reason = FAIL, f"by effect: {result.probe['reason']}"

    def _probes(self, host: ObservedHost, settings: dict[str, Any]) -> dict[str, dict[str, str]]:
        machine = host.reading["machine"]
        image = self.project / IMAGES / f"probe-{ARCHITECTURES.get(machine, machine)}.tar"
        if not image.is_file():
            return {
                one: {"status": FAIL, "reason": f"there is no probe image for {machine}"}
                for one in settings
            }
        argument = {
            "image": base64.b64encode(image.read_bytes()).decode("ascii"),
            "controls": settings,
        }
        try:
            found: dict[str, dict[str, str]] = remote.call(
                host.connection, self.project, "probes", "run", argument
            )
        except remote.RemoteError as error:
            return {one: {"status": FAIL, "reason": f"the probes {error}"} for one in settings}
        return found


def wanted(artifact: dict[str, Any]) -> dict[str, Any]:
    """What to read on the host."""
    settings = [decision.get("settings") or {} for decision in artifact["decisions"].values()]
    keys = {key for one in settings for key in one.get("docker_daemon_options", {})}
    subjects = {subject for one in settings for subject in one.get("docker_files_paths", {})}
    checked = {
        identity: decision.get("settings") or {}
        for identity, decision in artifact["decisions"].items()
        if decision["decision"] not in DECIDED
    }
    return {
        "keys": sorted(keys),
        "subjects": sorted(subjects),
        "settings": checked,
        "inputs": artifact.get("inputs", {}),
    }


def decide(host: ObservedHost, control: dict[str, Any], artifact: dict[str, Any]) -> Result:
    """The status of one control: preflight's decision where that is one, else the check's."""
    decision = artifact["decisions"].get(control["id"])
    if decision is None:
        return Result(
            control["id"], FAIL, "preflight has not decided about it: run preflight.yml again"
        )
    if decision["decision"] in DECIDED:
        text = "; ".join(part for part in (decision["reason"], decision["remedy"]) if part)
        return Result(control["id"], decision["decision"], text)
    verdict = judge(host, control, artifact)
    return Result(control["id"], verdict.status, verdict.reason)


def judge(host: ObservedHost, control: dict[str, Any], artifact: dict[str, Any]) -> Verdict:
    check = importlib.import_module(f"checks.{control['check']}")
    if getattr(check, "ASKS_ENGINE", True) and not host.reading["info"]:
        return failed(
            f"the engine cannot be asked: {host.reading['api_error'] or 'its API does not answer'}"
        )
    verdict: Verdict = check.check(host, control, artifact)
    return verdict
