"""What the module writes into homes, and what it refuses to write."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible.module_utils import hardhost_managed as managed
from ansible.module_utils import hardhost_state as states

from tests.unit.roles.hosts import module

image_trust = module("image_trust", "image_trust")
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="files are given to other users")
CONTROL = "image_trust/content_trust"
NOBODY = 65534


def wanted(home: Path) -> dict[str, object]:
    path = str(home / ".docker/tls/a.test:4443/ca.crt")
    found: dict[str, object] = managed.wanted(path, "text\n", CONTROL, 0o644, NOBODY, NOBODY)
    return found


def test_directories_of_a_client_belong_to_its_user(tmp_path: Path, state_directory: Path) -> None:
    with states.work("run", "me") as state:
        image_trust.write(
            state,
            {CONTROL: {"files": [wanted(tmp_path)], "lines": [], "unwanted_lines": []}},
            "run",
        )
    for name in (".docker", ".docker/tls", ".docker/tls/a.test:4443"):
        status = (tmp_path / name).stat()
        assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (NOBODY, NOBODY, 0o700)
    kinds = [change["kind"] for change in states.load()["changes"]]
    assert kinds == ["directory", "directory", "directory", "file"]


def test_no_link_is_followed_out_of_a_home(tmp_path: Path, state_directory: Path) -> None:
    elsewhere, home = tmp_path / "elsewhere", tmp_path / "home"
    elsewhere.mkdir()
    (home / ".docker").mkdir(parents=True)
    (home / ".docker/tls").symlink_to(elsewhere)
    with (
        pytest.raises(image_trust.Refused, match="leads elsewhere"),
        states.work("run", "me") as state,
    ):
        image_trust.write(
            state, {CONTROL: {"files": [wanted(home)], "lines": [], "unwanted_lines": []}}, "run"
        )
    assert list(elsewhere.iterdir()) == []
    assert states.load()["lease"] is None


def test_an_undo_removes_what_was_written_and_the_directories_made_for_it(
    tmp_path: Path, state_directory: Path
) -> None:
    undo = module("undo", "undo")
    with states.work("run", "me") as state:
        image_trust.write(
            state,
            {CONTROL: {"files": [wanted(tmp_path)], "lines": [], "unwanted_lines": []}},
            "run",
        )
    for change in reversed(states.load()["changes"]):
        if change["kind"] == "file":
            undo.put_back(change["target"], change["before"])
        else:
            undo.remove_directory(change["target"])
    assert list(tmp_path.glob(".docker*")) == []
