"""Rules in the kernel of a virtual machine: each step is a big one, for commands are slow there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.hosts.container_host import Host
from tests.hosts.inventory import inventory
from tests.hosts.project import Project, Run, hardhost
from tests.sabotage import states
from tests.sabotage.states import State

PROFILES = Path(__file__).parents[1] / "profiles"
OURS = "docker_audit/"
ABSENT = f"{OURS}sysconfig_docker"  # of another family
# Rules of somebody else, about other paths than ours, whose records they would take: one in the
# kernel alone, and a file of which the first rule is refused.
FOREIGN = """
auditctl -w /etc/hosts -p wa -k docker
printf -- '-w /nowhere/at/all -p wa -k foreign\\n-w /etc/hostname -p wa -k foreign\\n' \
    > /etc/audit/rules.d/50-foreign.rules
"""
# auditd calls the short spelling outdated from 4.0 on.
SPELLED = {
    "debian12vm": "-w /etc/docker -p wa",
    "debian13vm": "-a always,exit -F arch=b64 -F dir=/etc/docker -F perm=wa",
}
LOCK = f"{OURS}rules_immutable"
# The lists are those of the image. To fetch and read new ones takes an emulated machine minutes.
WITHOUT_AUDITD = """set -e
DEBIAN_FRONTEND=noninteractive apt-get purge -y -q auditd
touch /var/lib/apt/periodic/update-success-stamp
"""
STATES = {
    f"{one.control.removeprefix(OURS)}-{one.name}": one
    for control in states.controls()
    if control.startswith(OURS) and control not in (ABSENT, LOCK)
    for one in states.load(control)
}
# States of one control each do not disturb each other: they are made, seen and mended together.
ALONE = {name: one for name, one in STATES.items() if one.fails}
TOGETHER = {name: one for name, one in STATES.items() if not one.fails}


def rendered(profile: str, memory: Path, host: Host) -> Project:
    directory = memory / profile
    words = ["render", profile, "--profiles", str(PROFILES), "-o", str(directory)]
    done = hardhost(*words)
    assert done.code == 0, done.text
    file = directory / "inventory.yml"
    file.write_text(inventory([host], ["records"]))
    return Project(directory, file)


@pytest.fixture(scope="module")
def host(nodes: list[Host]) -> Host:
    (found,) = nodes
    return found


@pytest.fixture(scope="module")
def records(host: Host, memory: Path) -> Project:
    return rendered("records", memory, host)


@pytest.fixture(scope="module")
def locked(host: Host, memory: Path) -> Project:
    return rendered("locked", memory, host)


def statuses(project: Project, host: Host, *, probe: bool = False) -> dict[str, str]:
    """Those of docker_audit."""
    report = project.verify(probe=probe)
    found = {name: one for name, one in report.statuses(host.name).items() if OURS in name}
    assert found, report.text
    return found


def in_force(project: Project) -> dict[str, str]:
    wanted = {name: "pass" for name in project.controls() if name.startswith(OURS)}
    return {**wanted, ABSENT: "not_applicable"}


def rules(host: Host) -> list[str]:
    return host.out("auditctl -l").splitlines()


def slow(project: Project, name: str = "site", *options: str) -> Run:
    return project.play(name, *options, timeout=1800)


def test_the_stock_host_records_nothing_and_check_mode_leaves_it_so(
    host: Host, records: Project
) -> None:
    host.sh(FOREIGN)
    before = rules(host), host.out("ls /etc/audit/rules.d /etc/tmpfiles.d")
    run = slow(records, "site", "--check", "--diff")
    run.assert_converged(host)
    assert f"+{SPELLED[host.os]} -k hardhost-etc_docker" in run.text
    assert (rules(host), host.out("ls /etc/audit/rules.d /etc/tmpfiles.d")) == before
    found = statuses(records, host)
    nothing_yet = {ABSENT: "not_applicable", f"{OURS}daemon_json": "pending"}
    assert found == {**dict.fromkeys(found, "fail"), **nothing_yet}


def test_converge_and_nothing_left_to_do(host: Host, records: Project) -> None:
    slow(records).assert_converged(host)
    slow(records).assert_unchanged(host)


def test_every_rule_leaves_records(host: Host, records: Project) -> None:
    report = records.verify(probe=True)
    assert report.code == 0, report.text
    probes = {
        result["id"]: result["probe"]["status"]
        for result in report.results(host.name)
        if result.get("probe") and result["id"].startswith(OURS)
    }
    expected = {name for name in records.controls() if name.startswith(OURS)} - {ABSENT}
    assert probes == dict.fromkeys(expected, "pass"), report.text


def test_rules_of_others_are_where_they_were(host: Host) -> None:
    assert "-w /etc/hosts -p wa -k docker" in rules(host)
    assert host.out("cat /etc/audit/rules.d/50-foreign.rules").count("foreign") == 2


def test_states_of_single_controls(host: Host, records: Project) -> None:
    """Each is seen by exactly its control, and a converge mends them all."""
    for state in TOGETHER.values():
        host.sh(state.script())
    broken = {state.control: state.expect for state in TOGETHER.values()}
    assert len(broken) > 12
    assert statuses(records, host) == {**in_force(records), **broken}
    slow(records).assert_converged(host)
    assert statuses(records, host) == in_force(records)


@pytest.mark.parametrize("state", ALONE.values(), ids=ALONE.keys())
def test_states_that_concern_all(state: State, host: Host, records: Project) -> None:
    host.sh(state.script())
    wanted = {name: state.status(name, status) for name, status in in_force(records).items()}
    assert statuses(records, host) == wanted
    if state.mend_script():
        host.sh(state.mend_script() or "")
    else:
        slow(records).assert_converged(host)
    assert statuses(records, host) == in_force(records)


def test_locked_and_across_a_boot(host: Host, locked: Project) -> None:
    """A refused rule of somebody else does not keep ours from being loaded at boot."""
    slow(locked).assert_converged(host)
    assert statuses(locked, host) == in_force(locked)
    (lock,) = states.load(LOCK)
    host.sh(lock.script())
    assert statuses(locked, host) == {**in_force(locked), LOCK: "fail"}
    slow(locked).assert_converged(host)
    host.reboot()  # type: ignore[attr-defined]
    assert statuses(locked, host, probe=True) == in_force(locked)
    assert "-w /etc/hostname -p wa -k foreign" in rules(host)


def test_a_locked_change_waits_for_the_next_boot(
    host: Host, locked: Project, records: Project
) -> None:
    host.sh("sed -i /hardhost-runc/d /etc/audit/rules.d/00-hardhost.rules")
    host.sh("mkdir /etc/systemd/system/docker.service.d")
    run = slow(locked)
    run.assert_converged(host)
    assert "locked until the next boot" in " ".join(run.text.split())
    changed = f"{OURS}docker_service_unit"
    assert statuses(locked, host) == {**in_force(locked), changed: "pending"}
    slow(locked).assert_unchanged(host)


def test_rollback_and_the_next_boot(host: Host, locked: Project) -> None:
    run = slow(locked, "rollback")
    run.assert_converged(host)
    assert "stay in the kernel until the next boot" in " ".join(run.text.split())
    host.reboot()  # type: ignore[attr-defined]
    assert [line for line in rules(host) if "hardhost" in line] == []
    left = json.loads(host.out("cat /var/lib/hardhost/state.json"))
    assert [one for one in left["changes"] if one["kind"] != "package"] == []
    files: Any = host.out(
        "ls /etc/audit/rules.d /etc/tmpfiles.d; grep -c hardhost /etc/audit/audit.rules || :"
    )
    assert "hardhost" not in files
    assert files.split()[-1] == "0"
    slow(locked, "rollback").assert_unchanged(host)


def test_a_host_without_auditd(host: Host, records: Project) -> None:
    """It is announced, comes with everything in force, and stays."""
    host.sh(WITHOUT_AUDITD, timeout=300)
    run = slow(records, "site", "--check", "--diff")
    run.assert_converged(host)
    assert "auditd: absent -> installed" in run.text
    assert host.sh("command -v auditctl", check=False).returncode
    slow(records).assert_converged(host)
    assert statuses(records, host) == in_force(records)
    recorded = json.loads(host.out("cat /var/lib/hardhost/state.json"))["changes"]
    assert [one["after"] for one in recorded if one["target"] == "auditd"]
    slow(records, "rollback").assert_converged(host)
    assert host.out("systemctl is-active auditd").strip() == "active"
