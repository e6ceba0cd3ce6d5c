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
LABELLING_SECONDS = 1800  # every file, and a second boot, under emulation
PACKAGES = ("policycoreutils", "selinux-policy-default")
# Whether each run logs in anew: that it still can is what the last step waits for.
KEPT = "-o ControlMaster=auto -o ControlPersist=900s"
ANEW = "-o ControlMaster=no -o ControlPath=none"
# Something that only a permissive kernel lets sshd do.
DENIAL = "runcon -t sshd_t -r system_r -u system_u /usr/bin/true"
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
    made.give(ansible_ssh_args=ANEW)
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
    machine.reboot(LABELLING_SECONDS)
    assert mode(machine) == "Permissive"
    machine.sh("test ! -e /.autorelabel")
    assert ":dockerd_t:" in machine.out("ps -o label= -C dockerd")
    assert machine.out("stat -c %C /etc/shadow").strip().endswith(":shadow_t:s0")


def test_4_not_enforced_over_a_denial_unless_accepted(
    machine: VirtualMachine, project: Project
) -> None:
    machine.sh(DENIAL, check=False)
    project.play().assert_converged(machine)
    assert mode(machine) == "Permissive"
    assert "sshd_t" in project.verify().reasons(machine.name)[ENFORCING]
    project.give(mandatory_access_accepted_denials=["sshd_t"])
    project.play().assert_converged(machine)
    assert mode(machine) == "Enforcing"
    assert "SELINUX=permissive" in machine.out("cat /etc/selinux/config")


def test_5_a_boot_brings_back_who_is_locked_out(machine: VirtualMachine, project: Project) -> None:
    machine.reboot()
    assert mode(machine) == "Permissive"
    project.give(ansible_ssh_args=KEPT)
    project.play().assert_converged(machine)
    assert mode(machine) == "Enforcing"


def test_6_for_good_only_after_a_login_under_it(machine: VirtualMachine, project: Project) -> None:
    project.play().assert_unchanged(machine)
    assert "SELINUX=permissive" in machine.out("cat /etc/selinux/config")
    project.give(ansible_ssh_args=ANEW)
    project.play().assert_converged(machine)
    assert "SELINUX=enforcing" in machine.out("cat /etc/selinux/config")
    project.play().assert_unchanged(machine)


def test_7_enforcing_from_the_boot_on(machine: VirtualMachine, project: Project) -> None:
    machine.reboot()
    assert mode(machine) == "Enforcing"
    report = project.verify(probe=True)
    assert set(report.statuses(machine.name).values()) == {"pass"}, report.text
    project.play().assert_unchanged(machine)


def test_8_back_to_apparmor(machine: VirtualMachine, project: Project) -> None:
    run = project.play("rollback")
    run.assert_converged(machine)
    assert mode(machine) == "Permissive"
    for name in PACKAGES:
        assert name in run.text, "what stays is named"
    assert "security=selinux" not in machine.out("cat /boot/grub/grub.cfg")
    project.play("rollback").assert_unchanged(machine)
    machine.reboot()
    assert machine.out("aa-enabled").strip() == "Yes"
    assert "docker-default (enforce)" in machine.out("cat /sys/kernel/security/apparmor/profiles")
    assert machine.out("docker info -f '{{.SecurityOptions}}'").count("name=apparmor") == 1
