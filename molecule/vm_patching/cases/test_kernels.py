"""A kernel that waits for its reboot: held back, booted into, or not started by the boot loader."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.hosts import workload
from tests.hosts.container_host import Host
from tests.hosts.inventory import inventory
from tests.hosts.project import Project, hardhost
from tests.hosts.virtual_machine import VirtualMachine
from tests.sabotage import states

PROFILES = Path(__file__).parents[1] / "profiles"
KERNEL = "host_patching/kernel_current"
CLOSED = {"calendar": "*-02-29 03:00", "duration": "1min"}
# Under emulation a boot takes minutes.
NOW = {
    "host_patching_reboot_policy": "now",
    "host_patching_reboot_timeout": 1500,
    "hardhost_serial": 1,
}
# The archive keeps older kernels. The machine itself would take minutes to read its lists.
FETCH = """set -e
cp /root/sources/* /etc/apt/sources.list.d/ && mkdir -p /srv/kernel && cd /srv/kernel
apt-get update -q >&2
name=$(apt-cache search --names-only '^linux-image-6[.]1[.]0-[0-9]+-cloud-amd64$' | cut -d' ' -f1 |
    sort -V | awk -v running="linux-image-$1" '$0 == running { print last } { last = $0 }')
chmod a+w . && apt-get download -q "$name" >&2
cat ./*.deb
"""
# The menu without sub-menus: the newest is number 0, the one before it number 1.
START = """set -e
sed -i '/^GRUB_DEFAULT=/d' /etc/default/grub
{ echo "GRUB_DEFAULT=$1"; echo GRUB_DISABLE_SUBMENU=y; echo GRUB_DISABLE_RECOVERY=true; } \\
    >> /etc/default/grub
update-grub
"""
CONTAINERS = f"""set -e
docker rm -f web worker 2>/dev/null || true
docker run -d --name web --restart unless-stopped {workload.IMAGE} /bin/sleep 1000000
docker run -d --name worker {workload.IMAGE} /bin/sleep 1000000
"""
NOTES = """
- name: Note who is drained
  ansible.builtin.lineinfile:
    path: {log}
    line: "{what} {{{{ inventory_hostname }}}} {{{{ lookup('pipe', 'date +%s%N') }}}}"
    create: true
    mode: "0600"
  delegate_to: localhost
  become: false
  changed_when: false
"""


@pytest.fixture(scope="session")
def machine(nodes: list[Host]) -> VirtualMachine:
    """It runs the kernel before the newest one that it has."""
    found = nodes[0]
    assert isinstance(found, VirtualMachine)
    newest = release(found)
    if found.out("ls /boot/vmlinuz-*").split()[1:]:  # the case of hosts that were kept
        return found
    package = nodes[1].sh(f"set -- {newest}\n{FETCH}", timeout=300).stdout
    found.sh("cat > /root/kernel.deb && dpkg -i /root/kernel.deb", stdin=package, timeout=300)
    start(found, 1)
    found.reboot()
    assert release(found) != newest
    start(found, 0)
    return found


@pytest.fixture(scope="session")
def later(nodes: list[Host]) -> Host:
    return nodes[1]


@pytest.fixture(scope="session")
def project(machine: VirtualMachine, nodes: list[Host], memory: Path) -> Project:
    directory = memory / "project"
    done = hardhost("render", "kernels", "--profiles", str(PROFILES), "-o", str(directory))
    assert done.code == 0, done.text
    file = directory / "inventory.yml"
    file.write_text(inventory(nodes, ["kernels"]))
    made = Project(directory, file)
    log(memory).unlink(missing_ok=True)
    for what in ("drain", "undrain"):
        (memory / f"{what}.yml").write_text(NOTES.format(what=what, log=log(memory)))
        made.give(**{f"hardhost_{what}_tasks": str(memory / f"{what}.yml")})
    assert machine.name < nodes[1].name
    return made


def log(memory: Path) -> Path:
    return memory / "drained.log"


def release(machine: Host) -> str:
    return machine.out("uname -r").strip()


def boot(machine: Host) -> str:
    return machine.out("cat /proc/sys/kernel/random/boot_id").strip()


def start(machine: Host, number: int) -> None:
    """Have the boot loader start this entry of its menu."""
    machine.sh(f"set -- {number}\n{START}", timeout=120)


def decided(project: Project, machine: Host, **inputs: Any) -> dict[str, Any]:
    project.play("preflight", limit=machine.name, inputs=inputs).assert_unchanged(machine)
    return project.decision(machine.name, KERNEL)


def test_a_newer_kernel_is_said_and_waits(
    project: Project, machine: VirtualMachine, later: Host
) -> None:
    report = project.verify()
    assert report.statuses(later.name)[KERNEL] == "not_applicable"
    assert report.statuses(machine.name)[KERNEL] == "pending", report.text
    newest = machine.out("ls /boot/vmlinuz-* | sort -V | tail -1").strip().rpartition("vmlinuz-")[2]
    why = f"the kernel {release(machine)} runs, {newest} is installed"
    assert why in report.reasons(machine.name)[KERNEL]
    closed = decided(
        project, machine, host_patching_reboot_policy="window", host_patching_reboot_window=CLOSED
    )
    assert closed["decision"] == "pending"
    assert "the reboot window (*-02-29 03:00 for 1min) is closed" in closed["reason"]


def test_the_next_batch_waits_until_the_host_is_back_as_it_was(
    project: Project, machine: VirtualMachine, later: Host, memory: Path
) -> None:
    """One container has a restart policy, one has none: both run again."""
    before, old = boot(machine), release(machine)
    workload.make_image(machine)
    machine.sh(CONTAINERS, timeout=200)
    run = project.play(inputs=NOW, timeout=3000)
    machine.forget_connection()
    run.assert_converged(machine, later)
    assert boot(machine) != before
    assert release(machine) != old
    running = machine.out("docker ps --format '{{.Names}}'").split()
    assert sorted(running) == ["web", "worker"]
    assert [line.split()[:2] for line in log(memory).read_text().splitlines()] == [
        ["drain", machine.name],
        ["undrain", machine.name],
    ]
    back = run.text.index("Prove that the host is back as it was")
    assert run.text.rindex("PLAY [Apply what was decided]") > back
    assert json.loads(later.out("cat /etc/docker/daemon.json"))["live-restore"] is True


def test_the_newest_kernel_runs_and_nothing_is_left_to_do(
    project: Project, machine: VirtualMachine
) -> None:
    project.play(inputs=NOW, limit=machine.name, timeout=3000).assert_unchanged(machine)
    report = project.verify(limit=machine.name)
    assert report.statuses(machine.name)[KERNEL] == "pass", report.text


def test_a_host_that_comes_back_wrong_stops_the_rollout(
    project: Project, machine: VirtualMachine, later: Host
) -> None:
    """The boot loader does not know that kernel: the next host is left alone, nobody retries."""
    project.play("rollback", limit=later.name).assert_converged(later)
    state = later.out("cat /var/lib/hardhost/state.json")
    (state,) = states.load(KERNEL)
    machine.sh(state.script())
    report = project.verify(limit=machine.name)
    assert report.statuses(machine.name)[KERNEL] == state.expect, report.text
    before = boot(machine)
    run = project.play(inputs=NOW, timeout=3000)
    machine.forget_connection()
    run.assert_failed(machine, saying="99.0.0-1-cloud-amd64 is installed: see what the boot loader")
    assert boot(machine) != before
    assert later.out("cat /var/lib/hardhost/state.json") == state
    assert run.recap(later)["changed"] == 0
    found = decided(project, machine, **NOW)
    assert found["decision"] == "pending"
    assert "a reboot has not changed that" in found["reason"]
    machine.sh(state.mend_script() or "")
    assert decided(project, machine, **NOW)["decision"] == "apply"
