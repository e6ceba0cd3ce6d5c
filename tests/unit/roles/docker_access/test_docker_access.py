"""Members and sockets: recorded before they are changed, one by one; nothing in check mode."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import hardhost_facts
from ansible.module_utils import hardhost_group as group
from ansible.module_utils import hardhost_sockets as sockets
from ansible.module_utils import hardhost_state as states
from ansible.module_utils import hardhost_unit_files as unit_files

from tests.unit.roles.hosts import Json, facts, module

docker_access = module("docker_access", "docker_access")
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="owners are changed")
MEMBERS = {
    "id": "docker_access/docker_group_members",
    "settings": {"docker_access_group": {"members": ["deploy"]}},
}


class Group:
    """The line of a group, changed by the words that gpasswd would be given."""

    def __init__(self, *members: str) -> None:
        self.members, self.records = list(members), [0]

    def found(self) -> Json:
        there = sorted(self.members)
        return {"gid": 999, "listed": there, "primary": [], "local": there}

    def call(self, words: list[str]) -> None:
        self.records.append(len(states.load()["changes"]))
        if words[:2] == ["gpasswd", "--add"]:
            self.members.append(words[2])
        elif words[:2] == ["gpasswd", "--delete"]:
            self.members.remove(words[2])


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch, state_directory: Path) -> Group:
    made = Group("ann", "bob")
    monkeypatch.setattr(hardhost_facts, "collect_configured", facts)
    monkeypatch.setattr(group, "members", made.found)
    monkeypatch.setattr(docker_access.programs, "run", made.call)
    return made


def apply(*controls: Json, check: bool = False) -> Json:
    given = {"controls": list(controls), "run": "r1", "holder": "ops@bastion"}
    found: Json = docker_access.apply(given, check)
    return found


def test_one_by_one_and_recorded_before(line: Group) -> None:
    assert apply(MEMBERS)["changed"]
    assert line.members == ["deploy"]
    assert line.records == [0, 1, 2, 3]
    told = [
        (one["after"]["value"], one["before"]["present"], one["after"]["present"])
        for one in states.load()["changes"]
    ]
    assert told == [("deploy", False, True), ("ann", True, False), ("bob", True, False)]
    assert not apply(MEMBERS)["changed"]


def test_check_mode_shows_and_writes_nothing(line: Group, state_directory: Path) -> None:
    found = apply(MEMBERS, check=True)
    assert [(one["before"], one["after"]) for one in found["diff"]] == [
        ("", "deploy\n"),
        ("ann\n", ""),
        ("bob\n", ""),
    ]
    assert (line.members, state_directory.exists()) == (["ann", "bob"], False)


@pytest.fixture
def opened(
    tmp_path: Path, line: Group, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, Any]]:
    """A socket that is open to all, by an override of its unit; the control that closes it."""
    path, folder = tmp_path / "docker.sock", tmp_path / "docker.socket.d"
    folder.mkdir()
    (folder / "override.conf").write_text("[Socket]\nSocketMode=0666\n")
    monkeypatch.setattr(unit_files, "DIRECTORIES", (str(tmp_path),))
    monkeypatch.setattr(sockets, "DOCKER", str(path))
    monkeypatch.setattr(sockets, "DROP_IN", str(folder / "zz-hardhost-access.conf"))
    rule = {"owner": "root", "group": "root", "mode": "0660"}
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))
        path.chmod(0o666)
        yield {
            "path": path,
            "folder": folder,
            "control": {
                "id": "docker_access/docker_socket",
                "settings": {"docker_access_sockets": {str(path): rule}},
            },
        }


def test_the_socket_and_the_next_one(opened: dict[str, Any]) -> None:
    assert apply(opened["control"])["changed"]
    assert opened["path"].stat().st_mode & 0o777 == 0o660
    assert "SocketMode=0660" in (opened["folder"] / "zz-hardhost-access.conf").read_text()
    assert {one["kind"] for one in states.load()["changes"]} == {"file", "permissions"}
    assert not apply(opened["control"])["changed"]


def test_a_stricter_socket_stays(opened: dict[str, Any]) -> None:
    (opened["folder"] / "override.conf").write_text("[Socket]\nSocketMode=0600\nSocketGroup=root\n")
    opened["path"].chmod(0o600)
    assert not apply(opened["control"])["changed"]
