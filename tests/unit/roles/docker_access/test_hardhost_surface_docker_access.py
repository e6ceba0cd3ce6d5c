"""Who is added and taken out, which sockets are changed, and when a control is held back."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import hardhost_group as group
from ansible.module_utils import hardhost_permissions as permissions
from ansible.module_utils import hardhost_sockets as sockets
from ansible.module_utils import hardhost_surface_docker_access as surface
from ansible.module_utils import hardhost_unit_files as unit_files

from tests.unit.roles.hosts import facts

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="owners are changed")


def there(**changed: Any) -> dict[str, Any]:
    found = {"gid": 999, "listed": ["ann", "bob"], "primary": [], "local": ["ann", "bob"]}
    return {**found, **changed}


def test_exactly_the_named_users() -> None:
    assert group.edits(there(), ["bob", "eve"]) == [("eve", True), ("ann", False)]
    assert group.edits(there(), ["ann", "bob"]) == []


def test_root_stands_for_nobody() -> None:
    assert group.edits(there(), ["root"]) == [("ann", False), ("bob", False)]
    assert group.edits(there(listed=["root"], local=["root"]), ["root"]) == []
    assert group.missing(there(), ["root"]) == []


def test_a_primary_group_is_membership_too() -> None:
    found = there(primary=["eve"])
    assert group.edits(found, ["ann", "bob", "eve"]) == []
    assert group.strangers(found, ["ann", "bob"])["primary"] == ["eve"]


def test_members_of_a_directory_service_are_not_edited() -> None:
    found = there(listed=["ann", "ldap"], local=["ann"])
    assert group.edits(found, ["ann"]) == []
    assert group.strangers(found, ["ann"])["listed"] == ["ldap"]


def test_the_line_of_a_group(tmp_path: Path) -> None:
    file = tmp_path / "group"
    file.write_text("mydocker:x:1:x\ndocker:x:999:ann,bob\nempty:x:2:\n")
    assert group.local("docker", str(file)) == ["ann", "bob"]
    assert group.local("empty", str(file)) == []
    assert group.local("none", str(file)) is None


def test_processes_that_hold_a_group_are_found_by_number() -> None:
    own = os.getgid()
    found = group.holders(own, [])
    assert (os.getuid() == 0) or any(os.getpid() in pids for pids in found.values())


MEMBERS = {"id": "docker_access/docker_group_members"}


@pytest.mark.parametrize(
    ("found", "wanted", "said"),
    [
        (None, ["root"], "there is no group docker"),
        (there(local=None), ["root"], "directory service"),
        (there(), ["nobody-knows"], "the host has no user nobody-knows"),
        (there(primary=["eve"]), ["root"], "primary group of eve"),
    ],
)
def test_held_back(
    found: Any, wanted: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group, "members", lambda: found)
    control = {**MEMBERS, "settings": {"docker_access_group": {"members": wanted}}}
    decision = surface.docker_group_changeable(facts(), {}, control)
    assert decision["decision"] == "pending"
    assert said in decision["reason"]
    assert decision["remedy"]


def test_nobody_is_removed_without_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group, "members", there)
    control = {**MEMBERS, "settings": {"docker_access_group": {}}}
    assert surface.changes(control, facts(), {}) == []


@pytest.fixture
def unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """docker.socket as Debian packages it, and where drop-ins go."""
    folder = tmp_path / "docker.socket.d"
    folder.mkdir()
    (tmp_path / "docker.socket").write_text(
        "[Socket]\nListenStream=/run/docker.sock\nSocketMode=0660\nSocketUser=root\n"
        "SocketGroup=docker\n"
    )
    monkeypatch.setattr(unit_files, "DIRECTORIES", (str(tmp_path),))
    return folder


RULE = {"owner": "root", "group": "docker", "mode": "0660"}


def test_the_packaged_unit_is_left_alone(unit: Path) -> None:
    following = sockets.next_docker(facts())
    assert following["maker"] == "docker.socket"
    assert sockets.kept(following, RULE)
    (unit / "a.conf").write_text("[Socket]\nSocketMode=0600\n")
    assert sockets.kept(sockets.next_docker(facts()), RULE), "stricter is fine"


@pytest.mark.parametrize("line", ["SocketMode=0666", "SocketGroup=users", "SocketUser=me"])
def test_an_override_is_seen(line: str, unit: Path) -> None:
    (unit / "override.conf").write_text(f"[Socket]\n{line}\n")
    assert not sockets.kept(sockets.next_docker(facts()), RULE)


def test_without_socket_activation_dockerd_makes_it() -> None:
    found = sockets.next_docker(facts({"group": "users"}, flags={"hosts": ["unix:///x"]}))
    assert (found["maker"], found["group"]) == ("dockerd", "users")


def test_what_containerd_is_told(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    assert sockets.next_containerd(str(file))["group"] == "root"
    file.write_text("[debug]\n  gid = 5\n[grpc]\n  gid = 4242424\n[ttrpc]\n  gid = 7\n")
    assert sockets.next_containerd(str(file))["group"] == "4242424"


@needs_root
def test_a_socket_is_given_owner_and_mode(tmp_path: Path) -> None:
    path = tmp_path / "x.sock"
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))
        path.chmod(0o666)
        before = {"uid": os.getuid(), "gid": os.getgid(), "mode": 0o666}
        assert permissions.paths(str(path), {}) == [str(path)]
        permissions.change(str(path), {"uid": 0, "gid": 7, "mode": 0o660}, before)
    assert (path.stat().st_mode & 0o7777, path.stat().st_gid) == (0o660, 7)


def settable(host: dict[str, Any], rule: dict[str, str]) -> Any:
    control = {"id": "x", "settings": {"docker_access_sockets": {sockets.DOCKER: rule}}}
    return surface.docker_socket_settable(host, {}, control)


def test_a_group_that_is_not_there_holds_the_socket_back(unit: Path) -> None:
    found = settable(facts(), {**RULE, "group": "nobody-knows"})
    assert found["decision"] == "pending"
    assert "nobody-knows" in found["reason"]


def test_an_engine_to_be_installed_brings_the_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "DOCKER", "/nowhere/docker.sock")
    host = facts(engine={"installed": False, "running": False})
    assert settable(host, {**RULE, "group": "nobody-knows"}) is None


def test_a_socket_that_dockerd_gives_to_others_is_held_back() -> None:
    given = {**RULE, "group": "root"}
    host = facts({"group": "users"}, flags={"hosts": ["unix:///x"]})
    assert "root:users" in settable(host, given)["reason"]
    host = facts({"group": "root"}, flags={"hosts": ["unix:///x"]})
    assert settable(host, given) is None
