"""A host that has never had SELinux on its way to enforcing, and back; in this order."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hosts.container_host import Host
from tests.hosts.inventory import inventory
from tests.hosts.project import Project, Report, hardhost
from tests.hosts.virtual_machine import VirtualMachine

ENFORCING = "mandatory_access/selinux_enforcing"
POLICY = "mandatory_access/selinux_container_policy"
LABELS = "docker_daemon/selinux_labels"
PACKAGES = ("policycoreutils", "selinux-policy-default")
TREE = (
    "find /etc /var/lib/hardhost /boot -xdev -type f -exec sha256sum {} + 2>/dev/null"
    " | sort -k2 | sha256sum; dpkg-query -W | sha256sum; ls -d /.autorelabel 2>&1; true"
)


@pytest.fixture(scope="module")
def machine(nodes: list[Host]) -> VirtualMachine:
    assert isinstance(nodes[0], VirtualMachine)
    return nodes[0]


@pytest.fixture(scope="module")
def project(nodes: list[Host], memory: Path) -> Project:
    directory, profiles = memory / "steps", Path(__file__).parents[1] / "profiles"
    done = hardhost("render", "steps", "--profiles", str(profiles), "-o", str(directory))
    assert done.code == 0, done.text
    file = directory / "inventory.yml"
    file.write_text(inventory(nodes, ["vm"]))
    made = Project(directory, file)
    # Each run logs in anew: that it still can is what the last step waits for.
    made.give(ansible_ssh_args="-o ControlMaster=auto -o ControlPersist=1s")
    return made


def pending(report: Report, machine: Host) -> str:
    """Why SELinux is not enforced yet; containers wait for it too."""
    found = report.statuses(machine.name)
    assert {found[one] for one in (ENFORCING, POLICY, LABELS)} == {"pending"}, report.text
    return report.reasons(machine.name)[ENFORCING]


def mode(machine: Host) -> str:
    return machine.out("getenforce").strip()


def test_1_check_mode_writes_nothing(machine: VirtualMachine, project: Project) -> None:
    assert not set(PACKAGES) & set(machine.out("dpkg-query -W -f '${Package} '").split())
    before = machine.out(TREE)
    run = project.play("site", "--check", "--diff")
    run.assert_converged(machine)
    for name in PACKAGES:
        assert f"package {name}" in " ".join(run.text.split())
    assert machine.out(TREE) == before


def test_2_prepared_for_the_next_boot(machine: VirtualMachine, project: Project) -> None:
    run = project.play()
    run.assert_converged(machine)
    assert "reboot the host" in " ".join(run.text.split())
    assert set(PACKAGES) <= set(machine.out("dpkg-query -W -f '${Package} '").split())
    assert "security=selinux" in machine.out("cat /boot/grub/grub.cfg")
    assert machine.out("cat /.autorelabel").strip() == "-F"
    assert machine.out("aa-enabled").strip() == "Yes", "nothing is switched before the boot"
    assert "reboot" in pending(project.verify(), machine)
    project.play().assert_unchanged(machine)


def test_3_the_first_boot_labels_and_the_second_is_permissive(machine: VirtualMachine) -> None:
    machine.reboot()
    assert mode(machine) == "Permissive"
    machine.sh("test ! -e /.autorelabel")
    assert ":dockerd_t:" in machine.out("ps -o label= -C dockerd")
    assert machine.out("stat -c %C /etc/shadow").strip().endswith(":shadow_t:s0")


def test_4_enforced_and_then_for_good(machine: VirtualMachine, project: Project) -> None:
    project.play().assert_converged(machine)
    assert mode(machine) == "Enforcing"
    assert "SELINUX=permissive" in machine.out("cat /etc/selinux/config")
    project.play().assert_converged(machine)
    assert "SELINUX=enforcing" in machine.out("cat /etc/selinux/config")
    project.play().assert_unchanged(machine)


def test_5_enforcing_from_the_boot_on(machine: VirtualMachine, project: Project) -> None:
    machine.reboot()
    assert mode(machine) == "Enforcing"
    report = project.verify(probe=True)
    assert set(report.statuses(machine.name).values()) == {"pass"}, report.text
    project.play().assert_unchanged(machine)


def test_6_back_to_apparmor(machine: VirtualMachine, project: Project) -> None:
    run = project.play("rollback")
    run.assert_converged(machine)
    assert mode(machine) == "Permissive"
    for name in PACKAGES:
        assert name in run.text, "what stays is named"
    assert "security=selinux" not in machine.out("cat /boot/grub/grub.cfg")
    machine.reboot()
    assert machine.out("aa-enabled").strip() == "Yes"
    assert "docker-default (enforce)" in machine.out("cat /sys/kernel/security/apparmor/profiles")
    assert machine.out("docker info -f '{{.SecurityOptions}}'").count("name=apparmor") == 1
