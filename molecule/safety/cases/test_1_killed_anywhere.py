"""A module or the job is killed before any effect: nothing is lost, the next run goes on."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.hosts import breakage
from tests.hosts.observation import differences, observe
from tests.hosts.serving import Serving, wait_settled
from tests.hosts.steps import JOB, Answer, Steps, untouched

DAEMON_JSON = "/etc/docker/daemon.json"
PASSING = ("live-restore", "debug")  # what the job may set on its way
FEW = 1
MARKER = "no-new-privileges"


def points(effects: list[str], every: bool) -> list[int]:
    """The numbers of effects to die before: all, or some from beginning to end."""
    found = [number for number, one in enumerate(effects, 1) if not swept(one, effects[number:])]
    if every:
        return found
    return sorted({found[index * len(found) // (FEW + 1)] for index in range(1, FEW + 1)})


def without_trials(effects: list[str], every: bool) -> list[int]:
    """`points` without the trial containers, which are the same in every job: one loop has them."""
    found = [number for number, one in enumerate(effects, 1) if "hardhost-trial" not in one]
    chosen = points([effects[number - 1] for number in found], every)
    return [found[number - 1] for number in chosen]


def swept(effect: str, later: list[str]) -> bool:
    """Whether this removes what an earlier attempt has left: there was none."""
    return effect.startswith("DELETE ") and effect in later


def written(steps: Steps) -> None:
    steps.new_run()
    found = steps.read()
    steps.write(found).ok()


def kill_write(steps: Steps, die: tuple[str, int]) -> Answer:
    steps.new_run()
    return steps.write(steps.read(), die=die)


def kill_update(steps: Steps, die: tuple[str, int]) -> Answer:
    """What an earlier run has set is to be changed."""
    steps.converge()
    steps.inputs["docker_daemon_log_max_size"] = "21m"
    try:
        return kill_write(steps, die)
    finally:
        del steps.inputs["docker_daemon_log_max_size"]  # the plan's counts again


def kill_restart(steps: Steps, die: tuple[str, int]) -> Answer:
    written(steps)
    return steps.restart(die=die)


def kill_undo(steps: Steps, die: tuple[str, int]) -> Answer:
    steps.converge()
    steps.new_run()
    steps.read("all")
    return steps.undo(die=die)


def kill_last_restart(steps: Steps, die: tuple[str, int]) -> Answer:
    steps.converge()
    steps.new_run()
    steps.read("all")
    steps.undo().ok()
    return steps.restart(die=die)


# Shared between the two systems: the code is the same on both.
SCENES = [
    pytest.param("old", kill_write, "daemon_json.py", id="daemon_json"),
    pytest.param("old", kill_restart, "docker_restart.py", id="docker_restart"),
    pytest.param("old", kill_restart, JOB, id="job"),
    pytest.param("old", kill_undo, "undo.py", id="undo"),
    pytest.param("new", kill_last_restart, JOB, id="job_of_a_rollback"),
]


@pytest.fixture
def steps(request: pytest.FixtureRequest) -> Steps:
    found: Steps = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def served(steps: Steps) -> Iterator[Serving]:
    with untouched(steps) as found:
        yield found


@pytest.mark.parametrize(("steps", "scene", "program"), SCENES, indirect=["steps"])
def test_killed_before_any_effect_of(
    scene: Callable[[Steps, tuple[str, int]], Answer],
    program: str,
    steps: Steps,
    served: Serving,
    every_point: bool,
) -> None:
    steps.host.sh("rm -rf /var/lib/hardhost")
    scene(steps, (program, 0)).ok()
    effects = steps.effects()
    proved: list[dict[str, Any]] = []
    steps.in_a_minute()
    steps.roll_back()
    chosen = without_trials if scene is kill_last_restart else points
    for number in chosen(effects, every_point):
        print(f"{program}, before {effects[number - 1]}", flush=True)
        steps.host.sh(
            "rm -rf /var/lib/hardhost"
        )  # a host without a past: effects are the same every time
        answer = scene(steps, (program, number))
        if program == JOB:
            assert answer.ok()["step"] == "restart"  # systemd has started it again
        else:
            assert answer.killed, answer.text
        whole(steps, served)
        if program == "docker_restart.py":
            # daemon_json ended well: the lease is its run's. A killed module's ends with it.
            steps.in_a_minute()
        stands = standing(steps)
        if stands in proved:
            steps.roll_back()
            served.assert_old_file()
        else:
            finish(steps, served)
            proved.append(stands)


@pytest.mark.parametrize("steps", ["old"], indirect=True)
def test_killed_while_it_changes_what_an_earlier_run_set(
    steps: Steps, served: Serving, every_point: bool
) -> None:
    """What lies between is ours: the rollback brings back what was there before the earlier run."""
    steps.host.sh("rm -rf /var/lib/hardhost")
    kill_update(steps, ("daemon_json.py", 0)).ok()
    effects = steps.effects()
    steps.in_a_minute()
    steps.roll_back()
    written_at = effects.index(f"rename to {DAEMON_JSON}") + 1
    for number in points(effects, every=True) if every_point else [written_at]:
        print(f"an update, before {effects[number - 1]}", flush=True)
        steps.host.sh("rm -rf /var/lib/hardhost")
        answer = kill_update(steps, ("daemon_json.py", number))
        assert answer.killed, answer.text
        whole(steps, served)
        taken_back(steps, served)


@pytest.mark.parametrize("steps", ["new"], indirect=True)
def test_killed_on_its_way_back(steps: Steps, served: Serving, every_point: bool) -> None:
    """The job that puts the old file back is killed too."""
    breakage.exits_at_start(steps.host, MARKER)
    try:
        failing(steps, (JOB, 0))
        effects = steps.effects()
        for number in without_trials(effects, every_point):
            print(f"the way back, before {effects[number - 1]}")
            steps.host.sh("rm -rf /var/lib/hardhost")
            failing(steps, (JOB, number))
            whole(steps, served)
            served.assert_old_file()
            assert not steps.read("all")["undo"], "records are left of what is not there"
    finally:
        breakage.mend(steps.host)
    finish(steps, served)


def failing(steps: Steps, die: tuple[str, int]) -> None:
    written(steps)
    steps.restart(die=die).failed(saying="the old daemon.json is in force again")


def whole(steps: Steps, served: Serving) -> None:
    """The API answers, containers go on, and every file is an old one or a new one."""
    wait_settled(steps.host)
    served.assert_unbroken()
    options = json.loads(steps.host.out(f"cat {DAEMON_JSON}"))
    assert {"dns", "labels"} <= set(options)
    assert set(options) - {"dns", "labels", *PASSING} in (set(), managed()), options
    state = steps.host.sh("cat /var/lib/hardhost/state.json", check=False)
    assert state.returncode != 0 or json.loads(state.stdout)["version"] == 1


def standing(steps: Steps) -> dict[str, Any]:
    """All that decides how the next run goes on. From each such state, it is proved once."""
    seen = observe(steps.host)
    text = steps.host.sh("cat /var/lib/hardhost/state.json", check=False).stdout
    state = json.loads(text or "{}")
    kept = ("control", "kind", "target", "leaf", "before", "after")
    records = {
        name: [{key: one.get(key) for key in kept} for one in state.get(name, [])]
        for name in ("changes", "undone")
    }
    daemon = state.get("daemon") or {}
    return {
        **records,
        "etc": {re.sub(r"(\.hardhost-).*", r"\1", name): one for name, one in seen["etc"].items()},
        "kept": sorted(re.sub(r"(\.hardhost-).*", r"\1", name) for name in seen["state"]),
        "files": state.get("files"),
        "leased": bool(state.get("lease")),
        "started_with": daemon.get("file"),
        "known": daemon.get("pid") == seen["process"][0],
        "live_restore": seen["daemon"]["LiveRestoreEnabled"],
    }


def managed() -> set[str]:
    """The keys that the profile sets, without those which the job may set on its way."""
    return {"icc", "log-level", "log-opts", "no-new-privileges"}


def finish(steps: Steps, served: Serving) -> None:
    """The next run converges, one more has nothing to do, a rollback brings the old file back."""
    steps.converge()
    assert not steps.read()["restart"]["work"]
    options = json.loads(steps.host.out(f"cat {DAEMON_JSON}"))
    assert set(options) - {"dns", "labels"} == managed() | {"live-restore"}
    taken_back(steps, served)


def taken_back(steps: Steps, served: Serving) -> None:
    """All is as it was, and nothing is left to take back."""
    steps.roll_back()
    served.assert_unbroken()
    assert_as_before(served.before, observe(steps.host))
    assert steps.host.out(f"stat -c %y {DAEMON_JSON}").startswith("2024-02-29 00:00:00")
    assert not steps.host.out("find /etc -name '.hardhost-*'"), "a killed writer's file is left"
    assert not steps.roll_back(), "a rollback of a rollback has nothing to do"


def assert_as_before(before: dict[str, Any], after: dict[str, Any]) -> None:
    changed = differences(before, after)
    changed = {
        name: what for name, what in changed.items() if not name.startswith(("process", "state."))
    }
    assert not changed, changed
