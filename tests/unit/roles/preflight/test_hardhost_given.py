"""A secret text of an inventory is one file, in no copy, and goes when nothing names it."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest
from ansible.module_utils import hardhost_drop_ins as drop_ins
from ansible.module_utils import hardhost_given as given
from ansible.module_utils import hardhost_managed as managed
from ansible.module_utils import hardhost_state as states

from tests.unit.roles.hosts import Json

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="files are given to root")
CONTROL = "docker_daemon/tls_mutual"
OLD, NEW = b"-----BEGIN KEY-----\nold\n", b"-----BEGIN KEY-----\nnew\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state_directory: Path) -> Path:
    made = tmp_path / "docker/hardhost-tls"
    monkeypatch.setattr(given, "DIRECTORY", str(made))
    monkeypatch.setattr(drop_ins, "LISTEN", str(tmp_path / "listen.conf"))
    return made


def wanted(data: bytes) -> Json:
    found: Json = managed.wanted(given.path("key", data), data, CONTROL, 0o400)
    return found


def write(state: Json, data: bytes) -> Path:
    with states.locked():
        given.write(state, [wanted(data)], "r1")
    return Path(wanted(data)["path"])


def name_in_unit(*paths: Path) -> None:
    Path(drop_ins.LISTEN).write_text("ExecStart=dockerd " + " ".join(map(str, paths)))


def test_the_same_text_is_the_same_however_it_ends() -> None:
    texts = {"one": b"a\nb", "other": b" a\nb\n\n", "nothing": b" \n"}
    found = given.decoded({name: base64.b64encode(data) for name, data in texts.items()})
    assert found == {"one": b"a\nb\n", "other": b"a\nb\n"}
    assert given.path("key", OLD) != given.path("key", NEW)
    assert given.path("key", OLD) != given.path("ca", OLD)


def test_it_is_recorded_and_the_state_holds_no_byte_of_it(
    folder: Path, state_directory: Path
) -> None:
    state = states.empty()
    path = write(state, OLD)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (OLD, 0o400)
    kinds = [(one["kind"], one["target"]) for one in state["changes"]]
    above = [("directory", str(folder.parent)), ("directory", str(folder))]
    assert kinds == [*above, ("file", str(path))]
    assert all(b"old" not in file.read_bytes() for file in state_directory.rglob("*.*"))
    assert not (state_directory / "blobs").exists()


def test_one_that_was_tampered_with_is_mended_and_what_was_put_there_is_not_kept(
    folder: Path, state_directory: Path
) -> None:
    state = states.empty()
    path = write(state, OLD)
    records = list(state["changes"])
    path.write_bytes(b"theirs")
    write(state, OLD)
    assert path.read_bytes() == OLD
    assert state["changes"] == records
    assert not (state_directory / "blobs").exists()


def test_another_text_stands_beside_the_old_one_until_dockerd_runs_with_it(folder: Path) -> None:
    state = states.empty()
    old, new = write(state, OLD), write(state, NEW)
    name_in_unit(old)
    with states.locked():
        given.supersede(state, CONTROL, {str(new)})
    assert [one["target"] for one in state["undone"]] == [str(old)]
    assert (old.exists(), new.exists()) == (True, True)
    name_in_unit(new)
    given.settle(state)
    assert (old.exists(), new.exists()) == (False, True)
    assert str(old) not in [one["target"] for one in state["changes"]]


def test_what_the_unit_names_again_stays_and_is_recorded(folder: Path) -> None:
    """The old text was given again before dockerd was restarted, or a run was killed half-way."""
    state = states.empty()
    old, new = write(state, OLD), write(state, NEW)
    name_in_unit(old)
    with states.locked():
        given.supersede(state, CONTROL, {str(new)})
    given.settle(state)
    assert old.exists()
    assert {one["target"] for one in state["changes"]} >= {str(old), str(new)}


def test_what_others_put_in_its_place_stays(folder: Path) -> None:
    state = states.empty()
    path = write(state, OLD)
    path.write_bytes(b"theirs")
    state["changes"], state["undone"] = [], state["changes"]
    given.settle(state)
    assert path.read_bytes() == b"theirs"


def test_the_directory_goes_with_the_last_file(folder: Path) -> None:
    state = states.empty()
    write(state, OLD)
    state["changes"], state["undone"] = [], state["changes"]
    given.settle(state)
    assert not folder.parent.exists()


def test_a_drop_in_that_names_what_is_gone_cannot_come_back(folder: Path) -> None:
    """Who takes today's back gets what was there before both, and not a unit without its key."""
    state, absent = states.empty(), {"present": False}
    old, new = write(state, OLD), write(state, NEW)
    for run, before, after in (("r1", absent, {"sha256": "1"}), ("r2", {"sha256": "1"}, {})):
        states.record(state, run, CONTROL, "file", drop_ins.LISTEN, before, after)
    name_in_unit(new)
    with states.locked():
        given.supersede(state, CONTROL, {str(new)})
    given.settle(state)
    assert not old.exists()
    mine = states.owned(state, "file", drop_ins.LISTEN)
    assert [(one["run"], one["before"]) for one in mine] == [("r2", absent)]
