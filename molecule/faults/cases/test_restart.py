"""A restart that goes wrong: the old file comes back, nobody felt it, the next run converges."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import pytest

from tests.hosts import breakage
from tests.hosts.container_host import Host
from tests.hosts.observation import observe
from tests.hosts.project import Project, Run
from tests.hosts.serving import Serving, serving, wait_settled

# An engine without `dockerd --validate`: more is found by the restart alone.
SHORT_FORM_ON = "faults12"
# In every new file of this profile, and in no file that was there before.
MARKER = "no-new-privileges"
JOB_SECONDS = 60


def assert_returned(run: Run, served: Serving, saying: str) -> None:
    """The run failed in the restart, and not before it; the file is as it was, byte for byte."""
    run.assert_failed(served.host, saying=saying)
    run.assert_failed(served.host, saying="the old daemon.json is in force again")
    assert observe(served.host)["process"] != served.before["process"], run.text
    served.assert_unbroken()
    served.assert_old_file()


def assert_converges(project: Project, served: Serving) -> None:
    project.play().assert_converged(served.host)
    served.assert_unbroken()
    assert MARKER in served.host.out("cat /etc/docker/daemon.json")
    served.assert_old_or_in_force()


@pytest.mark.parametrize(
    ("break_engine", "said"),
    [
        pytest.param(breakage.exits_at_start, "dockerd did not start: docker.service", id="exits"),
        pytest.param(
            breakage.hangs_at_start, "dockerd did not answer within 30 seconds", id="hangs"
        ),
        pytest.param(
            breakage.cannot_start_containers, "no container can be started: ", id="no_containers"
        ),
    ],
)
def test_daemon_that(
    break_engine: Callable[[Host, str], None], said: str, fresh: Host, project: Project
) -> None:
    break_engine(fresh, MARKER)
    with serving(fresh) as served:
        assert_returned(project.play(), served, said)
        breakage.mend(fresh)
        assert_converges(project, served)


def test_three_restarts_in_the_minute_before(fresh: Host, project: Project) -> None:
    """systemd counts successful starts too and refuses the fourth."""
    # The host's own start was the first in this minute.
    for _ in range(2):
        fresh.sh("systemctl restart docker")
    refused = fresh.sh("systemctl restart docker", check=False)
    assert b"too often" in refused.stderr
    fresh.sh("systemctl reset-failed docker.service docker.socket && systemctl start docker")
    for _ in range(2):
        fresh.sh("systemctl restart docker")
    with serving(fresh) as served:
        assert_converges(project, served)


def test_controller_killed_during_the_restart(fresh: Host, project: Project) -> None:
    with serving(fresh) as served:
        controller = project.start()
        wait_job(fresh)
        os.killpg(controller.pid, signal.SIGKILL)
        controller.wait(timeout=30)
        assert job_runs(fresh), "the job was over before the controller was killed"
        wait_settled(fresh)
        served.assert_unbroken()
        served.assert_old_or_in_force()
        assert_converges(project, served)


def wait_job(host: Host) -> None:
    """Wait until the one job on the host that restarts the daemon is there."""
    deadline = time.monotonic() + JOB_SECONDS
    while not job_runs(host):
        assert time.monotonic() < deadline, "no restart job was seen"
        time.sleep(0.05)


def job_runs(host: Host) -> bool:
    command = "systemctl list-units --no-legend --state=active,activating 'hardhost*' | grep -q ."
    return host.sh(command, check=False).returncode == 0
