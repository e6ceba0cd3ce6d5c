"""Every state takes exactly its control out of force, and a converge brings it back."""

from __future__ import annotations

import pytest

from tests.hosts.package_lab import Lab
from tests.hosts.project import Project
from tests.hosts.steps import LONG
from tests.sabotage import states
from tests.sabotage.states import State

pytestmark = LONG
# A container has no kernel of its own: a virtual machine's case. engine_fixed is red before, too: below.
ELSEWHERE = (
    "docker_engine/engine_present",
    "docker_engine/engine_fixed",
    "host_patching/kernel_current",
)
CONTROLS = [
    control
    for control in states.controls()
    if control.startswith(("docker_engine", "host_patching")) and control not in ELSEWHERE
]
# What these states show besides: docker and containerd run replaced files; lists are older than a source.
OLD = {"docker_engine/engine_updated": "pending", "host_patching/security_updates": "pending"}
BESIDES = {
    "replaced": {"host_patching/security_updates": "pending"},
    "containerd_replaced": {"host_patching/security_updates": "pending"},
    "trusted_source": OLD,
    "trusted_stanza": OLD,
}
STATES = [state for control in CONTROLS for state in states.load(control)]

Statuses = dict[str, str]


@pytest.fixture(scope="module")
def sabotaged(labs: list[Lab]) -> Lab:
    """One host is enough: what differs between the systems is in the other files."""
    lab = labs[-1]
    lab.host.sh("docker rm -f web worker; apt-mark unhold kept", check=False)
    return lab


@pytest.fixture(scope="module")
def settled(sabotaged: Lab, project: Project) -> Statuses:
    """The statuses of the host in order; its engine is the newest that is offered."""
    engine = sabotaged.version("docker.io")
    sabotaged.repository("repack", "docker.io", engine)
    sabotaged.publish([], [f"docker.io_{engine.rpartition(':')[2]}_"])
    sabotaged.sources()
    project.play(limit=sabotaged.host.name).assert_converged(sabotaged.host)
    return project.verify(limit=sabotaged.host.name).statuses(sabotaged.host.name)


def test_every_control_of_these_roles_is_sabotaged(settled: Statuses) -> None:
    ours = {name for name in settled if name.startswith(("docker_engine", "host_patching"))}
    assert sorted(ours.difference(ELSEWHERE)) == CONTROLS
    assert {settled[control] for control in CONTROLS} == {"pass"}, settled


@pytest.mark.parametrize("state", STATES, ids=lambda state: f"{state.control}-{state.name}")
def test_state(state: State, project: Project, sabotaged: Lab, settled: Statuses) -> None:
    host = sabotaged.host
    host.sh(state.script(), timeout=300)
    report = project.verify(limit=host.name)
    wanted = {
        control: state.expect if state.concerns(control) else status
        for control, status in settled.items()
    }
    wanted |= BESIDES.get(state.name, {})
    assert report.statuses(host.name) == wanted, f"{state.why}\n{report.text}"
    if state.mend_script():
        host.sh(state.mend_script() or "", timeout=300)
    project.play(limit=host.name).assert_converged(host)


def test_the_host_is_in_order_again(project: Project, sabotaged: Lab, settled: Statuses) -> None:
    report = project.verify(limit=sabotaged.host.name)
    assert report.statuses(sabotaged.host.name) == settled, report.text


def test_what_is_open_is_named(project: Project, lab: Lab) -> None:
    """Red with every update installed, for the distribution has no fix; an older runc has more holes.

    Debian 12 has its old runc mended for CVE-2024-21626: by its version alone it would be among them.
    """
    host, control = lab.host, "docker_engine/engine_fixed"
    report = project.verify(limit=host.name)
    assert report.statuses(host.name)[control] == "fail"
    assert "CVE-2025-31133" in report.reasons(host.name)[control]
    assert "CVE-2024-21626" not in report.reasons(host.name)[control]
    (state,) = states.load(control)
    host.sh(state.script())
    reason = project.verify(limit=host.name).reasons(host.name)[control]
    assert "runc 1.0.0: CVE-2024-21626" in reason
    host.sh(state.mend_script() or "")
