"""Which rules a control means on a host, when it is held back, and what would change."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import hardhost_audit_rules as audit_rules
from ansible.module_utils import hardhost_surface_docker_audit as surface

from tests.unit.roles.hosts import facts

Json = dict[str, Any]
REACHABLE = {"error": 0, "enabled": 1, "pid": 700}


def control(paths: Json, name: str = "etc_docker") -> Json:
    return {"id": f"docker_audit/{name}", "settings": {"docker_audit_paths": paths}}


def host(rules: list[str] | None = None, status: Json | None = None, **read: Any) -> Json:
    found = {
        "status": {**REACHABLE, **(status or {})},
        "installed": True,
        "active": True,
        "version": "3.0.9",
        "rules": rules or [],
        "by_hand": [],
        **read,
    }
    return facts(surfaces={"docker_audit": found})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory to watch, and a rules file of its own."""
    monkeypatch.setattr(audit_rules, "PATH", str(tmp_path / "00-hardhost.rules"))
    watched = tmp_path / "watched"
    watched.mkdir()
    (watched / "file").write_text("")
    return watched


def test_auditd_3_gets_watches(folder: Path) -> None:
    one = control({str(folder): {"perm": "wa"}})
    assert surface.rules(one, host(), "3.0.9") == [f"-w {folder} -p wa -k hardhost-etc_docker"]


def test_auditd_4_gets_a_rule_per_architecture(folder: Path) -> None:
    one = control({str(folder): {"perm": "wa"}, str(folder / "file"): {"perm": "wxa"}})
    rule = "-a always,exit -F arch={} -F {}={} -F perm={} -k hardhost-etc_docker"
    assert surface.rules(one, host(), "4.0.2", "x86_64") == [
        rule.format(architecture, kind, path, perm)
        for kind, path, perm in (("dir", folder, "wa"), ("path", folder / "file", "wxa"))
        for architecture in ("b64", "b32")
    ]
    assert len(surface.rules(one, host(), "4.0.2", "aarch64")) == 2


def test_rules_for_people_leave_services_out(folder: Path) -> None:
    one = control({str(folder): {"perm": "wa", "who": "people"}})
    for version in ("3.0.9", "4.0.2"):
        found = surface.rules(one, host(), version, "x86_64")
        assert all("-F auid!=unset" in rule for rule in found)
        assert len(found) == 2


def test_what_is_not_there_has_no_rule_and_a_link_is_followed(folder: Path) -> None:
    (folder.parent / "link").symlink_to(folder)
    one = control({str(folder.parent / "link"): {"perm": "wa"}, "/nowhere/at/all": {"perm": "wa"}})
    assert surface.rules(one, host(), "3.0.9") == [f"-w {folder} -p wa -k hardhost-etc_docker"]


def test_the_data_root_is_the_configured_one_and_not_that_of_a_range(folder: Path) -> None:
    below = facts(info={"DockerRootDir": f"{folder}/100000.100000"})
    assert surface.paths("data_root", below) == [str(folder)]


def test_programs_are_where_they_really_are(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = folder / "containerd"
    program.write_text("")
    program.chmod(0o755)
    monkeypatch.setattr(surface, "PROGRAMS", str(folder))
    assert surface.paths("program:containerd", facts()) == [str(program)]
    assert surface.paths("program:runc", facts()) == []


def test_of_two_dockerd_the_one_that_the_unit_starts(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "dockerd").write_text("")
    (folder / "dockerd").chmod(0o755)
    monkeypatch.setattr(surface, "PROGRAMS", str(folder))
    started = facts(engine={"binary": str(folder / "file")})
    assert surface.paths("program:dockerd", started) == [str(folder / "file")]


@pytest.mark.parametrize("name", ["with blank", "line\nbreak", "umlaut-ä"])
def test_a_path_that_would_be_another_rule_is_held_back(folder: Path, name: str) -> None:
    (folder / name).write_text("")
    one = control({str(folder / name): {"perm": "wa"}})
    found = surface.audited_paths_present(host(), {}, one)
    assert found["decision"] == "pending"
    assert surface.rules(one, host(), "3.0.9") == []


def test_nothing_to_watch_is_not_applicable_unless_we_make_it() -> None:
    none = surface.audited_paths_present(host(), {}, control({"/nowhere": {"perm": "wa"}}))
    assert none["decision"] == "not_applicable"
    assert "/nowhere" in none["reason"]
    absent = facts(daemon_json={"path": "/nowhere/daemon.json"})
    assert (
        surface.audited_paths_present(absent, {}, control({"daemon_json": {"perm": "wa"}})) is None
    )


def test_what_this_run_makes_is_watched_by_this_run(folder: Path) -> None:
    """The role has to run, though nothing is there yet when preflight looks."""
    one = control({"daemon_json": {"perm": "wa"}}, "daemon_json")
    read = host()["surfaces"]
    absent = facts(daemon_json={"path": f"{folder}/daemon.json"}, surfaces=read)
    (change,) = surface.changes(one, absent, {})
    assert "as soon as it is there" in change["after"]
    (folder / "daemon.json").write_text("{}")
    (change,) = surface.changes(one, absent, {})
    assert change["after"] == f"-w {folder}/daemon.json -p wa -k hardhost-daemon_json"


@pytest.mark.parametrize("number", [errno.EPERM, errno.ECONNREFUSED])
def test_a_shared_kernel_is_not_applicable(number: int) -> None:
    found = surface.audit_reachable(host(status={"error": number}), {}, control({}))
    assert found["decision"] == "not_applicable"
    assert "machine below" in found["reason"]


def test_a_kernel_started_without_it_is_held_back() -> None:
    found = surface.audit_reachable(host(status={"error": errno.EPROTONOSUPPORT}), {}, control({}))
    assert found["decision"] == "pending"
    assert "audit=0" in found["remedy"]
    assert surface.audit_reachable(host(), {}, control({})) is None


def usable(install: bool = True, **read: Any) -> Json | None:
    found: Json | None = surface.auditd_usable(
        host(**read), {"docker_audit_install": install}, control({})
    )
    return found


def test_an_auditd_that_somebody_stopped_is_not_started() -> None:
    found = usable(active=False)
    assert found is not None
    assert found["decision"] == "pending"
    assert usable() is None
    assert usable(installed=False, active=False) is None


def test_an_auditd_that_may_not_be_installed_is_waited_for() -> None:
    found = usable(installed=False, active=False, install=False)
    assert found is not None
    assert "docker_audit_install is false" in found["reason"]
    assert usable(install=False) is None


def test_rules_that_augenrules_would_lose_hold_everything_back() -> None:
    assert surface.rules_merged(host(), {}, control({})) is None
    found = surface.rules_merged(host(by_hand=["-w /etc/shadow -p wa -k mine"]), {}, control({}))
    assert found["decision"] == "pending"
    assert "-w /etc/shadow -p wa -k mine" in found["reason"]


def kept(one: Json) -> list[str]:
    """Write the rules file as a converge leaves it, and return its rules."""
    rules: list[str] = surface.rules(one, host(), "3.0.9")
    Path(audit_rules.PATH).write_bytes(audit_rules.text({one["id"]: rules}, tolerant=False) or b"")
    return rules


def test_a_host_in_order_has_no_change(folder: Path) -> None:
    one = control({str(folder): {"perm": "wa"}})
    assert surface.changes(one, host(kept(one)), {}) == []


def test_missing_in_the_file_or_in_the_kernel_is_a_change(folder: Path) -> None:
    one = control({str(folder): {"perm": "wa"}})
    assert [change["what"] for change in surface.changes(one, host(), {})] == [audit_rules.PATH]
    kept(one)
    assert [change["what"] for change in surface.changes(one, host(), {})] == [
        "rules in the kernel"
    ]


def test_a_locked_kernel_has_nothing_left_to_do(folder: Path) -> None:
    one = control({str(folder): {"perm": "wa"}})
    kept(one)
    assert surface.changes(one, host(status={"enabled": 2}), {}) == []


def test_recording_that_was_switched_off_is_a_change(folder: Path) -> None:
    one = control({str(folder): {"perm": "wa"}})
    off = host(kept(one), status={"enabled": 0})
    assert [change["what"] for change in surface.changes(one, off, {})] == [
        "recording of audit events"
    ]


def test_the_package_is_a_change_where_it_is_missing(folder: Path) -> None:
    one = control({str(folder): {"perm": "wa"}})
    stock = host(installed=False, active=False, status={"enabled": 0})
    assert [change["what"] for change in surface.changes(one, stock, {})] == [
        "auditd",
        audit_rules.PATH,
    ]


def test_the_lock_is_a_file_and_a_state_of_the_kernel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(surface, "LOCK", str(tmp_path / "zz-hardhost-lock.rules"))
    one = {
        "id": "docker_audit/rules_immutable",
        "settings": {"docker_audit_rules": {"immutable": True}},
    }
    found = [change["what"] for change in surface.changes(one, host(), {})]
    assert found == [surface.LOCK, "audit rules"]
    planned = surface.plan(one, host(), host()["surfaces"]["docker_audit"])
    assert planned["files"][0]["data"] == b"-e 2\n"
    assert planned["rules"] == []
