"""Parameters and modules in a kernel of its own: few, big steps, for commands are slow there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.hosts.inventory import inventory
from tests.hosts.project import Project, hardhost
from tests.hosts.virtual_machine import VirtualMachine
from tests.sabotage import states
from tests.sabotage.states import State

PROFILES = Path(__file__).parents[1] / "profiles"
ROLE = "kernel/"
ROUNDS = 3  # as many as the control with the most states has
# A host whose modules of the kernel's cryptography were loaded before they were refused.
LOADED = "modprobe af_alg && modprobe algif_hash"
ATTEMPTS = """
python3 - %s <<'END'
import errno, json, socket, subprocess, sys
found = {}
for name, family, kind in (("af_alg", 38, 5), ("rds", 21, 5), ("tipc", 30, 5), ("tcp", 2, 1)):
    try:
        socket.socket(family, kind).close()
        found[name] = "opened"
    except OSError as error:
        found[name] = errno.errorcode[error.errno]
for name in sys.argv[1:]:
    found[name] = subprocess.run(["modprobe", name], stderr=subprocess.DEVNULL).returncode
print(json.dumps(found))
END
"""
# sctp cannot be unloaded again: it is tried only where it is refused.
TRIED = ("udf", "dummy", "rds", "tipc")
# The kernel takes these back at its next boot alone.
ONE_WAY = {"kernel.kexec_load_disabled", "kernel.unprivileged_bpf_disabled"}
REFUSED = {"af_alg": "EAFNOSUPPORT", "rds": "EAFNOSUPPORT", "tipc": "EAFNOSUPPORT"}


@pytest.fixture(scope="module")
def machine(nodes: list[VirtualMachine]) -> VirtualMachine:
    assert isinstance(nodes[0], VirtualMachine)
    return nodes[0]


@pytest.fixture(scope="module")
def project(machine: VirtualMachine, memory: Path) -> Project:
    directory = memory / "project"
    done = hardhost("render", "kernel", "--profiles", str(PROFILES), "-o", str(directory))
    assert done.code == 0, done.text
    file = directory / "inventory.yml"
    file.write_text(inventory([machine], ["kernel"]))
    return Project(directory, file)


@pytest.fixture(scope="module")
def unknown(machine: VirtualMachine) -> set[str]:
    """Controls whose parameter this kernel is too old for."""
    known = machine.out("ls /proc/sys/kernel").split()
    return set() if "io_uring_disabled" in known else {f"{ROLE}io_uring"}


def statuses(project: Project, machine: VirtualMachine, *, probe: bool = False) -> dict[str, str]:
    found = project.verify(probe=probe).statuses(machine.name)
    return {name: status for name, status in found.items() if name.startswith(ROLE)}


def in_force(project: Project, unknown: set[str]) -> dict[str, str]:
    wanted = {name: "pass" for name in project.controls() if name.startswith(ROLE)}
    return wanted | dict.fromkeys(unknown, "not_applicable")


def live(project: Project, machine: VirtualMachine) -> dict[str, str]:
    """The live values of every parameter that a control of the plan sets."""
    plan = json.loads((project.directory / "plan.json").read_text())
    settings = [one["settings"] for one in plan["controls"]]
    keys = sorted({key for one in settings for key in one.get("kernel_sysctls", {})})
    lines = machine.out(f"sysctl --ignore {' '.join(keys)} 2>/dev/null || true").splitlines()
    assert len(lines) > 20
    return dict(line.split(" = ", 1) for line in lines)


def attempts(machine: VirtualMachine, modules: str = "udf dummy") -> dict[str, str | int]:
    found: dict[str, str | int] = json.loads(machine.out(ATTEMPTS % modules))
    return found


def test_1_check_mode_leaves_the_stock_host_as_it_is(
    project: Project, machine: VirtualMachine, memory: Path
) -> None:
    values = live(project, machine)
    (memory / "values.json").write_text(json.dumps(values))
    machine.sh(LOADED)
    found = attempts(machine)
    assert (found["af_alg"], found["udf"]) == ("opened", 0), "what is to be refused is possible"
    machine.sh(f"for name in {' '.join(TRIED)}; do modprobe -r $name; done")
    run = project.play("site", "--check", "--diff")
    run.assert_converged(machine)
    assert "install sctp /bin/false" in run.text
    assert live(project, machine) == values
    assert "zz-hardhost" not in machine.out("ls /etc/sysctl.d /etc/modprobe.d /etc/modules-load.d")


def test_2_converged_and_nothing_left_to_do(
    project: Project, machine: VirtualMachine, memory: Path, unknown: set[str]
) -> None:
    project.play().assert_converged(machine)
    (memory / "hardened.json").write_text(json.dumps(live(project, machine)))
    project.play().assert_unchanged(machine)
    # What was loaded before stays until it is unloaded, and that is said.
    loaded = {f"{ROLE}af_alg_blocked": "pending"}
    assert statuses(project, machine) == in_force(project, unknown) | loaded
    machine.sh("modprobe -r algif_hash af_alg")


def test_3_what_is_refused_is_refused_in_fact(
    project: Project, machine: VirtualMachine, unknown: set[str]
) -> None:
    assert statuses(project, machine, probe=True) == in_force(project, unknown)
    found = attempts(machine, "sctp udf dummy")
    assert {name: found[name] for name in REFUSED} == REFUSED, found
    assert found["sctp"] == found["udf"] == 1
    assert (found["tcp"], found["dummy"]) == ("opened", 0), "the others are not"


def rounds(unknown: set[str]) -> list[list[State]]:
    """The first states of all controls, the second ones and so on: none disturbs another."""
    all_states = [
        states.load(control)
        for control in states.controls()
        if control.startswith(ROLE) and control not in unknown
    ]
    most = max(len(found) for found in all_states)
    return [[found[at] for found in all_states if len(found) > at] for at in range(most)]


@pytest.mark.parametrize("number", range(ROUNDS))
def test_4_each_sabotage_is_found_by_its_control(
    project: Project, machine: VirtualMachine, unknown: set[str], number: int
) -> None:
    chosen = rounds(unknown)[number]
    assert len(chosen) > (12 if number < 2 else 0), "nearly every control has two states"
    machine.sh("\n".join(f"(\n{state.script()}\n)" for state in chosen))
    broken = {state.control: state.expect for state in chosen}
    assert statuses(project, machine) == in_force(project, unknown) | broken
    mends = [script for state in chosen if (script := state.mend_script())]
    machine.sh("\n".join(f"(\n{script}\n)" for script in mends))
    project.play().assert_converged(machine)
    assert statuses(project, machine) == in_force(project, unknown)


def test_every_state_is_in_a_round() -> None:
    assert len(rounds(set())) == ROUNDS


def test_5_the_same_after_a_boot(
    project: Project, machine: VirtualMachine, unknown: set[str]
) -> None:
    machine.reboot()
    project.play().assert_unchanged(machine)
    assert statuses(project, machine, probe=True) == in_force(project, unknown)


def test_6_taken_back(project: Project, machine: VirtualMachine, memory: Path) -> None:
    run = project.play("rollback")
    run.assert_converged(machine)
    before, hardened = (
        json.loads((memory / f"{name}.json").read_text()) for name in ("values", "hardened")
    )
    now = live(project, machine)
    # What was in order from the start is given back as its sabotage had left it.
    changed = {key for key, value in before.items() if hardened[key] != value}
    assert {key for key in changed if now[key] != before[key]} == ONE_WAY
    assert all(key in run.text for key in ONE_WAY), run.text
    machine.reboot()
    assert live(project, machine) == before
    found = attempts(machine)
    assert (found["af_alg"], found["udf"]) == ("opened", 0)
    assert "zz-hardhost" not in machine.out("ls /etc/sysctl.d /etc/modprobe.d /etc/modules-load.d")
