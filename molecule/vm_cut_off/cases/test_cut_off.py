"""Files, rules, modules and profiles: cut off at every remote step, gone on with, taken back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.hosts.container_host import Host
from tests.hosts.cut_off import cut_here, interrupt, points, steps_of
from tests.hosts.observation import differences, observe, unexpected
from tests.hosts.project import Project, render
from tests.hosts.serving import wait_settled

PROFILES = Path(__file__).parents[1] / "profiles"
# Modules at least: preflight and the lease, then one of each role; reading and undoing.
STEPS = {"site": 4, "rollback": 2}
LISTS_OF_TODAY = "touch /var/lib/apt/periodic/update-success-stamp"
COPIES = ["etc./etc/audit/audit.rules.prev"]  # augenrules keeps what it replaces
IN_THE_KERNEL = "auditctl -l; sort /sys/kernel/security/apparmor/profiles; sysctl {}"


def seen(host: Host, project: Project) -> dict[str, Any]:
    """Files, the daemon's process, audit rules, loaded profiles, parameters of the plan."""
    plan = json.loads((project.directory / "plan.json").read_text())
    settings = [one["settings"].get("kernel_sysctls", {}) for one in plan["controls"]]
    keys = sorted({key for one in settings for key in one if "*" not in key})
    assert len(keys) > 5
    found = observe(host)
    kernel = host.out(IN_THE_KERNEL.format(" ".join(keys))).splitlines()
    return {"etc": found["etc"], "process": found["process"], "kernel": kernel}


def kept(changed: dict[str, str]) -> dict[str, str]:
    return unexpected(changed, COPIES)


def test_cut_off_at_every_remote_step(nodes: list[Host], memory: Path) -> None:
    (host,) = nodes
    host.sh(LISTS_OF_TODAY)
    project = render("kernel_roles", memory / "project", nodes, PROFILES)
    before = seen(host, project)
    with cut_here(host, project):
        steps = {"site": steps_of(host, project, "site")}
        in_force = seen(host, project)
        assert len(differences(before, in_force)) > 3
        steps["rollback"] = steps_of(host, project, "rollback")
        assert all(steps[play] >= least for play, least in STEPS.items()), steps
        assert not kept(differences(before, seen(host, project)))
        for point in points(steps):
            if point.play == "rollback":
                project.play().assert_converged(host)
            interrupt(host, project, point)
            wait_settled(host)
            project.play().assert_converged(host)
            assert not kept(differences(in_force, seen(host, project)))
            project.play().assert_unchanged(host)
            project.play("rollback").assert_converged(host)
            assert not kept(differences(before, seen(host, project)))
