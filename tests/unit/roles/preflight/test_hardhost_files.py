"""A reader sees the old bytes or the new ones, never a part."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest
from ansible.module_utils import hardhost_files as files


def mine() -> dict[str, int]:
    return {"uid": os.getuid(), "gid": os.getgid(), "mode": 0o640}


def test_owner_mode_and_time_are_as_asked(tmp_path: Path) -> None:
    path = str(tmp_path / "file")
    files.replace(path, b"new", {**mine(), "mtime_ns": 1_600_000_000_000_000_000})
    assert files.read(path) == b"new"
    assert files.describe(path) == {**mine(), "mtime_ns": 1_600_000_000_000_000_000}
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real")
    files.replace(str(tmp_path / "link"), b"new", mine())
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


def test_the_old_file_stays_when_writing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        files.replace(str(path), b"new", mine())
    assert path.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_nothing_is_none(tmp_path: Path) -> None:
    assert files.read(str(tmp_path / "none")) is None
    assert files.describe(str(tmp_path / "none")) is None
    files.remove(str(tmp_path / "none"))


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        files.read(str(tmp_path))


def test_what_a_killed_writer_left_is_swept_and_a_living_one_is_not(tmp_path: Path) -> None:
    (tmp_path / ".hardhost-dead").write_bytes(b"secret")
    with (tmp_path / ".hardhost-alive").open("w") as alive:
        fcntl.flock(alive, fcntl.LOCK_EX)
        files.replace(str(tmp_path / "file"), b"1", mine())
        assert {path.name for path in tmp_path.iterdir()} == {".hardhost-alive", "file"}


def test_who_removes_sweeps_too(tmp_path: Path) -> None:
    (tmp_path / ".hardhost-dead").write_bytes(b"secret")
    files.remove(str(tmp_path / "file"))
    assert list(tmp_path.iterdir()) == []


def test_removing_leaves_the_link(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("1")
    (tmp_path / "link").symlink_to("file")
    files.remove(str(tmp_path / "link"))
    assert [path.name for path in tmp_path.iterdir()] == ["link"]
