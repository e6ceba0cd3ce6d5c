"""Four hosts in batches, drained and undrained by the operator's tasks; one of them fails."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest

from tests.hosts import breakage, container_host
from tests.hosts.container_host import Host
from tests.hosts.project import Project, render
from tests.hosts.serving import Serving, serving
from tests.hosts.steps import LONG

pytestmark = LONG
MARKER = "no-new-privileges"
NAMES = ("rolling1", "rolling2", "rolling3", "rolling4")
# What a load balancer would be told, written down on the controller.
HOOK = """---
- name: {what}
  ansible.builtin.lineinfile:
    path: {log}
    line: "{what} {{{{ inventory_hostname }}}} {{{{ hardhost_run }}}}"
    create: true
    mode: "0600"
  delegate_to: localhost
  become: false
"""


@pytest.fixture(scope="module")
def row() -> Iterator[list[Host]]:
    try:
        yield [container_host.up(name, "debian12") for name in NAMES]
    finally:
        for name in NAMES:
            container_host.down(name)


@pytest.fixture(scope="module")
def served(row: list[Host]) -> Iterator[list[Serving]]:
    with ExitStack() as stack:
        yield [stack.enter_context(serving(host)) for host in row]


@pytest.fixture(scope="module")
def project(row: list[Host], memory: Path) -> Project:
    made = render("development", memory / "rolling", row)
    log = memory / "drained.log"
    log.unlink(missing_ok=True)
    for what in ("drain", "undrain"):
        (memory / f"{what}.yml").write_text(HOOK.format(what=what, log=log))
    made.give(
        hardhost_drain_tasks=str(memory / "drain.yml"),
        hardhost_undrain_tasks=str(memory / "undrain.yml"),
    )
    return made


def log_of(memory: Path) -> list[str]:
    """What was told, without the run: a line that is there already would not be added again."""
    lines = (memory / "drained.log").read_text().splitlines()
    return [" ".join(line.split()[:2]) for line in lines]


def test_outside_the_window_nobody_is_restarted(
    project: Project, row: list[Host], served: list[Serving], memory: Path
) -> None:
    """The file waits for its restart, the run says so, and nobody is drained for it."""
    window = {"calendar": "*-02-29 03:00", "duration": "1min"}
    inputs = {"docker_restart_policy": "window", "docker_restart_window": window}
    run = project.play(inputs=inputs, limit=NAMES[3])
    run.assert_converged(row[3])
    assert "the restart window" in " ".join(run.text.split())
    served[3].assert_daemon_untouched()
    assert not (memory / "drained.log").exists()
    project.play("rollback", inputs=inputs, limit=NAMES[3]).assert_converged(row[3])
    served[3].assert_old_file()


def test_the_second_of_four_fails(
    project: Project, row: list[Host], served: list[Serving], memory: Path
) -> None:
    breakage.cannot_start_containers(row[1], MARKER)
    with serving_again(row[1]) as second:
        run = project.play(inputs={"hardhost_serial": 1})
        assert run.code != 0
        run.assert_failed(row[1], saying="the old daemon.json is in force again")
        served[0].assert_unbroken()
        assert MARKER in row[0].out("cat /etc/docker/daemon.json")
        second.assert_unbroken()
        second.assert_old_file()
    for untouched in served[2:]:
        untouched.assert_daemon_untouched()
        untouched.assert_unbroken()
        untouched.assert_old_file()
        assert untouched.host.sh(
            "test -e /var/lib/hardhost/state.json", check=False
        ).returncode or (
            not json.loads(untouched.host.out("cat /var/lib/hardhost/state.json"))["changes"]
        )
    # The one that failed stays drained, for somebody to look at it.
    assert log_of(memory) == ["drain rolling1", "undrain rolling1", "drain rolling2"]


def serving_again(host: Host) -> AbstractContextManager[Serving]:
    """Its daemon was replaced by the fault: look at it anew."""
    host.sh("docker rm -f web worker")
    return serving(host)


def test_the_report_says_so(project: Project) -> None:
    report = project.verify()
    assert report.code == 1
    control = "docker_daemon/live_restore"
    assert report.statuses(NAMES[0])[control] == "pass"
    for name in NAMES[1:]:
        assert report.statuses(name)[control] == "fail", report.text


def test_mended_the_rest_follows(
    project: Project, row: list[Host], served: list[Serving], memory: Path
) -> None:
    breakage.mend(row[1])
    run = project.play(inputs={"hardhost_serial": 1})
    run.assert_converged(*row)
    assert run.recap(row[0])["changed"] == 0
    for one in (served[0], *served[2:]):
        one.assert_unbroken()
    assert log_of(memory)[3:] == [
        f"{what} {name}" for name in NAMES[1:] for what in ("drain", "undrain")
    ]
    assert project.verify().failed() == []


def test_the_batch_of_a_failure_comes_to_its_end(
    project: Project, row: list[Host], served: list[Serving], memory: Path
) -> None:
    """One of two fails between two roles: the other is converged, the next two are untouched."""
    project.play("rollback").assert_converged(*row)
    told, before = len(log_of(memory)), {host.name: daemon_of(host) for host in row[2:]}
    row[0].sh("mount --bind /etc/docker /etc/docker; mount -o remount,bind,ro /etc/docker")
    run = project.play(inputs={"hardhost_serial": 2})
    run.assert_failed(row[0], saying="Read-only file system")
    assert run.text.count("fatal: [") == 1, run.text
    served[0].assert_old_file()
    assert [run.recap(host)["failed"] for host in row[1:]] == [0, 0, 0]
    report = project.verify(limit=NAMES[1])
    assert (report.code, report.statuses(NAMES[1])["docker_daemon/live_restore"]) == (0, "pass")
    for host, one in zip(row[2:], served[2:], strict=True):
        assert run.recap(host)["changed"] == 0
        assert daemon_of(host) == before[host.name]
        one.assert_old_file()
        assert not json.loads(host.out("cat /var/lib/hardhost/state.json"))["changes"]
    assert log_of(memory)[told:] == ["drain rolling1", "drain rolling2", "undrain rolling2"]
    row[0].sh("umount /etc/docker")
    project.play(inputs={"hardhost_serial": 2}).assert_converged(*row)
    assert project.verify().failed() == []


def daemon_of(host: Host) -> str:
    return host.out("systemctl show -p MainPID --value docker")
