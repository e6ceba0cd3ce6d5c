"""All paths of all controls in one plan; each answers for itself."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import hardhost_facts
from ansible.module_utils import hardhost_state as states

from tests.unit.roles.hosts import facts, module

path_permissions = module("docker_files", "path_permissions")
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="files are given to root")


def control(name: str, rules: dict[str, str], owner: str = "root") -> dict[str, Any]:
    paths = {
        subject: {"owner": owner, "group": "root", "mode": mode} for subject, mode in rules.items()
    }
    return {"id": f"docker_files/{name}", "settings": {"docker_files_paths": paths}}


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.touch()
    path.chmod(0o664)
    return path


@pytest.fixture(autouse=True)
def host(state_directory: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host of which the unit is not asked; the directory of its state."""
    monkeypatch.setattr(hardhost_facts, "collect_configured", facts)
    return state_directory


def applied(*controls: dict[str, Any], check: bool = False) -> dict[str, Any]:
    given = {"controls": list(controls), "run": "r1", "holder": "ops@bastion"}
    found: dict[str, Any] = path_permissions.apply(given, check)
    return found


def test_it_answers_per_control(key: Path, tmp_path: Path) -> None:
    (tmp_path / "fine").touch(0o600)
    found = applied(
        control("key", {str(key): "0600"}), control("fine", {f"{tmp_path}/fine": "0644"})
    )
    assert found["controls"] == {"docker_files/key": "applied", "docker_files/fine": "unchanged"}
    assert (found["changed"], found["paths"]) == (True, [str(key)])
    assert key.stat().st_mode & 0o7777 == 0o600


def test_a_second_time_nothing_changes(key: Path, host: Path) -> None:
    applied(control("key", {str(key): "0600"}))
    before = (host / "state.json").read_bytes()
    found = applied(control("key", {str(key): "0600"}))
    assert (found["changed"], found["diff"]) == (False, [])
    assert (host / "state.json").read_bytes() == before


def test_every_change_is_recorded(key: Path) -> None:
    applied(control("key", {str(key): "0600"}))
    (change,) = states.load()["changes"]
    assert {
        name: change[name] for name in ("control", "kind", "target", "before", "after", "run")
    } == {
        "control": "docker_files/key",
        "kind": "permissions",
        "target": str(key),
        "before": {"uid": 0, "gid": 0, "mode": 0o664},
        "after": {"uid": 0, "gid": 0, "mode": 0o600},
        "run": "r1",
    }
    assert states.load()["lease"]["run"] == "r1"


def test_the_record_is_there_before_the_change(key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded: list[int] = []

    def cut(*_given: Any) -> None:
        recorded.append(len(states.load()["changes"]))
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(path_permissions.permissions, "change", cut)
    with pytest.raises(path_permissions.Refused, match=f"{key}: Read-only file system"):
        applied(control("key", {str(key): "0600"}))
    assert recorded == [1]


def test_check_mode_shows_and_leaves_no_trace(key: Path, host: Path) -> None:
    found = applied(control("key", {str(key): "0600"}), check=True)
    assert found["changed"]
    assert found["diff"] == [
        {
            "before": "root:root 0664\n",
            "after": "root:root 0600\n",
            "before_header": str(key),
            "after_header": str(key),
        }
    ]
    assert key.stat().st_mode & 0o7777 == 0o664
    assert not host.exists()


def test_a_link_is_resolved_and_its_end_recorded(key: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(key)
    assert applied(control("link", {f"{tmp_path}/link": "0600"}))["paths"] == [str(key)]


def test_two_controls_for_one_file_agree_on_the_least(key: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(key)
    controls = [control("a", {str(key): "0640"}), control("b", {f"{tmp_path}/link": "0604"})]
    assert applied(*controls)["changed"]
    assert key.stat().st_mode & 0o7777 == 0o600
    assert not applied(*controls)["changed"]


def test_two_owners_for_one_file_are_refused(key: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(key)
    with pytest.raises(
        path_permissions.Refused,
        match="docker_files/b wants it to be nobody:root 0664, another control",
    ):
        applied(
            control("a", {str(key): "0664"}),
            control("b", {f"{tmp_path}/link": "0664"}, owner="nobody"),
        )


def test_another_run_keeps_it_away(key: Path) -> None:
    applied(control("key", {str(key): "0600"}))
    key.chmod(0o664)
    given = {"controls": [control("key", {str(key): "0600"})], "run": "r2", "holder": "dev@laptop"}
    with pytest.raises(states.StateError, match="run r1 of ops@bastion"):
        path_permissions.apply(given, False)
    assert key.stat().st_mode & 0o7777 == 0o664
