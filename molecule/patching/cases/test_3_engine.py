"""The engine is upgraded under containers that serve; what has to be decided waits; a new engine that fails is said."""

from __future__ import annotations

import json
from typing import Any

from tests.hosts.observation import observe
from tests.hosts.package_lab import Lab
from tests.hosts.project import Project
from tests.hosts.serving import serving

UPDATED = "docker_engine/engine_updated"
RUNNING = "docker_engine/engine_running_updated"
# In place of the new dockerd: it says its version, and gives up.
BROKEN = """#!/bin/sh
case "$*" in *--version*) echo '%s'; exit 0 ;; esac
echo 'failed to start daemon: this engine is broken' >&2
exit 1
"""


def offer(lab: Lab, version: str, replaced: dict[str, str] | None = None) -> str:
    """A newer package of the installed engine; its version."""
    lab.repository("repack", "docker.io", version, json.dumps(replaced or {}))
    publish(lab, version)
    return version


def publish(lab: Lab, version: str) -> None:
    """Offer it, in lists that are fresh."""
    lab.publish([], [f"docker.io_{version.partition(':')[2] or version}_"])
    lab.host.sh("apt-get update -q; touch /var/lib/hardhost/package-lists")


def decided(project: Project, lab: Lab, **inputs: Any) -> dict[str, Any]:
    run = project.play("preflight", limit=lab.host.name, inputs=inputs)
    run.assert_unchanged(lab.host)
    return project.decision(lab.host.name, UPDATED)


def test_what_has_to_be_decided_waits(lab: Lab, project: Project) -> None:
    installed = lab.version("docker.io")
    offer(lab, "99.0")
    found = decided(project, lab)
    assert found["decision"] == "pending"
    assert "another major version" in found["reason"]
    offer(lab, f"{installed}+hardhost1")
    found = decided(project, lab)
    assert found["decision"] == "apply"
    assert [one["what"] for one in found["changes"]] == ["package docker.io"]
    pin = {"version": installed, "until": "2099-01-01", "reason": "a test"}
    assert decided(project, lab, docker_engine_pin=pin)["changes"] == []
    old = decided(project, lab, docker_engine_pin={**pin, "until": "2020-01-01"})
    assert "docker_engine_pin has ended (until 2020-01-01): a test" in old["reason"]
    lab.host.sh("apt-mark hold docker.io")
    assert "on hold" in decided(project, lab)["reason"]
    lab.host.sh("apt-mark unhold docker.io")
    never = decided(project, lab, docker_restart_policy="never")
    assert (never["decision"], never["reason"]) == ("pending", "docker_restart_policy is never")
    assert lab.version("docker.io") == installed


def test_an_upgrade_under_containers_that_serve(lab: Lab, project: Project) -> None:
    lab.host.sh("docker rm -f web worker", check=False)
    with serving(lab.host) as served:
        project.play(limit=lab.host.name).assert_converged(lab.host)
        assert lab.version("docker.io").endswith("+hardhost1")
        pid = lab.host.out("systemctl show -p MainPID --value docker").strip()
        assert lab.host.out(f"readlink /proc/{pid}/exe").strip() == "/usr/sbin/dockerd"
        assert observe(lab.host)["process"] != served.before["process"]
        served.assert_unbroken()
        project.play(limit=lab.host.name).assert_unchanged(lab.host)
        report = project.verify(limit=lab.host.name)
        statuses = report.statuses(lab.host.name)
        assert (statuses[UPDATED], statuses[RUNNING]) == ("pass", "pass"), report.text
        kinds = {one["target"]: one for one in changes(lab)}
        assert kinds["docker.io"]["after"]["value"].endswith("+hardhost1")


def changes(lab: Lab) -> list[dict[str, Any]]:
    state = json.loads(lab.host.out("cat /var/lib/hardhost/state.json"))
    return [one for one in state["changes"] if one["kind"] == "package"]


def test_a_new_engine_that_does_not_start(lab: Lab, project: Project) -> None:
    """It is said, the containers run on without it, and the package that mends it brings Docker back."""
    installed = lab.version("docker.io")
    lab.repository("repack", "docker.io", f"{installed}b")
    broken = BROKEN % lab.host.out("dockerd --version").strip()
    lab.host.sh("docker rm -f web worker", check=False)
    with serving(lab.host) as served:
        offer(lab, f"{installed}a", {"/usr/sbin/dockerd": broken})
        run = project.play(limit=lab.host.name)
        run.assert_failed(lab.host, saying="DOCKER IS DOWN")
        run.assert_failed(lab.host, saying="this engine is broken")
        publish(lab, f"{installed}b")
        project.play(limit=lab.host.name).assert_converged(lab.host)
        assert lab.version("docker.io") == f"{installed}b"
        served.assert_unbroken()
