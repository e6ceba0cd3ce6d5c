"""The state on a host lasts, is root's alone, and belongs to one run at a time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ansible.module_utils import hardhost_state as states


@pytest.fixture
def directory(tmp_path: Path) -> str:
    folder = tmp_path / "hardhost"
    folder.mkdir()
    return str(folder)


def names(directory: str) -> list[str]:
    return [path.name for path in Path(directory).iterdir()]


def test_a_host_never_touched_has_an_empty_state(directory: str) -> None:
    assert states.load(directory) == states.empty()
    assert names(directory) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="files are given to root")
def test_what_is_saved_is_loaded(directory: str) -> None:
    state = states.empty()
    states.record(
        state,
        "r1",
        "docker_daemon/icc",
        "user",
        "/etc/passwd",
        {"present": False},
        {"present": True},
    )
    states.save(state, directory)
    assert states.load(directory) == state
    assert Path(directory, "state.json").stat().st_mode & 0o7777 == 0o600
    assert names(directory) == ["state.json"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"version": 2}', "version 2, this project knows version 1"),
        ('{"version": "1"}', "has version '1'"),
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        ("{}", "cannot be read"),
        ('{"version": 1, "changes": []}', "it lacks lease, undone, files, daemon"),
    ],
)
def test_a_state_that_cannot_be_used_is_not_overwritten(
    text: str, words: str, directory: str
) -> None:
    Path(directory, "state.json").write_text(text)
    with pytest.raises(states.StateError, match=words):
        states.load(directory)
    assert Path(directory, "state.json").read_text() == text


def test_the_lease_keeps_other_runs_away_until_it_ends() -> None:
    state = states.empty()
    states.claim(state, "r1", "ops@bastion", seconds=60, now=1000)
    with pytest.raises(
        states.StateError, match=r"run r1 of ops@bastion .* since 1970-01-01 00:16:40Z"
    ):
        states.claim(state, "r2", "dev@laptop", now=1059)
    assert state["lease"]["run"] == "r1"
    states.claim(state, "r2", "dev@laptop", seconds=60, now=1060)
    assert state["lease"] == {"run": "r2", "holder": "dev@laptop", "since": 1060, "expires": 1120}


def test_a_run_renews_its_own_lease() -> None:
    state = states.empty()
    states.claim(state, "r1", "ops@bastion", seconds=60, now=1000)
    states.claim(state, "r1", "ops@bastion", seconds=60, now=1050)
    assert state["lease"] == {"run": "r1", "holder": "ops@bastion", "since": 1000, "expires": 1110}


def test_only_the_own_lease_is_given_back() -> None:
    state = states.empty()
    states.claim(state, "r1", "ops@bastion")
    states.release(state, "r2")
    assert state["lease"]
    states.release(state, "r1")
    assert state["lease"] is None
    states.release(state, "r1")


def test_changes_are_numbered_past_those_that_were_taken_back() -> None:
    state = states.empty()
    for control in ("a/a", "b/b", "c/c"):
        states.record(state, "r1", control, "user", "/etc/passwd", {}, {})
    del state["changes"][0]
    states.record(state, "r2", "d/d", "user", "/etc/passwd", {}, {}, leaf=["x"])
    assert [change["number"] for change in state["changes"]] == [2, 3, 4]
    assert state["changes"][-1]["leaf"] == ["x"]


def test_owned_are_the_changes_of_one_kind_to_one_target() -> None:
    state = states.empty()
    for kind, target in (("line", "/a"), ("line", "/b"), ("user", "/a"), ("line", "/a")):
        states.record(state, "r1", "a/a", kind, target, {}, {})
    assert [change["number"] for change in states.owned(state, "line", "/a")] == [1, 4]


@pytest.mark.skipif(os.geteuid() != 0, reason="files are given to root")
def test_kept_bytes_come_back_unaltered(directory: str) -> None:
    name = states.keep(b"\x00\xffold", directory)
    assert states.keep(b"\x00\xffold", directory) == name
    assert states.kept(name, directory) == b"\x00\xffold"
    blob = Path(directory, "blobs", name)
    assert blob.stat().st_mode & 0o7777 == 0o600
    assert blob.parent.stat().st_mode & 0o7777 == 0o700
    blob.write_bytes(b"altered")
    with pytest.raises(states.StateError, match="missing or altered"):
        states.kept(name, directory)
    blob.unlink()
    with pytest.raises(states.StateError, match="missing or altered"):
        states.kept(name, directory)


HOLD = """
import sys, time
import ansible.module_utils
ansible.module_utils.__path__.append(sys.argv[1])
from ansible.module_utils import hardhost_state as states
with states.locked(sys.argv[2]):
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_the_lock_makes_another_process_wait(
    directory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    utilities = str(Path(states.__file__).parent)
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, utilities, directory],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as other:  # fmt: skip
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        clock = iter([0.0, 30.0, 61.0])
        monkeypatch.setattr(states.time, "monotonic", lambda: next(clock))
        with (
            pytest.raises(states.StateError, match="another hardhost process"),
            states.locked(directory),
        ):
            pytest.fail("the lock was given twice")
        monkeypatch.undo()
        other.communicate("go\n", timeout=30)
    with states.locked(directory):
        assert Path(directory).stat().st_mode & 0o7777 == 0o700


def test_a_killed_process_does_not_keep_the_lock(directory: str) -> None:
    utilities = str(Path(states.__file__).parent)
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, utilities, directory],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as other:  # fmt: skip
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        other.kill()
    with states.locked(directory):
        pass


def test_the_lock_alone_leaves_no_state(directory: str) -> None:
    with states.locked(directory):
        pass
    assert names(directory) == ["lock"]
    assert json.loads(json.dumps(states.load(directory))) == states.empty()


def test_a_lease_ends_with_its_process() -> None:
    state = states.empty()
    with subprocess.Popen(["sleep", "60"]) as process:
        states.claim(state, "r1", "ops@bastion", 3600, process=states.this_process(process.pid))
        with pytest.raises(states.StateError, match="run r1"):
            states.claim(state, "r2", "dev@laptop")
        process.kill()
    states.claim(state, "r2", "dev@laptop")
    assert state["lease"]["run"] == "r2"


def test_a_lease_from_the_future_does_not_count() -> None:
    """It was given before the clock was set right, and would end in years."""
    state = states.empty()
    states.claim(state, "r1", "ops@bastion", now=2_500_000_000)
    states.claim(state, "r2", "dev@laptop", now=1_800_000_000)
    assert state["lease"]["run"] == "r2"


def test_a_dead_lease_is_given_back_by_anybody() -> None:
    state = states.empty()
    states.claim(state, "r1", "ops@bastion", now=1000)
    states.release(state, "r2")
    assert state["lease"] is None


def test_numbers_of_what_is_not_confirmed_are_not_given_again() -> None:
    state = states.empty()
    states.record(state, "r1", "a/a", "user", "/etc/passwd", {}, {})
    state["undone"], state["changes"] = state["changes"], []
    states.record(state, "r2", "b/b", "user", "/etc/passwd", {}, {})
    assert state["changes"][0]["number"] == 2


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("changes", {}),
        ("changes", [1]),
        ("changes", [{"kind": "file"}]),
        ("undone", None),
        ("files", {"/etc/x": []}),
        ("lease", {"run": 1}),
        ("daemon", {"pid": "1"}),
    ],
)
def test_a_state_with_wrong_parts_is_refused(part: str, value: object, directory: str) -> None:
    state = {**states.empty(), part: value}
    Path(directory, "state.json").write_text(json.dumps(state))
    with pytest.raises(states.StateError, match="cannot be read"):
        states.load(directory)


@pytest.mark.parametrize("part", ["changes", "undone"])
def test_a_record_of_a_newer_release_is_refused_and_stays(part: str, directory: str) -> None:
    state = states.empty()
    states.record(state, "r1", "a/a", "from_the_future", "/etc/x", {}, {})
    text = json.dumps({**states.empty(), part: state["changes"]})
    Path(directory, "state.json").write_text(text)
    with pytest.raises(states.StateError, match=r"kind from_the_future.*use the hardhost release"):
        states.load(directory)
    assert Path(directory, "state.json").read_text() == text


def test_a_directory_in_the_place_of_the_state_is_told(directory: str) -> None:
    Path(directory, "state.json").mkdir()
    with pytest.raises(states.StateError, match="Is a directory"):
        states.load(directory)


def test_a_long_piece_of_work_keeps_nobody_out_once_it_has_ended(tmp_path: Path) -> None:
    with states.work("r1", "ops", 5000, str(tmp_path)) as state:
        assert state["lease"]["expires"] - state["lease"]["since"] == 5000
    lease = states.load(str(tmp_path))["lease"]
    assert lease["expires"] - lease["since"] <= states.LEASE_SECONDS + 1
    assert "process" not in lease
