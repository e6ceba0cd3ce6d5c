"""Updates are announced, applied, reported; what is on hold, changed by hand or the engine's stays as it is."""

from __future__ import annotations

import pytest

from tests.hosts.package_lab import CONFFILE, Lab, demo
from tests.hosts.project import Project

SECURITY = "host_patching/security_updates"
AUTOMATIC = "host_patching/automatic_updates"
KERNEL = "host_patching/kernel_current"
SIGNED = "host_patching/signed_repositories"
# What apt, dpkg and unattended-upgrades leave behind when they do something, be it a dry run.
WRITTEN = (
    "find /var/cache/apt/archives /var/lib/apt /var/lib/dpkg /var/log/apt /var/log/unattended-upgrades"
    " -type f -printf '%p %T@\\n' | sort"
)
# Somebody has switched them off, by a file of that very name; elsewhere there is none.
DROP_IN = "/etc/apt/apt.conf.d/90hardhost-automatic-updates"
PAST = f"""echo 'APT::Periodic::Enable "0";' > {DROP_IN}
chmod 600 {DROP_IN}; chown root:adm {DROP_IN}; touch -d 2020-02-02 {DROP_IN}
"""
# Everything that says what is installed by itself, and when.
UNATTENDED = (
    "find /etc/apt /etc/systemd/system ! -type d -printf '%p %m %u:%g %T@ %l\\n' | sort;"
    " find /etc/apt /etc/systemd/system -type f | sort | xargs sha256sum;"
    " systemctl show -p Id,UnitFileState,ActiveState apt-daily.timer apt-daily-upgrade.timer"
    " unattended-upgrades.service"
)


@pytest.fixture(scope="module")
def unattended(labs: list[Lab]) -> list[str]:
    """How that was before anybody came."""
    labs[-1].host.sh(PAST)
    return [lab.host.out(UNATTENDED) for lab in labs]


@pytest.mark.usefixtures("unattended")
def test_a_host_with_pending_updates_is_told_so(labs: list[Lab], project: Project) -> None:
    for lab in labs:
        lab.publish([demo(lab, "1.1"), lab.package("kept", "1.1")], [lab.package("plain", "1.1")])
        lab.refresh_lists()
    before = [lab.host.out(WRITTEN) for lab in labs]
    report = project.verify()
    assert [lab.host.out(WRITTEN) for lab in labs] == before, "verify only looks"
    for lab in labs:
        statuses, reasons = report.statuses(lab.host.name), report.reasons(lab.host.name)
        assert statuses[SECURITY] == "fail"
        assert "demo (1.0 -> 1.1)" in reasons[SECURITY]
        assert "plain" not in reasons[SECURITY]
        assert statuses[AUTOMATIC] == "fail"
        assert "the engine's packages are not excluded" in reasons[AUTOMATIC]
        assert statuses[SIGNED] == "pass"
        assert statuses[KERNEL] == "not_applicable"


def test_check_mode_announces_and_writes_nothing(labs: list[Lab], project: Project) -> None:
    before = [
        (lab.dpkg(), lab.host.out("ls -l --time-style=full-iso /etc/apt/apt.conf.d"))
        for lab in labs
    ]
    run = project.play("site", "--check", "--diff")
    run.assert_converged(*[lab.host for lab in labs])
    assert "package demo: 1.0 -> 1.1" in run.text
    after = [
        (lab.dpkg(), lab.host.out("ls -l --time-style=full-iso /etc/apt/apt.conf.d"))
        for lab in labs
    ]
    assert after == before


def test_updates_are_applied(labs: list[Lab], project: Project) -> None:
    began = [
        lab.host.out("systemctl show -p MainPID --value demo docker containerd") for lab in labs
    ]
    for lab in labs:
        lab.forget_lists()
    run = project.play()
    run.assert_converged(*[lab.host for lab in labs])
    assert "demo: 1.0 -> 1.1" in run.text
    assert "on hold, and not updated: kept (1.0 -> 1.1)" in " ".join(run.text.split())
    for lab, before in zip(labs, began, strict=True):
        assert [lab.version(name) for name in ("demo", "kept", "plain")] == ["1.1", "1.0", "1.0"]
        assert lab.host.out(f"cat {CONFFILE}") == "set by hand\n"
        demo_pid, *engine_pids = before.split()
        now = lab.host.out("systemctl show -p MainPID --value demo docker containerd").split()
        assert now[0] != demo_pid, "the service still runs the old file"
        assert now[1:] == engine_pids, "nobody restarts dockerd and containerd for it"
        assert "plain" in lab.host.out("apt-mark showauto").split()


def test_a_second_run_changes_nothing(labs: list[Lab], project: Project) -> None:
    project.play().assert_unchanged(*[lab.host for lab in labs])


def test_the_proof_names_what_is_on_hold(labs: list[Lab], project: Project) -> None:
    report = project.verify()
    for lab in labs:
        statuses, reasons = report.statuses(lab.host.name), report.reasons(lab.host.name)
        assert statuses[SECURITY] == "pending", report.text
        assert "on hold: kept (1.0 -> 1.1)" in reasons[SECURITY]
        assert statuses[AUTOMATIC] == "pass", report.text


def test_all_updates_where_that_is_chosen(labs: list[Lab], project: Project) -> None:
    project.give(host_patching_scope="all")
    try:
        project.play().assert_converged(*[lab.host for lab in labs])
    finally:
        project.give(host_patching_scope="security")
    for lab in labs:
        assert [lab.version(name) for name in ("kept", "plain")] == ["1.0", "1.1"]
        assert "plain" in lab.host.out("apt-mark showauto").split()
        lab.host.sh("apt-mark unhold kept")
    project.play().assert_converged(*[lab.host for lab in labs])
    for lab in labs:
        assert lab.version("kept") == "1.1"
    report = project.verify()
    for lab in labs:
        assert report.statuses(lab.host.name)[SECURITY] == "pass", report.text


def test_a_rollback_brings_unattended_updates_back_to_what_they_were(
    labs: list[Lab], project: Project, unattended: list[str]
) -> None:
    back = {"hardhost_rollback_scope": "controls", "hardhost_rollback_controls": [AUTOMATIC]}
    assert [lab.host.out(UNATTENDED) for lab in labs] != unattended
    project.play("rollback", inputs=back).assert_converged(*[lab.host for lab in labs])
    assert [lab.host.out(UNATTENDED) for lab in labs] == unattended
    project.play("rollback", inputs=back).assert_unchanged(*[lab.host for lab in labs])
    assert [lab.host.out(UNATTENDED) for lab in labs] == unattended
