"""A kernel that waits for its reboot: held back, booted into, or not started by the boot loader."""

from __future__ import annotations

import json
from pathlib import Path

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
OPEN = {"calendar": "*-*-* 00:00", "duration": "1d"}
NOW = {"host_patching_reboot_policy": "now"}
ONE_BY_ONE = {"hardhost_serial": 1}
# Under emulation a boot takes minutes.
PATIENT = {"host_patching_reboot_timeout": 1500, "docker_restart_timeout": 600}
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
# What follows a reboot, without one: "other" is no boot's id.
RETURNED = """
- hosts: kernels
  gather_facts: false
  become: true
  pre_tasks:
    - name: Prove that the host is back as it was
      host_health:
        before: {before}
        controller: "{{{{ now().timestamp() }}}}"
        seconds: 5
  roles:
    # Ansible finds a role's modules where a play names the role.
    - {{role: host_patching, when: false}}
    - {{role: preflight, when: false}}
    - {{role: docker_restart, when: false}}
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
    """It has an older kernel too, and its boot loader is told to start that one from now on."""
    found = nodes[0]
    assert isinstance(found, VirtualMachine)
    if not found.out("ls /boot/vmlinuz-*").split()[1:]:  # else the hosts were kept
        package = nodes[1].sh(f"set -- {release(found)}\n{FETCH}", timeout=300).stdout
        found.sh("cat > /root/kernel.deb && dpkg -i /root/kernel.deb", stdin=package, timeout=300)
        start(found, 1)
        workload.make_image(found)
        found.sh(CONTAINERS, timeout=200)
    return found


@pytest.fixture(scope="session")
def later(nodes: list[Host]) -> Host:
    """The next batch. It is a container, and has no kernel of its own."""
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
    made.give(**PATIENT)
    assert machine.name < nodes[1].name
    return made


def log(memory: Path) -> Path:
    return memory / "drained.log"


def drained(memory: Path, machine: Host) -> list[str]:
    """What was noted of a host, in order."""
    noted = [line.split() for line in log(memory).read_text().splitlines()]
    return [what for what, name, _time in noted if name == machine.name]


def release(machine: Host) -> str:
    return machine.out("uname -r").strip()


def boot(machine: Host) -> str:
    return machine.out("cat /proc/sys/kernel/random/boot_id").strip()


def start(machine: Host, number: int) -> None:
    """Have the boot loader start this entry of its menu."""
    machine.sh(f"set -- {number}\n{START}", timeout=120)


def untouched(host: Host) -> bool:
    found = host.out("ls -d /var/lib/hardhost/state.json /etc/docker/daemon.json 2>/dev/null || :")
    return found == ""


def test_a_newer_kernel_is_said_and_waits(
    project: Project, machine: VirtualMachine, later: Host
) -> None:
    (state,) = states.load(KERNEL)
    machine.sh(state.script())
    report = project.verify()
    assert report.statuses(later.name)[KERNEL] == "not_applicable"
    assert report.statuses(machine.name)[KERNEL] == state.expect, report.text
    why = f"the kernel {release(machine)} runs, 99.0.0-1-cloud-amd64 is installed"
    assert why in report.reasons(machine.name)[KERNEL]
    project.give(host_patching_reboot_policy="window", host_patching_reboot_window=CLOSED)
    project.play("preflight", limit=machine.name).assert_unchanged(machine)
    found = project.decision(machine.name, KERNEL)
    assert found["decision"] == "pending"
    assert "the reboot window (*-02-29 03:00 for 1min) is closed" in found["reason"]


def test_no_reboot_into_what_dockerd_has_not_been_tried_with(
    project: Project, machine: VirtualMachine
) -> None:
    before = boot(machine)
    project.give(**NOW, docker_restart_policy="never")
    run = project.play(limit=machine.name, timeout=3000)
    run.assert_converged(machine)
    assert "; the reboot waits for a restart of dockerd" in " ".join(run.text.split())
    assert boot(machine) == before
    project.give(host_patching_reboot_policy="window", docker_restart_policy="when_needed")


def test_a_host_that_comes_back_wrong_stops_the_rollout(
    project: Project, machine: VirtualMachine, later: Host, memory: Path
) -> None:
    """The boot loader starts an older kernel yet: the next host is left alone."""
    before, newest = boot(machine), release(machine)
    project.give(host_patching_reboot_window=OPEN)
    run = project.play(inputs=ONE_BY_ONE, timeout=3000)
    machine.forget_connection()
    run.assert_failed(machine, saying="99.0.0-1-cloud-amd64 is installed: see what the boot loader")
    assert boot(machine) != before
    assert release(machine) != newest
    assert drained(memory, machine)[-1] == "drain", "it stays drained"
    assert untouched(later)


def test_it_is_not_rebooted_again_and_fails(
    project: Project, machine: VirtualMachine, memory: Path
) -> None:
    before, noted = boot(machine), drained(memory, machine)
    project.give(**NOW)
    run = project.play(limit=machine.name, timeout=3000)
    run.assert_unchanged(machine)
    assert "a reboot for it has not changed that" in run.text
    assert boot(machine) == before
    assert drained(memory, machine) == noted
    report = project.verify(limit=machine.name)
    assert report.statuses(machine.name)[KERNEL] == "fail", report.text
    assert "which kernel the boot loader starts" in report.reasons(machine.name)[KERNEL]


def test_the_next_batch_waits_until_the_host_is_back_as_it_was(
    project: Project, machine: VirtualMachine, later: Host, memory: Path
) -> None:
    """One container has a restart policy, one has none: both run again."""
    (state,) = states.load(KERNEL)
    machine.sh(state.mend_script() or "")
    start(machine, 0)
    machine.sh("docker start worker", timeout=200)
    before, old, noted = boot(machine), release(machine), len(drained(memory, machine))
    assert untouched(later)
    run = project.play(inputs=ONE_BY_ONE, timeout=3000)
    machine.forget_connection()
    run.assert_converged(machine, later)
    assert boot(machine) != before
    assert release(machine) != old
    running = machine.out("docker ps --format '{{.Names}}'").split()
    assert sorted(running) == ["web", "worker"]
    assert drained(memory, machine)[noted:] == ["drain", "undrain"]
    back = run.text.index("Prove that the host is back as it was")
    assert run.text.rindex("PLAY [Apply what was decided]") > back
    assert json.loads(later.out("cat /etc/docker/daemon.json"))["live-restore"] is True


def test_the_newest_kernel_runs_and_nothing_is_left_to_do(
    project: Project, machine: VirtualMachine
) -> None:
    project.play(limit=machine.name, timeout=3000).assert_unchanged(machine)
    report = project.verify(limit=machine.name)
    assert report.statuses(machine.name)[KERNEL] == "pass", report.text


@pytest.mark.parametrize(
    ("command", "container", "saying"),
    [
        ("true", "gone", "after the reboot: container gone does not start again"),
        ("systemctl stop docker.socket docker", "", "the Docker API does not answer 5 seconds"),
    ],
    ids=["a container is gone", "docker does not answer"],
)
def test_what_else_is_wrong_after_a_reboot(
    command: str, container: str, saying: str, project: Project, later: Host
) -> None:
    one = {"id": container, "name": container, "swarm": False, "auto_remove": False}
    before = {"boot": "other", "offset": 0, "containers": [one] if container else []}
    (project.directory / "returned.yml").write_text(RETURNED.format(before=json.dumps(before)))
    later.sh(command)
    project.play("returned", limit=later.name).assert_failed(later, saying=saying)
