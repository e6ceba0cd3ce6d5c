"""Undo puts back files, modes and lines, and forgets what it has put back."""

from __future__ import annotations

import json
import os
import re
import socket
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.module_utils import hardhost_facts
from ansible.module_utils import hardhost_files as files
from ansible.module_utils import hardhost_given as given
from ansible.module_utils import hardhost_managed as managed
from ansible.module_utils import hardhost_state as states

from tests.unit.roles.conftest import ROLES
from tests.unit.roles.hosts import Json, facts, module

undo = module("undo", "undo")
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="files are given to root")
ABSENT: Json = {"present": False}


def present(value: object) -> Json:
    return {"present": True, "value": value}


def root(mode: int) -> Json:
    return {"uid": 0, "gid": 0, "mode": mode}


class Host:
    """A host whose daemon.json and state are below a directory of the test."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.directory = directory
        self.path = directory / "daemon.json"
        monkeypatch.setattr(hardhost_facts, "collect", self.facts)

    def facts(self) -> Json:
        host = facts()
        data = files.read(str(self.path))
        host["daemon_json"] = {
            **host["daemon_json"],
            "path": str(self.path),
            "data": data,
            "described": files.describe(str(self.path)),
            "options": json.loads(data or b"{}"),
        }
        host["state"] = states.load()
        return host

    def had_set(self, leaf: list[str], before: Json, after: Json, run: str = "r1") -> None:
        """Record a change of daemon.json that an earlier run made."""
        with states.locked():
            state = states.load()
            states.record(
                state, run, "a/b", "daemon_json_leaf", str(self.path), before, after, leaf=leaf
            )
            states.save(state)

    def had(self, kind: str, target: Path, before: Json, after: Json, control: str = "a/b") -> None:
        """Record another change."""
        with states.locked():
            state = states.load()
            states.record(state, "r1", control, kind, str(target), before, after)
            states.save(state)

    def undo(self, check: bool = False, **parameters: Any) -> Json:
        given = {"scope": "all", "controls": [], "decisions": {}, "inputs": {}, "conflicts": "stop"}
        given.update(ended="", scope_run="")
        found: Json = undo.apply(
            {**given, "run": "r2", "holder": "ops@bastion", **parameters}, check
        )
        return found


@pytest.fixture
def host(tmp_path: Path, state_directory: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(tmp_path, monkeypatch)


def test_a_file_that_was_not_there_goes(host: Host) -> None:
    host.path.write_text('{"icc": false}')
    host.had_set(["icc"], ABSENT, present(False))
    found = host.undo()
    assert found["changed"]
    assert not host.path.exists()
    assert states.load()["changes"] == []


def test_the_old_bytes_owner_and_mode_return(host: Host) -> None:
    old = b'{"dns":["1.1.1.1"]}'
    host.path.write_text('{"dns": ["1.1.1.1"], "icc": false}')
    host.had_set(["icc"], ABSENT, present(False))
    with states.locked():
        state = states.load()
        before = {
            "present": True,
            "blob": states.keep(old),
            "uid": 0,
            "gid": 0,
            "mode": 0o640,
            "mtime_ns": 10**18,
        }
        state["files"][str(host.path)] = {"before": before, "written": ""}
        states.save(state)
    host.undo()
    assert host.path.read_bytes() == old
    assert (host.path.stat().st_mode & 0o7777, host.path.stat().st_mtime_ns) == (0o640, 10**18)


def test_of_one_run_nothing_else_is_taken_back(host: Host) -> None:
    """Where it never came, nothing changes: not what the last run of that host was."""
    host.path.write_text('{"icc": false}')
    host.had_set(["icc"], ABSENT, present(False))
    found = host.undo(scope="run", scope_run="r9")
    assert (found["changed"], found["runs"]) == (False, [])
    assert host.path.read_text() == '{"icc": false}'
    found = host.undo(scope="run", scope_run="r1")
    assert (found["changed"], found["runs"]) == (True, ["r1"])
    assert not host.path.exists()


def test_a_run_is_not_taken_back_from_under_a_later_one(host: Host) -> None:
    """Its value would count as somebody else's change."""
    host.path.write_text('{"icc": false, "mtu": 1300}')
    host.had_set(["mtu"], ABSENT, present(1400))
    host.had_set(["mtu"], present(1400), present(1300), "r5")
    found = host.undo(scope="run", scope_run="r1", conflicts="leave")
    assert not found["changed"]
    assert "run r5 has changed a/b since" in found["left"][0]
    assert len(states.load()["changes"]) == 2
    host.undo(scope="run", scope_run="r5")
    assert json.loads(host.path.read_text())["mtu"] == 1400
    host.undo(scope="run", scope_run="r1")
    assert json.loads(host.path.read_text()) == {"icc": False}


def recorded_kinds() -> set[str]:
    """The kinds that the roles record, as their code names them."""
    call = re.compile(r"""record\(\s*(?:[^\s,]+,\s*){2,3}?"(\w+)",""")
    code = [path.read_text() for path in ROLES.glob("*/*/*.py")]
    return {kind for text in code for kind in call.findall(text)}


def test_every_kind_that_is_recorded_can_be_taken_back() -> None:
    assert recorded_kinds() == set(states.KINDS)
    for kind in set(states.KINDS) - {"package"}:
        assert hasattr(undo.Work, "_plan_" + kind), kind


OLD = b'{"dns":["1.1.1.1"]}'


def closed(host: Host, extra: str = "") -> None:
    """0666 before, closed by one control; another has added a key."""
    host.path.write_text(f'{{"dns": ["1.1.1.1"], "icc": false{extra}}}')
    host.path.chmod(0o644)
    host.had_set(["icc"], ABSENT, present(False))
    host.had("permissions", host.path, root(0o666), root(0o644), "docker_files/daemon_json")
    before = {"present": True, "blob": states.keep(OLD), "mtime_ns": 10**18, **root(0o666)}
    with states.locked():
        state = states.load()
        state["files"][str(host.path)] = {"before": before, "written": ""}
        states.save(state)


@pytest.mark.parametrize("extra", ["", ', "labels": ["x=y"]'])
def test_the_mode_of_before_returns_with_the_options(extra: str, host: Host) -> None:
    closed(host, extra)
    host.undo()
    assert host.path.stat().st_mode & 0o7777 == 0o666
    assert (host.path.read_bytes() == OLD) == (not extra)
    assert states.load()["changes"] == []


def test_the_mode_stays_while_its_control_is_applied(host: Host) -> None:
    closed(host)
    host.undo(scope="controls", controls=["a/b"])
    assert host.path.read_bytes() == OLD
    assert (host.path.stat().st_mode & 0o7777, host.path.stat().st_mtime_ns) == (0o644, 10**18)
    host.undo()
    assert host.path.stat().st_mode & 0o7777 == 0o666


def test_the_options_return_without_the_time_of_our_file(host: Host) -> None:
    closed(host, ', "labels": ["x=y"]')
    os.utime(host.path, ns=(10**18, 10**18))
    host.undo()
    assert host.path.stat().st_mtime_ns != 10**18, "its bytes are new"


def test_the_mode_of_a_file_that_goes_needs_nothing(host: Host) -> None:
    host.path.write_text('{"icc": false}')
    host.path.chmod(0o644)
    host.had_set(["icc"], ABSENT, present(False))
    host.had("permissions", host.path, root(0o666), root(0o644))
    host.undo()
    assert not host.path.exists()
    assert states.load()["changes"] == []


def test_the_mode_of_a_file_that_was_replaced_returns_too(host: Host, tmp_path: Path) -> None:
    """Closed by one control, then by another replaced, which has known it closed."""
    path = tmp_path / "ca.crt"
    path.write_bytes(b"theirs")
    path.chmod(0o444)
    host.had("permissions", path, root(0o644), root(0o444), "docker_files/registry_certificates")
    with states.locked():
        state = states.load()
        managed.write(state, [managed.wanted(str(path), "ours", "a/b", 0o444)], "r1")
        states.save(state)
    host.undo()
    assert (path.read_bytes(), path.stat().st_mode & 0o7777) == (b"theirs", 0o644)


def test_until_it_is_in_force_it_can_count_again(host: Host) -> None:
    host.path.write_text('{"icc": false}')
    host.had_set(["icc"], ABSENT, present(False))
    host.undo()
    assert [change["leaf"] for change in states.load()["undone"]] == [["icc"]]


@pytest.mark.parametrize(("control", "left"), [("a/b", {}), ("a/c", {"due": "why"})])
def test_a_restart_for_a_control_that_is_taken_back_is_not_due_any_more(
    host: Host, control: str, left: Json
) -> None:
    file = host.directory / "file"
    file.write_text("ours")
    host.had("file", file, ABSENT, managed.content(str(file)))
    with states.locked():
        state = states.load()
        state["daemon"] = {"boot": "b", "pid": 1, "started": 1, "file": "", "drop_ins": {}}
        state["daemon"].update(due="why", due_for=control)
        states.save(state)
    host.undo()
    daemon = states.load()["daemon"]
    assert {key: daemon[key] for key in ("due",) if key in daemon} == left


def test_a_foreign_change_stops_it_unless_told_otherwise(host: Host) -> None:
    host.path.write_text('{"icc": true}')
    host.had_set(["icc"], ABSENT, present(False))
    with pytest.raises(undo.Refused, match="undo_conflicts: leave"):
        host.undo()
    assert len(states.load()["changes"]) == 1


@pytest.mark.parametrize("kind", ["leaf", "permissions"])
def test_left_alone_a_conflict_is_said_once(kind: str, host: Host) -> None:
    if kind == "leaf":
        host.path.write_text('{"icc": true, "ipv6": false}')
        host.had_set(["icc"], ABSENT, present(False))
        host.had_set(["ipv6"], ABSENT, present(False))
    else:
        host.path.write_text('{"ipv6": false}')
        host.path.chmod(0o666)
        host.had(
            "permissions",
            host.path,
            {"uid": 0, "gid": 0, "mode": 0o664},
            {"uid": 0, "gid": 0, "mode": 0o600},
        )
        host.had_set(["ipv6"], ABSENT, present(False))
    found = host.undo(conflicts="leave")
    assert len(found["left"]) == 1
    assert states.load()["changes"] == []


def test_modes_return(host: Host, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.touch()
    key.chmod(0o400)
    host.had(
        "permissions",
        key,
        {"uid": 65534, "gid": 0, "mode": 0o644},
        {"uid": 0, "gid": 0, "mode": 0o400},
    )
    assert host.undo(check=True)["diff"][0]["after"] == "nobody:root 0644\n"
    assert key.stat().st_mode & 0o7777 == 0o400
    host.undo()
    assert (key.stat().st_uid, key.stat().st_mode & 0o7777) == (65534, 0o644)


@pytest.mark.parametrize("mode", [0o4644, 0o644, 0o400])
def test_modes_return_where_a_run_was_killed_half_way(
    mode: int, host: Host, tmp_path: Path
) -> None:
    """The owner is ours already, the mode not yet, or without the bits that a new owner clears."""
    key = tmp_path / "key"
    key.touch()
    key.chmod(mode)
    original, ours = {"uid": 65534, "gid": 0, "mode": 0o4644}, {"uid": 0, "gid": 0, "mode": 0o400}
    host.had("permissions", key, original, ours)
    host.undo()
    assert (key.stat().st_uid, key.stat().st_mode & 0o7777) == (65534, 0o4644)


def test_modes_return_where_an_update_was_killed(host: Host, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.touch()
    key.chmod(0o640)
    host.had("permissions", key, root(0o666), root(0o640))
    host.had("permissions", key, root(0o640), root(0o600))
    host.undo()
    assert key.stat().st_mode & 0o7777 == 0o666


def test_a_file_returns_where_an_update_was_killed(host: Host, tmp_path: Path) -> None:
    """Also where the disk was full, and the run has said so."""
    path = str(tmp_path / "zz.conf")
    Path(path).write_bytes(b"before")
    with states.locked():
        state = states.load()
        managed.write(state, [managed.wanted(path, "first", "a/b")], "r1")
        second = managed.wanted(path, "second", "a/b")
        before, after = managed.kept(path), managed.aim(second)
        states.record(state, "r2", "a/b", "file", path, before, after)
        states.save(state)
    host.undo()
    assert Path(path).read_bytes() == b"before"


def test_audit_rules_go_where_an_update_was_killed(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, rules = tmp_path / "hardhost.rules", [["-w /a -p wa -k x"], ["-w /b -p wa -k x"]]
    monkeypatch.setattr(undo.audit_rules, "PATH", str(path))
    monkeypatch.setattr(undo.audit_rules, "status", lambda: {"enabled": 0})
    monkeypatch.setattr(undo.audit_rules, "program", lambda _name: "")
    monkeypatch.setattr(undo.audit_rules, "of_file", lambda _control: rules[0])
    path.write_text("-w /a -p wa -k hardhost-b\n")
    first, second = [{"present": True, "rules": one} for one in rules]
    host.had("audit_rules", Path("x"), {"present": False, "rules": []}, first)
    host.had("audit_rules", Path("x"), first, second)
    assert host.undo()["undone"] == ["the audit rules of a/b"]


def test_a_file_that_is_gone_needs_nothing(host: Host, tmp_path: Path) -> None:
    mode = {"uid": 0, "gid": 0, "mode": 0o400}
    host.had("permissions", tmp_path / "gone", {**mode, "mode": 0o644}, mode)
    assert host.undo()["left"] == []
    assert states.load()["changes"] == []


def test_a_link_in_its_place_is_not_followed(host: Host, tmp_path: Path) -> None:
    shadow, key = tmp_path / "shadow", tmp_path / "key"
    shadow.touch()
    shadow.chmod(0o400)
    key.symlink_to(shadow)
    host.had(
        "permissions", key, {"uid": 0, "gid": 0, "mode": 0o666}, {"uid": 0, "gid": 0, "mode": 0o400}
    )
    with pytest.raises(undo.Refused, match=str(key)):
        host.undo()
    assert shadow.stat().st_mode & 0o7777 == 0o400


def test_exactly_our_line_goes(host: Host, tmp_path: Path) -> None:
    subuid = tmp_path / "subuid"
    subuid.write_text("alice:100000:65536\ndockremap:165536:65536\nbob:300000:65536")
    host.had("line", subuid, ABSENT, present("dockremap:165536:65536"))
    host.undo()
    assert subuid.read_text() == "alice:100000:65536\nbob:300000:65536"


def test_a_profile_stays_for_those_who_would_not_start_without_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(undo, "confined_by", lambda _profile: [])
    for option, stays in (
        ("apparmor=hardhost-container", True),
        ("apparmor:hardhost-container", True),
        ("apparmor=hardhost-container-2", False),
    ):
        container = {"name": "web", "security_options": ["seccomp=x.json", option]}
        assert ("web" in undo.needed_by("hardhost-container", [container])) is stays


def test_a_reboot_is_named_as_what_stays(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "reboot.json"
    monkeypatch.setattr(undo.rebooted, "__defaults__", (str(file),))
    for boot, named in (("another", 1), (undo.units.boot(), 0)):
        file.write_text(json.dumps({"boot": boot, "newest": ["6.1.0-56", ""]}))
        assert len(host.undo()["left"]) == named
    file.write_text(json.dumps({"boot": "another", "newest": []}))
    assert host.undo(scope="run")["left"] == []


def test_our_line_takes_its_file_with_it_where_there_was_none(host: Host, tmp_path: Path) -> None:
    for name, there in (("ours", False), ("theirs", True)):
        (tmp_path / name).write_text("/data /var/lib/docker\n")
        before = {**ABSENT, "file": there}
        host.had("line", tmp_path / name, before, present("/data /var/lib/docker"))
    host.undo()
    assert not (tmp_path / "ours").exists()
    assert (tmp_path / "theirs").read_text() == ""


def test_our_directory_goes_only_empty(host: Host, tmp_path: Path) -> None:
    for name in ("empty", "used"):
        (tmp_path / name).mkdir()
        host.had("directory", tmp_path / name, ABSENT, {"present": True})
    (tmp_path / "used/theirs").touch()
    host.undo()
    assert not (tmp_path / "empty").exists()
    assert (tmp_path / "used/theirs").exists()


def test_nothing_is_left_of_what_a_killed_run_was_writing(host: Host, tmp_path: Path) -> None:
    """It was killed before the file got its name: nothing to put back, and a copy lies there."""
    made = tmp_path / "docker"
    made.mkdir()
    host.had("directory", made, ABSENT, {"present": True})
    host.had_set(["icc"], ABSENT, present(False))
    for folder in (tmp_path, made):
        (folder / ".hardhost-abc").write_bytes(b'{"icc": false}')
    host.undo()
    assert not list(tmp_path.rglob(".hardhost-*"))
    assert not made.exists()


def test_packages_stay_and_are_named(host: Host, tmp_path: Path) -> None:
    host.had("package", Path("docker.io"), ABSENT, present("docker.io"))
    found = host.undo()
    assert (found["changed"], len(found["left"])) == (False, 1)
    assert "docker.io" in found["left"][0]


def test_check_mode_leaves_no_trace(host: Host, state_directory: Path) -> None:
    host.path.write_text('{"icc": false}')
    host.had_set(["icc"], ABSENT, present(False))
    before = (state_directory / "state.json").read_bytes()
    assert host.undo(check=True)["changed"]
    assert host.path.read_text() == '{"icc": false}'
    assert (state_directory / "state.json").read_bytes() == before


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What was run, by its words; GRUB's tool fails where the list says so."""
    ran: list[list[str]] = []

    def run(words: list[str]) -> str:
        ran.append(words)
        if ran[0] == ["fail"]:
            raise undo.Refused("update-grub: no space left")
        return ""

    monkeypatch.setattr(undo, "run_program", run)
    monkeypatch.setattr(undo.selinux, "run", run)
    return ran


def test_a_boot_file_is_forgotten_once_the_menu_is_written(
    host: Host, tmp_path: Path, programs: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(undo, "BOOT_FILES", str(tmp_path / "grub.d"))
    drop_in = tmp_path / "grub.d/hardhost-selinux.cfg"
    drop_in.parent.mkdir()
    host.had("file", drop_in, ABSENT, ABSENT)
    programs.append(["fail"])
    with pytest.raises(undo.Refused, match="no space left"):
        host.undo()
    assert len(states.load()["changes"]) == 1
    programs[:] = [[]]
    host.undo()
    assert programs[1:] == [["update-grub"]]
    assert states.load()["changes"] == []


def refuse(*_unused: object) -> None:
    raise undo.Refused("userdel ours: user ours is currently used by process 7")


def test_what_cannot_be_taken_back_keeps_nobody_elses_from_it(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is named, and stays recorded with what else its control has set."""
    monkeypatch.setattr(undo, "remove_user", refuse)
    for name, control in (("made", "e/f"), ("under", "a/b")):
        (tmp_path / name).mkdir()
        host.had("directory", tmp_path / name, ABSENT, {"present": True}, control)
    host.had("user", Path("/etc/passwd"), ABSENT, present("ours"), "a/b")
    missing = {"present": True, "blob": files.digest(b"gone"), **root(0o644)}
    host.had("file", tmp_path / "lost.conf", missing, ABSENT, "c/d")
    for _again in range(2):
        with pytest.raises(undo.Unfinished) as stopped:
            host.undo(conflicts="leave")
        assert "not everything was taken back" in str(stopped.value)
        assert "user ours is currently used by process 7" in str(stopped.value)
        assert f"{tmp_path}/lost.conf: the kept copy" in str(stopped.value)
        assert "a/b, c/d" in str(stopped.value)
        assert not (tmp_path / "made").exists()
        assert (tmp_path / "under").exists()
        kept = [(one["control"], one["kind"]) for one in states.load()["changes"]]
        assert kept == [("a/b", "directory"), ("a/b", "user"), ("c/d", "file")]
    assert states.load()["lease"] is None


def test_what_stays_is_told_beside_what_could_not_be_taken_back(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is forgotten, so this is the only time."""
    monkeypatch.setattr(undo, "remove_user", refuse)
    host.path.write_text('{"icc": true}')
    host.had_set(["icc"], ABSENT, present(False))
    host.had("user", Path("/etc/passwd"), ABSENT, present("ours"), "c/d")
    with pytest.raises(undo.Unfinished) as stopped:
        host.undo(conflicts="leave")
    assert "icc is now True" in stopped.value.left[0]
    assert [one["kind"] for one in states.load()["changes"]] == ["user"]


SECRET = "https://ours:hunter2@notary.test/x"


def test_no_secret_is_told_with_what_is_undone_and_what_stays(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(undo, "containers_of", lambda _image: ["web"])
    host.had("line", tmp_path / "environment", ABSENT, present(f"SERVER={SECRET}"))
    host.had("image", Path("registry.test/x@sha256:1"), ABSENT, {"present": True})
    host.had("package", Path("x"), ABSENT, present(SECRET))
    found = host.undo(check=True)
    assert len(found["left"]) == 2
    assert "SERVER=" in found["undone"][0]
    assert "hunter2" not in json.dumps(found)
    monkeypatch.setattr(undo, "remove_line", refuse)
    with pytest.raises(undo.Unfinished) as stopped:
        host.undo()
    assert len(stopped.value.left) == 2
    assert "hunter2" not in json.dumps(stopped.value.left)


@pytest.mark.parametrize("state", ["not-found", "loaded"])
def test_a_unit_that_is_gone_needs_nothing(
    state: str, host: Host, programs: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(undo.units, "show", lambda _unit: {"LoadState": state})
    host.had("unit", Path("x.service"), {"enabled": False}, {"enabled": True})
    host.undo()
    ran = [] if state == "not-found" else [["systemctl", "disable", "--quiet", "x.service"]]
    assert programs == ran
    assert states.load()["changes"] == []


def had_module(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None
) -> None:
    """Our module in the policy's store, with this text by now."""
    monkeypatch.setattr(undo.selinux.store, "module_text", lambda _name: text)
    monkeypatch.setattr(undo.selinux.shutil, "which", lambda *_words, **_path: "semodule")
    after = {"present": True, "sha256": files.digest(b"(type ours_t)")}
    host.had("selinux_module", Path("hardhost_container"), ABSENT, after)


def test_our_policy_module_goes(
    host: Host, tmp_path: Path, programs: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that was switched off, which semodule -l does not name."""
    had_module(host, tmp_path, monkeypatch, "(type ours_t)")
    monkeypatch.setattr(
        undo.selinux, "run", lambda words, **_how: programs.append(words) or "container\n"
    )
    host.undo()
    assert programs == [["semodule", "-r", "hardhost_container"]]
    assert states.load()["changes"] == []


def test_a_policy_module_that_has_gone_needs_nothing(
    host: Host, tmp_path: Path, programs: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    had_module(host, tmp_path, monkeypatch, None)
    host.undo()
    assert programs == []
    assert states.load()["changes"] == []


def test_a_policy_module_with_another_text_is_a_conflict(
    host: Host, tmp_path: Path, programs: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    had_module(host, tmp_path, monkeypatch, "(type theirs_t)")
    with pytest.raises(undo.Refused, match="hardhost_container: its text"):
        host.undo()
    assert programs == []


def test_a_policy_module_goes_where_an_update_was_killed(
    host: Host, tmp_path: Path, programs: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    had_module(host, tmp_path, monkeypatch, "(type ours_t)")
    before = {"present": True, "blob": files.digest(b"(type ours_t)")}
    after = {"present": True, "sha256": files.digest(b"(type newer_t)")}
    host.had("selinux_module", Path("hardhost_container"), before, after)
    assert host.undo(check=True)["undone"] == ["SELinux: the policy module hardhost_container"]


@pytest.mark.parametrize(
    ("lasting", "stays"), [({"x": True}, True), ({"x": False}, False), ({}, False)]
)
def test_a_boolean_in_the_store_stays_and_is_named_where_selinux_is_off(
    lasting: dict[str, bool],
    stays: bool,
    host: Host,
    tmp_path: Path,
    programs: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(undo.selinux.kernel, "ROOT", str(tmp_path))
    monkeypatch.setattr(undo.selinux.store, "booleans", lambda: lasting)
    host.had("selinux_boolean", Path("x"), {"value": False}, {"value": True})
    left = host.undo()["left"]
    assert [("SELinux is off" in one, "boot with it" in one) for one in left] == [
        (True, True)
    ] * stays
    assert len(states.load()["changes"]) == stays
    assert programs == []


@pytest.mark.parametrize(("before", "wanted"), [("permissive", "0"), ("enforcing", "1")])
def test_the_kernel_is_permissive_again_where_it_was(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str, wanted: str
) -> None:
    monkeypatch.setattr(undo.selinux.kernel, "ROOT", str(tmp_path))
    monkeypatch.setattr(undo.selinux.kernel, "read", lambda: {"enabled": True})
    (tmp_path / "enforce").write_text("1")
    host.had("selinux_mode", Path("kernel"), {"value": before}, {"value": "enforcing"})
    host.undo()
    assert (tmp_path / "enforce").read_text() == wanted


def test_a_state_that_cannot_be_read_is_left_alone(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardhost_facts, "collect", lambda: facts(state_error="has version 2"))
    with pytest.raises(undo.Refused, match="version 2"):
        host.undo()


def opened_socket(path: Path) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    made.bind(str(path))
    path.chmod(0o660)
    return made


@pytest.mark.parametrize("case", ["the same", "made anew", "made anew by our drop-in"])
def test_a_socket_is_opened_again_only_where_it_is_that_one(
    case: str, host: Host, tmp_path: Path
) -> None:
    """Somebody had opened the one of before; the host was booted, and that of today is closed."""
    path, drop_in = tmp_path / "docker.sock", tmp_path / "zz.conf"
    mode = {"uid": 0, "gid": 0, "mode": 0o660}
    host.had("permissions", path, {**mode, "mode": 0o666}, mode)
    with opened_socket(path):
        later = 0 if case == "the same" else 60
        os.utime(path, (time.time() + later, time.time() + later))
        if case == "made anew by our drop-in":
            drop_in.write_text("x")
            host.had("file", drop_in, ABSENT, managed.content(str(drop_in)))
        found = host.undo()
        assert path.stat().st_mode & 0o777 == (0o660 if case == "made anew" else 0o666)
        assert bool(found["left"]) == (case == "made anew")
    assert states.load()["changes"] == []


def test_members_go_back_one_by_one(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[Any] = []
    monkeypatch.setattr(undo, "run_program", called.append)
    for user, here in (("nobody", True), ("daemon", False), ("nobody-knows", False)):
        after = {"present": here, "value": user}
        host.had("member", Path("docker-test"), {"present": not here}, after)
    line = SimpleNamespace(gr_mem=["nobody"])
    monkeypatch.setattr(undo.grp, "getgrnam", lambda _name: line)
    assert len(host.undo(check=True)["undone"]) == 3
    assert called == []
    host.undo()
    assert called == [
        ["gpasswd", "--add", "daemon", "docker-test"],
        ["gpasswd", "--delete", "nobody", "docker-test"],
    ]
    assert states.load()["changes"] == []


def leased(run: str, process: Json | None = None) -> None:
    with states.locked():
        state = states.load()
        states.claim(state, run, "ops@bastion", process=process)
        states.save(state)


def test_a_host_is_taken_over_from_a_run_that_has_ended(host: Host) -> None:
    leased("r1")
    host.undo(check=True, ended="r1")
    assert states.load()["lease"]["run"] == "r1", "check mode has written"
    host.undo(ended="r0")
    assert states.load()["lease"]["run"] == "r1", "the lease of another run"
    host.undo(ended="r1")
    assert states.load()["lease"] is None


def test_what_is_still_at_work_on_the_host_keeps_its_lease(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection was cut, and the module or the restart job goes on."""
    leased("r1", states.this_process())
    host.undo(ended="r1")
    assert states.load()["lease"]["run"] == "r1"
    leased("r1")
    monkeypatch.setattr(undo.units, "job_runs", lambda: True)
    host.undo(ended="r1")
    assert states.load()["lease"]["run"] == "r1"


def test_a_secret_file_waits_for_dockerd_to_start_without_it(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the directories above it: docker_restart removes them, or the unit comes back."""
    folder = tmp_path / "docker/hardhost-tls"
    monkeypatch.setattr(given, "DIRECTORY", str(folder))
    folder.mkdir(parents=True)
    for path in (folder.parent, folder):
        host.had("directory", path, ABSENT, {"present": True})
    path = folder / "key-0123456789ab.pem"
    path.touch()
    host.had("file", path, ABSENT, managed.content(str(path)))
    assert str(path) in host.undo()["undone"]
    assert path.exists()
    state = states.load()
    assert state["changes"] == []
    assert [one["target"] for one in state["undone"]] == [
        str(path),
        str(folder),
        str(folder.parent),
    ]
    given.settle(state)
    assert not folder.parent.exists()
