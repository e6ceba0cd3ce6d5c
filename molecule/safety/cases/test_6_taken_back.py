"""What `rollback.yml` and a smaller profile take back, and what they leave: whole playbooks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hosts import breakage
from tests.hosts.observation import observe
from tests.hosts.project import Project, Run, render
from tests.hosts.serving import Serving, started_after_file
from tests.hosts.steps import LONG, ORIGINAL, Steps, put_daemon_json, untouched

PROFILES = Path(__file__).parents[1] / "profiles"
DAEMON_JSON = "/etc/docker/daemon.json"
STATE = "/var/lib/hardhost/state.json"
FOREIGN = {"dns", "labels"}
MANAGED = {"icc", "live-restore", "log-opts", "no-new-privileges"}


@pytest.fixture
def used(new: Steps) -> Iterator[Serving]:
    """A host that nothing was done to, with containers, and a directory that anybody may change."""
    new.host.sh("chmod 0777 /etc/docker")
    with untouched(new) as found:
        yield found
    new.host.sh("chmod 0755 /etc/docker")


@pytest.fixture
def wide(used: Serving, memory: Path) -> Project:
    return rendered("wide", used, memory)


def rendered(profile: str, used: Serving, memory: Path) -> Project:
    return render(profile, memory / "taken_back", [used.host], PROFILES)


def rollback(project: Project, scope: str, **more: Any) -> Run:
    return project.play("rollback", inputs={"hardhost_rollback_scope": scope, **more})


def options(used: Serving) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(used.host.out(f"cat {DAEMON_JSON}"))
    return {key: value for key, value in found.items() if key not in FOREIGN}


def mode(used: Serving) -> str:
    return used.host.out("stat -c %a /etc/docker").strip()


def changes(used: Serving) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(used.host.out(f"cat {STATE}"))["changes"]
    return found


def assert_original(used: Serving) -> None:
    used.assert_unbroken()
    used.assert_old_file()
    assert used.host.out(f"stat -c %y {DAEMON_JSON}").startswith("2024-02-29 00:00:00")
    assert mode(used) == "777"
    assert changes(used) == []


def test_what_cannot_be_taken_back_does_not_keep_the_rest(used: Serving, memory: Path) -> None:
    """The old daemon.json is back and in force; what stays is named, and goes once it can."""
    project = render("roles", memory / "taken_back", [used.host], PROFILES)
    project.play().assert_converged(used.host)
    file = next(one for one in changes(used) if one["kind"] == "file")
    breakage.make_immutable(used.host, file["target"], on=True)
    try:
        run = rollback(project, "all")
        run.assert_failed(used.host, saying=f"not everything was taken back: {file['target']}")
        used.assert_unbroken()
        used.assert_old_file()
        assert started_after_file(used.host), "the old file is not in force"
        assert {one["control"] for one in changes(used)} == {file["control"]}
    finally:
        breakage.make_immutable(used.host, file["target"], on=False)
    rollback(project, "all").assert_converged(used.host)
    rollback(project, "all").assert_unchanged(used.host)
    assert_original(used)


def test_one_run_after_the_other_newest_first(wide: Project, used: Serving) -> None:
    wide.play().assert_converged(used.host)
    wide.play(inputs={"docker_daemon_log_max_size": "21m"}).assert_converged(used.host)
    assert options(used)["log-opts"]["max-size"] == "21m"
    rollback(wide, "run").assert_converged(used.host)
    assert set(options(used)) == MANAGED
    assert options(used)["log-opts"]["max-size"] == "10m", "not what the run before had set"
    assert mode(used) == "755"
    wide.play("site", "--check").assert_unchanged(used.host)
    rollback(wide, "run").assert_converged(used.host)
    assert_original(used)
    process = observe(used.host)["process"]
    rollback(wide, "run").assert_unchanged(used.host)
    rollback(wide, "all").assert_unchanged(used.host)
    assert observe(used.host)["process"] == process


@LONG
def test_chosen_controls_and_nothing_else(wide: Project, used: Serving) -> None:
    wide.play().assert_converged(used.host)
    chosen = ["docker_daemon/icc", "docker_files/docker_directory"]
    rollback(wide, "controls", hardhost_rollback_controls=chosen).assert_converged(used.host)
    assert set(options(used)) == MANAGED - {"icc"}
    assert mode(used) == "777"
    assert {one["control"] for one in changes(used)}.isdisjoint(chosen)
    again = rollback(wide, "controls", hardhost_rollback_controls=chosen)
    again.assert_unchanged(used.host)
    wide.play().assert_converged(used.host)
    assert (set(options(used)), mode(used)) == (MANAGED, "755")
    rollback(wide, "all").assert_converged(used.host)
    assert_original(used)


@LONG
def test_controls_that_left_the_profile_and_only_they(
    wide: Project, used: Serving, memory: Path
) -> None:
    wide.play().assert_converged(used.host)
    narrow = rendered("narrow", used, memory)
    narrow.play().assert_converged(used.host)
    assert set(options(used)) == MANAGED - {"icc"}
    assert mode(used) == "777"
    used.assert_unbroken()
    narrow.play("site", "--check").assert_unchanged(used.host)
    rollback(narrow, "all").assert_converged(used.host)
    assert_original(used)


def test_what_somebody_changed_since_stops_it_with_the_list(wide: Project, used: Serving) -> None:
    wide.play().assert_converged(used.host)
    theirs = json.loads(used.host.out(f"cat {DAEMON_JSON}"))
    theirs["icc"] = True
    used.host.sh(
        f"cat > {DAEMON_JSON} && chmod 0700 /etc/docker", stdin=json.dumps(theirs).encode()
    )
    before, recorded = observe(used.host), changes(used)
    stopped = rollback(wide, "all")
    for said in (
        f"{DAEMON_JSON}: icc is now True; it was absent, and we had set False",
        "/etc/docker: is now root:root 0700; it was root:root 0777, and we had set root:root 0755",
        "undo_conflicts: leave",
    ):
        stopped.assert_failed(used.host, saying=said)
    after = observe(used.host)
    assert (after["etc"], after["process"]) == (before["etc"], before["process"])
    assert changes(used) == recorded
    told = rollback(wide, "all", undo_conflicts="leave")
    told.assert_converged(used.host)
    assert "icc is now True" in " ".join(told.text.split())
    assert (options(used), mode(used)) == ({"icc": True}, "700")
    assert changes(used) == []
    used.assert_unbroken()
    rollback(wide, "all").assert_unchanged(used.host)


@LONG
def test_a_daemon_that_is_down_comes_back_with_the_old_file(wide: Project, used: Serving) -> None:
    """Its containers run on without it, and the old file does not switch live-restore on."""
    wide.play().assert_converged(used.host)
    breakage.exits_at_start(used.host, "no-new-privileges")
    try:
        used.host.sh("systemctl kill --kill-who=main -s KILL docker; systemctl stop docker.socket")
        used.host.sh("systemctl stop docker; ! systemctl is-active --quiet docker")
        rollback(wide, "all").assert_converged(used.host)
    finally:
        breakage.mend(used.host)
    assert_original(used)
    assert observe(used.host)["daemon"]["LiveRestoreEnabled"] is False


@LONG
def test_a_service_that_was_stopped_and_disabled_is_disabled_again(
    new: Steps, memory: Path
) -> None:
    """A converge starts and enables it; what a rollback takes back is what the next boot does."""
    host = new.host
    project: Project = render("development", memory / "disabled", [host])
    host.sh(f"docker rm -f $(docker ps -aq); rm -rf {Path(STATE).parent}", check=False)
    put_daemon_json(host, ORIGINAL)
    host.sh("systemctl disable --quiet docker.service; systemctl stop docker.socket docker.service")
    try:
        foreseen = project.play("site", "--check")
        assert "engine enabled at boot" in " ".join(foreseen.text.split())
        assert enabled(new) == "disabled"
        project.play().assert_converged(host)
        assert enabled(new) == "enabled"
        project.play("site", "--check").assert_unchanged(host)
        rollback(project, "all").assert_converged(host)
        assert enabled(new) == "disabled"
        assert host.out("docker version")
        assert host.sh(f"cat {DAEMON_JSON}").stdout == ORIGINAL
    finally:
        host.sh("systemctl enable --quiet docker.service")


def enabled(steps: Steps) -> str:
    return steps.host.sh("systemctl is-enabled docker.service", check=False).stdout.decode().strip()
