"""After a return the records say what the file holds again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import hardhost_drop_ins as drop_ins
from ansible.module_utils import hardhost_given as given
from ansible.module_utils import hardhost_managed as managed
from ansible.module_utils import hardhost_restart_job as job
from ansible.module_utils import hardhost_state as states

PATH = "/etc/docker/daemon.json"
ABSENT: dict[str, Any] = {"present": False}


def present(value: object) -> dict[str, Any]:
    return {"present": True, "value": value}


def state(*changes: tuple[str, Any, Any]) -> dict[str, Any]:
    """A state with leaves `(name, before, after)` of daemon.json set, and a user made."""
    found: dict[str, Any] = states.empty()
    for name, before, after in changes:
        states.record(found, "r1", "a/b", "daemon_json_leaf", PATH, before, after, leaf=[name])
    states.record(found, "r1", "a/b", "user", "/etc/passwd", ABSENT, present("dockremap"))
    found["files"] = {PATH: {"before": ABSENT, "written": ""}}
    return found


def left(found: dict[str, Any]) -> list[str]:
    return [change.get("leaf", [change["kind"]])[0] for change in found["changes"]]


def test_a_change_that_did_not_hold_is_forgotten() -> None:
    found = state(("icc", ABSENT, present(False)))
    job.reconcile(found, PATH, {})
    assert left(found) == ["user"]
    assert found["files"] == {}


def test_a_change_that_holds_is_kept() -> None:
    found = state(("icc", ABSENT, present(False)), ("ipv6", ABSENT, present(False)))
    job.reconcile(found, PATH, {"icc": False})
    assert left(found) == ["icc", "user"]
    assert PATH in found["files"]


def test_the_older_change_of_a_leaf_counts_again() -> None:
    found = state(("mtu", ABSENT, present(1400)), ("mtu", present(1400), present(1300)))
    job.reconcile(found, PATH, {"mtu": 1400})
    assert [change["after"] for change in found["changes"]] == [present(1400), present("dockremap")]


def test_what_was_taken_back_counts_again() -> None:
    found = state(("icc", ABSENT, present(False)))
    found["undone"] = [found["changes"].pop(0)]
    job.reconcile(found, PATH, {"icc": False})
    assert left(found) == ["icc", "user"]
    assert found["undone"] == []


def test_once_in_force_what_was_taken_back_is_forgotten() -> None:
    found = state(("icc", ABSENT, present(False)))
    found["undone"] = [found["changes"].pop(0)]
    job.forget(found, PATH)
    assert (found["undone"], found["files"]) == ([], {})


def test_drop_ins_that_were_put_back_are_told_like_leaves() -> None:
    """One that is gone is forgotten, one that was taken back and is there again counts again."""
    gone, back = "/etc/systemd/system/docker.service.d/a.conf", "/b.conf"
    written = {"present": True, "sha256": "x", "uid": 0, "gid": 0, "mode": 0o644}
    found = state()
    states.record(found, "r1", "a/b", "file", gone, ABSENT, written)
    states.record(found, "r1", "a/b", "file", back, ABSENT, written)
    found["undone"] = [found["changes"].pop()]
    job.reconcile(found, PATH, {}, {gone: ABSENT, back: written})
    assert [one["target"] for one in found["changes"] if one["kind"] == "file"] == [back]


def test_secret_files_go_with_the_start_that_does_without_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not before it: where dockerd does not start, the unit that names them is put back."""
    monkeypatch.setattr(given, "DIRECTORY", str(tmp_path))
    monkeypatch.setattr(drop_ins, "LISTEN", str(tmp_path / "listen.conf"))
    path = tmp_path / "key-0123456789ab.pem"
    path.touch()
    found = state()
    states.record(found, "r1", "a/b", "file", str(path), ABSENT, managed.content(str(path)))
    found["undone"] = [found["changes"].pop()]
    job.reconcile(found, PATH, {}, {})
    assert (path.exists(), len(found["changes"])) == (True, 2)
    found["undone"] = [found["changes"].pop()]
    job.forget(found, PATH)
    assert (path.exists(), found["undone"]) == (False, [])


def test_a_new_key_that_dockerd_refused_leaves_the_old_one_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The unit of before is back and names the old file: it counts again, and so does its unit."""
    unit = tmp_path / "listen.conf"
    monkeypatch.setattr(given, "DIRECTORY", str(tmp_path))
    monkeypatch.setattr(drop_ins, "LISTEN", str(unit))
    old, new = tmp_path / "key-old.pem", tmp_path / "key-new.pem"
    found: dict[str, Any] = states.empty()
    for run, key in (("r1", old), ("r2", new)):
        key.touch()
        before = managed.content(str(unit))
        unit.write_text(f"--tlskey={key}")
        written = managed.content(str(unit))
        states.record(found, run, "a/b", "file", str(key), ABSENT, managed.content(str(key)))
        states.record(found, run, "a/b", "file", str(unit), before, written)
    found["undone"] = [found["changes"].pop(0)]
    unit.write_text(f"--tlskey={old}")
    job.reconcile(found, PATH, {}, {str(unit): managed.content(str(unit))})
    targets = [(one["run"], one["target"]) for one in found["changes"]]
    assert targets == [("r1", str(old)), ("r1", str(unit)), ("r2", str(new))]
    assert (old.exists(), new.exists(), found["undone"]) == (True, True, [])
