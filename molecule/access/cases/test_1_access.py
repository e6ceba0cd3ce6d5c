"""Group and sockets: what is there is found, changed without a restart, and comes back."""

from __future__ import annotations

import re
from itertools import zip_longest

import pytest

from tests.hosts.container_host import Host
from tests.hosts.observation import differences, observe
from tests.hosts.project import Project
from tests.sabotage import states
from tests.sabotage.states import State

CONTROLS = [control for control in states.controls() if control.startswith("docker_access/")]
# One state of each control at a time: none of them has to do with another control.
ROUNDS = list(zip_longest(*(states.load(control) for control in CONTROLS)))
# What the state says, that dockerd was restarted, and what tools keep of accounts' files before.
KEPT = re.compile(r"state\.|process|etc\./etc/\w+-$")
DROP_IN = "/etc/systemd/system/docker.socket.d/zz-hardhost-access.conf"


def group(node: Host) -> list[str]:
    return sorted(node.out("getent group docker").strip().rpartition(":")[2].split(","))


def process(node: Host) -> str:
    return node.out("systemctl show -p MainPID --value docker")


@pytest.fixture(scope="module")
def before(nodes: list[Host], project: Project) -> dict[str, dict]:
    """Sockets that somebody opened to all, now and for the next start."""
    for node in nodes:
        node.sh(
            "mkdir -p /etc/systemd/system/docker.socket.d && printf '[Socket]\\nSocketMode=0666\\n'"
            " > /etc/systemd/system/docker.socket.d/override.conf && systemctl daemon-reload"
            " && chmod 666 /run/docker.sock && chgrp docker /run/containerd/containerd.sock"
        )
    return {node.name: observe(node) for node in nodes}


def test_looking_changes_nothing(before: dict, project: Project, nodes: list[Host]) -> None:
    run = project.play("site", "--check", "--diff")
    run.assert_converged(*nodes)
    assert "-leaver" in run.text
    assert "+SocketMode=0660" in run.text
    for node in nodes:
        assert differences(before[node.name], observe(node)) == {}
    report = project.verify()
    for node in nodes:
        found = report.statuses(node.name)
        assert [found[control] for control in CONTROLS] == ["fail"] * 3, report.text
        assert "listed" not in report.reasons(node.name)["docker_access/docker_group_members"]


def test_a_user_that_is_not_there_holds_it_back(project: Project, nodes: list[Host]) -> None:
    project.give(docker_access_members=["deploy", "nobody-knows"])
    project.play("preflight").assert_converged(*nodes)
    project.give(docker_access_members=["deploy"])
    for node in nodes:
        found = project.decision(node.name, "docker_access/docker_group_members")
        assert found["decision"] == "pending"
        assert "nobody-knows" in found["reason"]


def test_a_converge_is_in_force_at_once(before: dict, project: Project, nodes: list[Host]) -> None:
    old = [process(node) for node in nodes]
    project.play("site", inputs={"docker_restart_policy": "never"}).assert_converged(*nodes)
    assert old == [process(node) for node in nodes], "dockerd was restarted"
    project.play().assert_converged(*nodes)  # live_restore, by a reload
    project.play().assert_unchanged(*nodes)
    report = project.verify(probe=True)
    for node in nodes:
        assert report.code == 0, report.text
        assert group(node) == ["deploy"]
        assert node.out("stat -c %a:%G /run/docker.sock").split() == ["660:docker"]
        # An outsider is refused, a member is not.
        outsider, member = (
            node.sh(f"setpriv --reuid {user} --regid {user} --init-groups docker ps", check=False)
            for user in ("leaver", "deploy")
        )
        assert b"ermission denied" in outsider.stderr
        assert member.returncode == 0, member.stderr
    for node in nodes:  # and the next socket is like this one
        node.sh(
            "systemctl reset-failed docker.service docker.socket"
            " && systemctl restart docker.socket docker.service"
        )
        assert node.out("stat -c %a:%G /run/docker.sock").split() == ["660:docker"]


@pytest.fixture(scope="module")
def hardened(project: Project, nodes: list[Host]) -> dict[str, dict[str, str]]:
    report = project.verify()
    assert report.code == 0, report.text
    return {node.name: report.statuses(node.name) for node in nodes}


@pytest.mark.parametrize("number", range(len(ROUNDS)))
def test_states(number: int, project: Project, nodes: list[Host], hardened: dict) -> None:
    made: list[State] = [state for state in ROUNDS[number] if state]
    for node in nodes:
        for state in made:
            node.sh(state.script())
    report = project.verify()
    for node in nodes:
        wanted = {**hardened[node.name], **{state.control: state.expect for state in made}}
        assert report.statuses(node.name) == wanted, report.text
    run_on(nodes, [state.mend_script() for state in made])
    project.play().assert_converged(*nodes)
    report = project.verify()
    for node in nodes:
        assert report.statuses(node.name) == hardened[node.name], report.text
    run_on(nodes, [state.cleanup_script() for state in made])


def run_on(nodes: list[Host], scripts: list[str | None]) -> None:
    for node in nodes:
        for script in filter(None, scripts):
            node.sh(script)


def test_a_rollback_brings_everything_back(
    before: dict, project: Project, nodes: list[Host], hardened: dict
) -> None:
    report = project.verify()
    assert report.code == 0, report.text
    for node in nodes:
        node.sh(  # what the states have left and taken away
            "userdel passer; printf '[Socket]\\nSocketMode=0666\\n'"
            " > /etc/systemd/system/docker.socket.d/override.conf"
        )
    project.play("rollback").assert_converged(*nodes)
    for node in nodes:
        assert group(node) == ["leaver"]
        changed = differences(before[node.name], observe(node))
        assert {name: what for name, what in changed.items() if not KEPT.match(name)} == {}
        modes = node.out("stat -c %a:%G /run/docker.sock /run/containerd/containerd.sock")
        assert modes.split() == ["666:docker", "660:docker"]
    project.play("rollback").assert_unchanged(*nodes)
