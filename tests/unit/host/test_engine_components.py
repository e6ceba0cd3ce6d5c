"""Advisories are held against what runs, and a changelog tells of its own program alone."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from ansible.module_utils import hardhost_components as components
from verdict import ObservedHost, Verdict

from tests.unit.roles.hosts import facts

ENGINE, CONTAINERD, RUNC = "26.1.5+dfsg1", "1.7.24~ds1", "1.1.15+ds1"
CHANGELOG = "  * CVE-2024-41110, CVE-2024-40635, CVE-2025-31133\n"
SAYS = {
    "dockerd": f"Docker version {ENGINE}, build a72d7cd\n",
    "containerd": f"containerd github.com/containerd/containerd {CONTAINERD} {CONTAINERD}-6+b4\n",
    "runc": f"runc version {RUNC}\ncommit: 1.1.15+ds1-2+b4\nspec: 1.2.0\n",
}


class Host:
    """A host whose engine is what is installed, until a test has it otherwise."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.runs = {"Engine": ENGINE, "containerd": CONTAINERD, "runc": RUNC}
        self.executable = "/usr/bin/containerd"
        self.facts = facts(engine={"version": ENGINE, "on_disk": ENGINE})
        monkeypatch.setattr(components.packages, "run", lambda words, _s: (0, SAYS[words[0]], ""))
        monkeypatch.setattr(components, "changelog_of", lambda _program: CHANGELOG)
        monkeypatch.setattr(components.docker, "get", lambda _path: self.answer())
        monkeypatch.setattr(components.units, "show", lambda _unit: {"MainPID": "42"})
        monkeypatch.setattr(components.files, "read", lambda _path: None)
        process = lambda _pid: {"executable": self.executable}  # noqa: E731
        monkeypatch.setattr(components.units, "process", process)

    def answer(self) -> dict[str, Any]:
        return {"Components": [{"Name": name, "Version": one} for name, one in self.runs.items()]}

    def open(self) -> set[str]:
        return {one["cve"] for one in components.observe(self.facts)["open"]}

    def verdict(self) -> Verdict:
        control = {"id": "docker_engine/engine_fixed"}
        found = {"docker_engine": {control["id"]: components.observe(self.facts)}}
        check = importlib.import_module("checks.engine_fixed").check
        verdict: Verdict = check(ObservedHost("db1", {"surfaces": found}), control, {})
        return verdict


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(monkeypatch)


def test_what_runs_is_what_is_installed(host: Host) -> None:
    found = components.observe(host.facts)
    assert found["versions"] == {"engine": ENGINE, "containerd": CONTAINERD, "runc": RUNC}
    assert found["replaced"] == {}
    assert found["unknown"] == []
    assert not host.open() & {"CVE-2024-41110", "CVE-2024-40635", "CVE-2025-31133"}
    assert "restart" not in host.verdict().reason


def test_an_old_dockerd_over_a_new_program(host: Host) -> None:
    host.facts["engine"].update(version="26.1.0", on_disk=ENGINE)
    host.runs["Engine"] = "26.1.0"
    assert components.observe(host.facts)["versions"]["engine"] == "26.1.0"
    assert "CVE-2024-41110" in host.open()
    verdict = host.verdict()
    assert verdict.status == "fail"
    assert f"; dockerd 26.1.0 runs, {ENGINE} is installed: a restart is missing" in verdict.reason


def test_an_old_containerd_over_a_new_program(host: Host) -> None:
    host.runs["containerd"] = "v1.7.20"
    assert components.observe(host.facts)["versions"]["containerd"] == "1.7.20"
    assert "CVE-2024-40635" in host.open()
    assert f"containerd 1.7.20 runs, {CONTAINERD} is installed: a rest" in host.verdict().reason


def test_a_backport_that_nobody_has_started(host: Host) -> None:
    """The version stays, and the changelog is that of the program on the disk."""
    host.executable = "/usr/bin/containerd (deleted)"
    assert "CVE-2024-40635" in host.open()
    assert "and was replaced by" in host.verdict().reason


def test_without_an_engine_that_answers_the_programs_are_judged(host: Host) -> None:
    host.facts["engine"]["running"] = False
    host.runs = {}
    assert components.observe(host.facts)["versions"]["containerd"] == CONTAINERD


def test_a_containerd_that_only_dockerd_finds(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SAYS, "containerd", "")
    assert components.observe(host.facts)["versions"]["containerd"] == CONTAINERD
