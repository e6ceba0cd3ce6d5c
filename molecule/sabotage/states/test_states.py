"""Every state takes exactly its control out of force, and a converge brings it back."""

from __future__ import annotations

import pytest

from tests.hosts.container_host import Host
from tests.hosts.project import Project
from tests.hosts.steps import LONG
from tests.sabotage import states
from tests.sabotage.states import State

# The daemon, its files and its engine; other roles bring a scenario of their own.
ROLES = ("docker_daemon", "docker_engine", "docker_files")
# Certificates: `access`. SELinux: `vm_selinux`. A repository, or another profile: `patching`.
ELSEWHERE = (
    "docker_daemon/selinux_labels",
    "docker_daemon/selinux_storage",
    "docker_daemon/tls_mutual",
    "docker_engine/data_root_partition",
    "docker_engine/engine_fixed",
    "docker_engine/engine_running_updated",
    "docker_engine/engine_updated",
    "docker_engine/storage_driver_supported",
)
CONTROLS = [
    control
    for control in states.controls()
    if control.startswith(ROLES) and control not in ELSEWHERE
]
# Manual until somebody says where to; another test does, and log_rotation goes meanwhile.
LOGS, FILES = "docker_daemon/log_destination", "docker_daemon/log_rotation"
# The short form takes the first of each control.
STATES = [
    pytest.param(state, id=f"{control}-{state.name}", marks=LONG if number else ())
    for control in CONTROLS
    if control != LOGS
    for number, state in enumerate(states.load(control))
]

Statuses = dict[str, dict[str, str]]


@pytest.fixture(scope="session")
def hardened(project: Project, nodes: list[Host]) -> Statuses:
    """The statuses of each hardened host before anything is done to it."""
    report = project.verify(probe=True)
    assert report.code == 0, report.text
    return {node.name: report.statuses(node.name) for node in nodes}


def test_every_control_of_these_roles_is_sabotaged(project: Project) -> None:
    planned = {control for control in project.controls() if control.startswith(ROLES)}
    assert sorted(planned.difference(ELSEWHERE)) == CONTROLS


def test_the_host_is_hardened(hardened: Statuses) -> None:
    for statuses in hardened.values():
        ours = {statuses[control] for control in CONTROLS if control != LOGS}
        assert ours <= {"pass", "not_applicable"}
        assert statuses[LOGS] == "manual"


@pytest.mark.parametrize("state", STATES)
def test_state(state: State, project: Project, nodes: list[Host], hardened: Statuses) -> None:
    concerned = [node for node in nodes if state.fits(engine_version(node))]
    if not concerned:
        pytest.skip(f"not run: needs an engine {state.engine}, which no host here has")
    for node in concerned:
        node.sh(state.script())
    assert_broken(state, project, concerned, hardened)

    run_on(concerned, state.mend_script())
    project.play().assert_converged(*nodes)
    if state.cleanup_script():
        assert_mended(state, project, concerned)
        run_on(concerned, state.cleanup_script())
        project.play().assert_converged(*nodes)
    assert_as_before(state, project, nodes, hardened)


def test_logs_that_go_elsewhere(project: Project, nodes: list[Host], hardened: Statuses) -> None:
    """A driver takes the place of files and their limits, and gives it back."""
    project.give(docker_daemon_log_driver="journald")
    project.play().assert_converged(*nodes)
    project.play().assert_unchanged(*nodes)
    report = project.verify(probe=True)
    elsewhere = {
        node.name: hardened[node.name] | {LOGS: "pass", FILES: "not_applicable"} for node in nodes
    }
    assert {node.name: report.statuses(node.name) for node in nodes} == elsewhere, report.text
    for state in states.load(LOGS):
        run_on(nodes, state.script())
        assert_broken(state, project, nodes, elsewhere)
        project.play().assert_converged(*nodes)
        assert_as_before(state, project, nodes, elsewhere)
    project.give(docker_daemon_log_driver="")
    project.play().assert_converged(*nodes)
    project.play().assert_converged(*nodes)
    report = project.verify(probe=True)
    assert {node.name: report.statuses(node.name) for node in nodes} == hardened, report.text


def engine_version(node: Host) -> str:
    return node.out("docker version -f '{{.Server.Version}}'").strip()


def run_on(nodes: list[Host], script: str | None) -> None:
    for node in nodes if script else []:
        node.sh(script or "")


def assert_broken(
    state: State, project: Project, concerned: list[Host], hardened: Statuses
) -> None:
    """The state's controls have the status it expects, and every other has the one it had."""
    report = project.verify(probe=state.probe)
    for node in concerned:
        wanted = {
            control: state.status(control, status)
            for control, status in hardened[node.name].items()
        }
        assert report.statuses(node.name) == wanted, f"{state.why}\n{report.text}"
    assert report.code == 1, report.text


def assert_mended(state: State, project: Project, concerned: list[Host]) -> None:
    """What the state brought along is still there, and in order."""
    report = project.verify(probe=state.probe)
    for node in concerned:
        statuses = report.statuses(node.name)
        mended = {statuses[control] for control in statuses if state.concerns(control)}
        assert mended == {"pass"}, report.text


def assert_as_before(state: State, project: Project, nodes: list[Host], hardened: Statuses) -> None:
    report = project.verify(probe=state.probe)
    for node in nodes:
        assert report.statuses(node.name) == hardened[node.name], report.text
