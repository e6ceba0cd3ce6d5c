"""AppArmor on a kernel of its own: from a boot without it to attacks, sabotage and back."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.hosts.attacks import attack, make_image, refused
from tests.hosts.container_host import Host
from tests.hosts.inventory import inventory
from tests.hosts.project import Project, hardhost
from tests.hosts.steps import LONG
from tests.hosts.virtual_machine import VirtualMachine
from tests.sabotage import states
from tests.sabotage.states import State

HERE = Path(__file__).parents[1]
ROLE = "mandatory_access"
ACTIVE = f"{ROLE}/apparmor_active"
DEFAULT = f"{ROLE}/apparmor_docker_default"
PROFILE = f"{ROLE}/apparmor_container_profile"
DAEMON = ("icc", "live_restore", "no_new_privileges", "userns_remap")
OURS = (ACTIVE, DEFAULT, PROFILE)
PASSES = dict.fromkeys([f"docker_daemon/{name}" for name in DAEMON] + [*OURS], "pass")
# The profile that scenario vm_selinux takes as well: the policy of Debian 12 knows no containers.
# On Debian 13 these controls would bring the host to SELinux.
SELINUX = {
    "docker_daemon/selinux_labels": "not_applicable",
    "docker_daemon/selinux_storage": "not_applicable",
    "docker_engine/engine_present": "pass",
    f"{ROLE}/selinux_container_policy": "not_applicable",
    f"{ROLE}/selinux_enforcing": "not_applicable",
}

# What the kernel refuses to a container that was granted everything, by profile. The kernels here
# do not mediate connections to sockets that lie in the file system, and the files that a writable
# mount of the host's / holds are written: docs/mandatory-access.md.
REFUSED = {
    "unconfined": set(),
    "docker-default": {"mount", "sysctl", "sysfs", "kernel_memory"},
    "hardhost-container": {
        *("raw_socket", "packet_socket", "af_alg", "mount", "ptrace", "sysctl", "sysfs"),
        *("kernel_log", "kernel_memory", "disk", "shadow", "host_key", "data_root"),
        *("host_sysctl", "host_sysfs", "host_devices", "host_cgroup", "host_terminal"),
        *("host_kernel_log", "host_kernel_memory", "host_disk"),
    },
}
# Writable: what is mounted below / stays so where engines before 25 are told `:ro`.
HOST_S_FILES = ("-v /:/host", "-v /sys:/sys")
ATTEMPTS = REFUSED["hardhost-container"] | {"ordinary", "docker_socket", "host_file"}
# Two states of different controls show themselves at once: a round of verify takes its time.
ROUNDS = (
    (
        "apparmor_active-service_disabled",
        "apparmor_docker_default-unloaded",
        "apparmor_container_profile-unloaded",
    ),
    (
        "apparmor_active-parser_removed",
        "apparmor_docker_default-container_unconfined",
    ),
    (
        "apparmor_active-a_profile_of_others_does_not_compile",
        "apparmor_container_profile-file_edited",
    ),
    ("apparmor_container_profile-disabled",),
    ("apparmor_docker_default-complain_mode", "apparmor_container_profile-complain_mode"),
    ("apparmor_active-the_whole_kernel_complains",),
    (
        "apparmor_active-daemon_started_without_the_parser",
        "apparmor_container_profile-another_text_in_the_kernel",
    ),
)
STATES = {
    f"{name}-{state.name}": state
    for name in ("apparmor_active", "apparmor_container_profile", "apparmor_docker_default")
    for state in states.load(f"{ROLE}/{name}")
}

# Parts of the records that there must be besides those which are shown.
DENIED_BESIDES = (
    *('family="inet"', 'family="packet"', 'family="alg"', 'name="/dev/vda"'),
    *('name="/host/dev/vda"', 'name="/host/proc/sys/kernel/core_pattern"'),
)
REBOOTS = 3
FILE = "/etc/apparmor.d/hardhost-container"
INCLUDED = "/etc/apparmor.d/tunables/global"
HELD = f"cat {FILE} /sys/kernel/security/apparmor/policy/profiles/hardhost-container.*/raw_sha*"

# The machine's package lists are those of its image; to fetch them takes minutes under emulation.
LISTS_OF_TODAY = "touch /var/lib/apt/periodic/update-success-stamp"
SECRET = "mkdir -p /var/lib/docker && echo secret > /var/lib/docker/secret"
TREE = (
    "find /etc /var/lib/hardhost /boot -xdev -type f -exec sha256sum {} + 2>/dev/null"
    " | sort -k2 | sha256sum; sort /sys/kernel/security/apparmor/profiles 2>/dev/null; true"
)


@pytest.fixture(scope="session")
def machine(nodes: list[Host]) -> VirtualMachine:
    assert isinstance(nodes[0], VirtualMachine)
    return nodes[0]


@pytest.fixture(scope="session")
def profile_name(machine: VirtualMachine) -> str:
    return "both" if machine.os == "debian12vm" else "vm"


@pytest.fixture(scope="session")
def in_force(profile_name: str) -> dict[str, str]:
    return PASSES | (SELINUX if profile_name == "both" else {})


@pytest.fixture(scope="session")
def hardened(nodes: list[Host], memory: Path, profile_name: str) -> Project:
    directory = memory / "project"
    words = ["render", profile_name, "--profiles", str(HERE / "profiles"), "-o", str(directory)]
    done = hardhost(*words)
    assert done.code == 0, done.text
    file = directory / "inventory.yml"
    file.write_text(inventory(nodes, ["vm"]))
    return Project(directory, file)


def loaded(machine: Host) -> dict[str, str]:
    text = machine.out("cat /sys/kernel/security/apparmor/profiles 2>/dev/null || true")
    rows = [line.rpartition(" (") for line in text.splitlines()]
    return {name: mode.rstrip(")") for name, _, mode in rows}


def ours(report: Any, machine: Host) -> dict[str, str]:
    return {
        control: status
        for control, status in report.statuses(machine.name).items()
        if control in OURS
    }


def test_1_a_kernel_that_was_booted_without_it(machine: VirtualMachine, hardened: Project) -> None:
    machine.sh(
        "sed -i 's/^GRUB_CMDLINE_LINUX=.*/GRUB_CMDLINE_LINUX=\"console=ttyS0 apparmor=0\"/'"
        " /etc/default/grub && update-grub"
        f" && {LISTS_OF_TODAY}"
    )
    machine.reboot()
    assert not loaded(machine)
    before = machine.out(TREE)
    report = hardened.verify()
    assert ours(report, machine) == dict.fromkeys(OURS, "fail"), report.text
    run = hardened.play("site", "--check", "--diff")
    run.assert_converged(machine)
    assert "hardhost-apparmor.cfg" in run.text
    assert machine.out(TREE) == before, "check mode has written something"


def test_2_it_is_prepared_and_pending(machine: VirtualMachine, hardened: Project) -> None:
    run = hardened.play()
    run.assert_converged(machine)
    assert "reboot the host" in " ".join(run.text.split())
    assert not loaded(machine)
    report = hardened.verify()
    assert ours(report, machine) == dict.fromkeys(OURS, "pending"), report.text
    assert "reboot" in report.reasons(machine.name)[ACTIVE]


def test_3_in_force_after_the_reboot(
    machine: VirtualMachine, hardened: Project, in_force: dict[str, str]
) -> None:
    machine.reboot()
    hardened.play().assert_unchanged(machine)
    found = loaded(machine)
    assert found["docker-default"] == found["hardhost-container"] == "enforce"
    report = hardened.verify(probe=True)
    assert report.statuses(machine.name) == in_force, report.text
    seen = {one["id"]: one["probe"] for one in report.results(machine.name) if one.get("probe")}
    print(seen[PROFILE]["reason"])  # shown with the result
    assert 'apparmor="DENIED"' in seen[PROFILE]["reason"]
    assert "refused a mount" in seen[DEFAULT]["reason"]


@pytest.mark.parametrize("profile", REFUSED)
def test_4_attacked(machine: VirtualMachine, profile: str) -> None:
    """The same container with every privilege, each time: what differs is the profile's doing."""
    if profile == "unconfined":
        make_image(machine)
        machine.sh(SECRET)
    since = machine.out("date '+%F %T'").strip()
    confined = f"--security-opt=apparmor={profile}"
    found = attack(machine, sorted(ATTEMPTS), (*HOST_S_FILES, confined))
    assert found.keys() == ATTEMPTS
    assert refused(found) == REFUSED[profile], found
    if profile == "hardhost-container":
        assert set(found.values()) == {0, 13}, found  # EACCES
        show_denials(machine, since)


def show_denials(machine: Host, since: str) -> None:
    """The kernel's own records of what it refused, one for each kind."""
    begun = time.monotonic()
    text = machine.out(
        f"journalctl --quiet --dmesg --output=cat --since='{since}';"
        " cat /var/log/audit/audit.log 2>/dev/null || true"
    )
    denied = [
        line
        for line in text.splitlines()
        if 'apparmor="DENIED"' in line and 'profile="hardhost-container"' in line
    ]
    for trace in ('operation="mount"', 'operation="ptrace"', 'name="/host/etc/shadow"'):
        records = [line for line in denied if trace in line]
        assert records, f"no record of {trace} in {denied[-20:]}"
        print(records[-1])
    for sought in DENIED_BESIDES:
        assert any(sought in line for line in denied), f"no record of {sought} in {denied[-20:]}"
    print(f"{len(denied)} denials, read in {time.monotonic() - begun:.0f} s")


def test_4_what_does_not_compile_replaces_nothing(
    machine: VirtualMachine, hardened: Project
) -> None:
    """The host's own text is another one, and the parser cannot make anything of ours."""
    machine.sh(
        f"cp -p {FILE} /root/ours && mv {INCLUDED} /root/included && echo '# other' >> {FILE}"
    )
    before = machine.out(HELD)
    hardened.play().assert_failed(machine, saying="tunables/global")
    assert machine.out(HELD) == before
    machine.sh(f"mv /root/included {INCLUDED} && mv /root/ours {FILE}")


@pytest.mark.parametrize(
    "names",
    [ROUNDS[0], *(pytest.param(names, marks=LONG) for names in ROUNDS[1:])],
    ids="+".join,
)
def test_5_sabotaged(
    machine: VirtualMachine, hardened: Project, in_force: dict[str, str], names: tuple[str, ...]
) -> None:
    version = machine.out("docker version -f '{{.Server.Version}}'")
    chosen: list[State] = [STATES[name] for name in names if STATES[name].fits(version)]
    for state in chosen:
        machine.sh(state.script())
        if state == STATES["apparmor_docker_default-unloaded"]:
            # aa-remove-unknown: what has a file stays.
            assert "docker-default" not in loaded(machine)
            assert loaded(machine)["hardhost-container"] == "enforce"
    report = hardened.verify()
    broken = {
        control: state.expect for control in PASSES for state in chosen if state.concerns(control)
    }
    wanted = in_force | broken
    assert report.statuses(machine.name) == wanted, report.text

    for script in filter(None, (state.mend_script() for state in chosen)):
        machine.sh(script)
    if "hardhost-container" not in loaded(machine):
        hardened.play("site", "--check").assert_converged(machine)
        assert "hardhost-container" not in loaded(machine), "compiled, and not loaded"
    hardened.play().assert_converged(machine)
    for script in filter(None, (state.cleanup_script() for state in chosen)):
        machine.sh(script)
    report = hardened.verify()
    assert report.statuses(machine.name) == in_force, report.text


@LONG
def test_5_a_profile_of_others_that_does_not_compile_stops_no_run(
    machine: VirtualMachine, hardened: Project, in_force: dict[str, str]
) -> None:
    """Its service is started once, in vain; then its control waits, and the others are in force."""
    theirs = STATES["apparmor_active-a_profile_of_others_does_not_compile"]
    machine.sh(f"{theirs.commands[0]}; systemctl stop apparmor.service")
    run = hardened.play()
    run.assert_converged(machine)
    assert "does not load all profiles" in " ".join(run.text.split())
    hardened.play().assert_unchanged(machine)
    report = hardened.verify()
    assert report.statuses(machine.name) == in_force | {ACTIVE: "pending"}, report.text
    machine.sh(theirs.mend_script() or "")


def test_every_state_is_in_a_round() -> None:
    assert sorted(name for names in ROUNDS for name in names) == sorted(STATES)


@LONG
@pytest.mark.parametrize("number", range(REBOOTS))
def test_6_still_there_after_more_reboots(
    machine: VirtualMachine, hardened: Project, in_force: dict[str, str], number: int
) -> None:
    """All rounds were mended, and nothing of it depends on what was only in memory."""
    machine.reboot()
    hardened.play().assert_unchanged(machine)
    report = hardened.verify()
    assert report.statuses(machine.name) == in_force, report.text


def test_7_rolled_back(machine: VirtualMachine, hardened: Project) -> None:
    """A profile under which a container runs stays, and is named, until it has ended."""
    machine.sh(
        "tar -C / -c bin/busybox | docker import - busy >/dev/null && docker run -d --name busy"
        " --security-opt apparmor=hardhost-container busy /bin/busybox sleep 1000000"
    )
    scope = {"hardhost_rollback_scope": "controls", "hardhost_rollback_controls": [PROFILE]}
    run = hardened.play("rollback", inputs=scope)
    run.assert_converged(machine)
    assert "stop their containers" in " ".join(run.text.split())
    assert loaded(machine)["hardhost-container"] == "enforce"
    machine.sh("docker rm -f busy && docker image prune --all --force")
    hardened.play("rollback").assert_converged(machine)
    assert "hardhost-container" not in loaded(machine)
    left = machine.out("ls /etc/apparmor.d /etc/default/grub.d").split()
    assert not {"hardhost-container", "hardhost-apparmor.cfg"} & set(left)
    assert "apparmor=1" not in machine.out("cat /boot/grub/grub.cfg")
