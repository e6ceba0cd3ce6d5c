"""The connection dies or the controller is killed at a remote step; or the host goes down."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from tests.hosts import breakage, container_host
from tests.hosts.container_host import Host
from tests.hosts.cut_off import Point, await_file, cut_here, interrupt, points, steps_of
from tests.hosts.local import run
from tests.hosts.observation import observe
from tests.hosts.project import Project, render
from tests.hosts.serving import Serving, wait_settled
from tests.hosts.steps import JOB, LONG, ORIGINAL, Steps, put_daemon_json

SHORT = [Point("site", 2, "after"), Point("rollback", 2, "controller")]
# Modules at least, of the roles that profiles/roles.yml has and of the restart.
STEPS = {"site": 6, "rollback": 3}
PROFILES = Path(__file__).parents[1] / "profiles"
OPEN = "chmod 0666 /run/docker.sock; chmod 0777 /etc/docker"
CLOSE = "chmod 0660 /run/docker.sock; chmod 0755 /etc/docker"


@pytest.fixture
def cut(old: Steps, memory: Path) -> Iterator[Project]:
    """A project of many roles, on a host that is open to everybody."""
    old.host.sh(OPEN)
    project = render("roles", memory / "cut", [old.host], PROFILES)
    with cut_here(old.host, project):
        yield project
    old.host.sh(CLOSE)


def every_point_of(host: Host, project: Project) -> list[Point]:
    """Of a converge and a rollback."""
    steps = {play: steps_of(host, project, play) for play in STEPS}
    assert all(steps[play] >= least for play, least in STEPS.items()), f"roles did nothing: {steps}"
    return points(steps)


def test_cut_off_at_a_remote_step(
    old: Steps, cut: Project, served: Serving, every_point: bool
) -> None:
    for point in every_point_of(old.host, cut) if every_point else SHORT:
        if point.play == "rollback":
            cut.play().assert_converged(old.host)
        interrupt(old.host, cut, point)
        wait_settled(old.host)
        served.assert_unbroken()
        cut.play().assert_converged(old.host)  # at once: its lease is no obstacle
        cut.play().assert_unchanged(old.host)
        cut.play("rollback").assert_converged(old.host)
        served.assert_unbroken()
        served.assert_old_file()


@LONG
def test_power_cut_while_writing(new: Steps) -> None:
    """The new file is there, untried: the host comes up with it, and the next run goes on."""
    fresh_start(new)
    new.new_run()
    found = new.read()
    new.write(found, die=("daemon_json.py", 0)).ok()
    renames = [
        number
        for number, one in enumerate(new.effects(), 1)
        if one == "rename to /etc/docker/daemon.json"
    ]
    new.in_a_minute()
    new.roll_back()
    for number in (renames[0], renames[0] + 1):
        fresh_start(new)
        new.new_run()
        found = new.read()
        power_cut(new, "daemon_json.py", number, partial(new.write, found))
        assert_up(new)
        assert_goes_on(new)


def of_files(effects: list[str]) -> list[int]:
    """What a power cut can meet: files. All else ends with it, whatever it was about to do."""
    return [number for number, one in enumerate(effects, 1) if one.startswith(("rename", "remove"))]


@LONG
@pytest.mark.parametrize("bad", [pytest.param(False, id="good"), pytest.param(True, id="bad")])
def test_power_cut_during_the_job(new: Steps, bad: bool) -> None:
    """The job goes on at the next boot; where dockerd does not come up, the old file returns."""
    fresh_start(new)
    new.new_run()
    new.write(new.read()).ok()
    new.ask_to_die(JOB, 0)
    new.restart().ok()
    numbers = of_files(new.effects())
    assert len(numbers) > 8
    for number in numbers[:1] if bad else numbers:
        print(f"before effect {number}", flush=True)
        new.host.sh("rm -f /run/dying.json")
        new.roll_back()
        fresh_start(new)
        new.new_run()
        new.write(new.read()).ok()
        if bad:
            breakage.exits_at_start(new.host, "no-new-privileges")
        try:
            power_cut(new, JOB, number, new.restart)
            assert_up(new)
            there = "no-new-privileges" in new.host.out("cat /etc/docker/daemon.json")
            assert there is not bad
        finally:
            breakage.mend(new.host)
        assert_goes_on(new)


def fresh_start(steps: Steps) -> None:
    steps.host.sh("rm -rf /var/lib/hardhost /run/dying.json")
    put_daemon_json(steps.host, ORIGINAL)


def power_cut(steps: Steps, program: str, number: int, act: Callable[[], object]) -> None:
    """Kill the host before this effect, and switch it on again."""
    steps.ask_to_die(program, number, "wait")
    acting = threading.Thread(target=quiet, args=(act,), daemon=True)
    acting.start()
    await_file(steps.host, "/run/dying.now")
    run(["docker", "kill", steps.host.container])
    run(["docker", "start", steps.host.container])
    steps.host = container_host.find(steps.host.name)  # at another address, maybe
    acting.join(timeout=60)


def quiet(act: Callable[[], object]) -> None:
    with suppress(RuntimeError, AssertionError, subprocess.TimeoutExpired):
        act()  # the host goes down around it


def assert_up(steps: Steps) -> None:
    deadline = time.monotonic() + 120
    while not container_host.engine_active(steps.host):
        assert time.monotonic() < deadline, steps.host.out("journalctl -n 60 --no-pager")
        time.sleep(0.5)
    wait_settled(steps.host)


def assert_goes_on(steps: Steps) -> None:
    """The next run converges, and the rollback brings the original back."""
    steps.in_a_minute()
    steps.converge()
    assert not steps.read()["restart"]["work"]
    assert not steps.host.out("find /etc/systemd/system -name '*hardhost*'")
    steps.roll_back()
    assert steps.host.sh("cat /etc/docker/daemon.json").stdout == ORIGINAL
    assert observe(steps.host)["daemon"]
