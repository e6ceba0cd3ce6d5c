"""Where AppArmor applies, and what its controls would do."""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import hardhost_apparmor as apparmor
from ansible.module_utils import hardhost_decisions as decisions
from ansible.module_utils import hardhost_running as running
from ansible.module_utils import hardhost_surface_apparmor as part
from ansible.module_utils import hardhost_surface_mandatory_access as surface

from tests.unit.roles.hosts import facts

Json = dict[str, Any]
FAILED = {"enabled": True, "active": False, "failed": True}
ACTIVE = {"id": part.ACTIVE, "settings": {"mandatory_access_apparmor": {"active": True}}}


def found(**changed: Any) -> Json:
    """A host on which everything is in order."""
    reading = {
        "shared": False,
        "kernel": "on",
        "mode": "enforce",
        "parser": apparmor.PARSER,
        "parser_since": 0.0,
        "service": {"enabled": True, "active": True, "failed": False},
        "profiles": {"docker-default": "enforce"},
        "grub": True,
        "prepared": False,
        "unheeded": "",
    }
    return {**reading, **changed}


def host(confines: bool = True, **changed: Any) -> Json:
    options = ["name=seccomp,profile=builtin"] + (["name=apparmor"] if confines else [])
    made = facts(info={"SecurityOptions": options})
    made["surfaces"] = {"mandatory_access": {"apparmor": found(**changed)}}
    return made


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"shared": True}, "shares its kernel"),
        ({"kernel": "absent"}, "no AppArmor"),
    ],
)
def test_it_does_not_apply_without_an_apparmor_of_ones_own(changed: Json, reason: str) -> None:
    answer = part.apparmor_possible(host(**changed), {}, ACTIVE)
    assert answer["decision"] == "not_applicable"
    assert reason in answer["reason"]


def test_it_does_not_apply_where_selinux_has_a_policy() -> None:
    labelled = host(kernel="off")
    labelled["selinux"] = {**labelled["selinux"], "enabled": True}
    answer = part.apparmor_possible(labelled, {}, ACTIVE)
    assert answer["decision"] == "not_applicable"
    assert "SELinux" in answer["reason"]


def test_without_grub_the_arguments_are_named() -> None:
    assert part.apparmor_possible(host(), {}, ACTIVE) is None
    assert part.apparmor_possible(host(kernel="off"), {}, ACTIVE) is None
    answer = part.apparmor_possible(host(kernel="off", grub=False), {}, ACTIVE)
    assert answer["decision"] == "pending"
    assert "apparmor=1 security=apparmor" in answer["remedy"]
    given = host(kernel="off", grub=False, unheeded="booted with them all the same")
    answer = part.apparmor_possible(given, {}, ACTIVE)
    assert answer["decision"] == "report", "not pending for ever: the check fails, with the reason"


def test_a_profile_waits_for_the_parser_only_where_there_is_something_to_load(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    control = {"id": "mandatory_access/apparmor_container_profile"}
    control["settings"] = {"mandatory_access_apparmor": {"profile": "hardhost-container"}}
    monkeypatch.setattr(part.managed, "different", lambda _wanted: [])
    loaded = {"hardhost-container": "enforce"}
    assert part.apparmor_loadable(host(parser="", profiles=loaded), {}, control) is None
    assert part.apparmor_loadable(host(), {}, control) is None
    held = part.apparmor_loadable(host(parser=""), {}, control)
    assert held["decision"] == "pending"
    assert "package apparmor" in held["remedy"]


@pytest.mark.parametrize(
    ("folder", "does"), [("disable", "is not loaded"), ("force-complain", "complain mode")]
)
def test_what_somebody_has_switched_off_is_left_to_him(
    folder: str, does: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """apparmor_parser looks there for the file's name, says so, and ends with 0."""
    monkeypatch.setattr(apparmor, "PROFILES", str(tmp_path))
    monkeypatch.setattr(part.managed, "different", lambda _wanted: [])
    control = {"id": "x", "settings": {"mandatory_access_apparmor": {"profile": "x"}}}
    made = host(profiles={"hardhost-container": "enforce"})
    assert part.apparmor_loadable(made, {}, control) is None
    link = tmp_path / folder / "hardhost-container"
    link.parent.mkdir()
    link.symlink_to("/etc/apparmor.d/hardhost-container")
    held = part.apparmor_loadable(made, {}, control)
    assert held["decision"] == "pending"
    assert str(link) in held["reason"]
    assert does in held["reason"]
    assert apparmor.held_back("hardhost-container-2") == {}


def test_a_service_that_has_failed_is_named_once_all_else_is_done() -> None:
    """A profile of somebody else that does not compile; docker-default is loaded all the same."""
    held = part.apparmor_startable(host(service=FAILED), {}, ACTIVE)
    assert held["decision"] == "pending"
    assert "apparmor.service" in held["reason"]
    assert "systemctl restart apparmor.service" in held["remedy"]
    assert part.apparmor_startable(host(), {}, ACTIVE) is None
    stopped = {**FAILED, "failed": False}
    assert part.apparmor_startable(host(service=stopped), {}, ACTIVE) is None
    assert part.apparmor_startable(host(service=FAILED, parser=""), {}, ACTIVE) is None
    blind = host(confines=False, service=FAILED)
    assert part.apparmor_startable(blind, {}, ACTIVE) is None, "dockerd has to be restarted"


def test_a_start_that_fails_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(words: list[str]) -> None:
        if "restart" in words:
            raise part.programs.Failed("systemctl ended with 1: Job for apparmor.service failed")

    done: list[str] = []
    stopped = found(service={**FAILED, "failed": False})
    monkeypatch.setattr(part.programs, "run", run)
    monkeypatch.setattr(part.apparmor, "read", lambda: stopped)
    monkeypatch.setattr(part.hardhost_facts, "collect", lambda: host(confines=False))
    monkeypatch.setattr(part.states, "work", lambda *_words: contextlib.nullcontext({}))
    monkeypatch.setitem(part.STEPS, "daemon", lambda *_words: done.append("daemon"))
    monkeypatch.setattr(part.package_work, "longest", lambda _inputs: 0)
    given = {"inputs": {}, "run": "x", "holder": "x"}
    answer = part.apply([ACTIVE], given, False)
    assert done == ["daemon"]
    assert answer["controls"] == {part.ACTIVE: "applied"}
    assert "journalctl -u apparmor.service" in answer["notes"][0]


@pytest.mark.parametrize("mode", [None, "complain", "enforce"])
def test_loaded_is_what_the_kernel_enforces(
    mode: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The parser ends with 0 where it has skipped a profile."""
    monkeypatch.setattr(apparmor, "load", lambda _path: None)
    monkeypatch.setattr(part.states, "owned", lambda *_words: [1])
    there = {"hardhost-container": mode} if mode else {}
    monkeypatch.setattr(apparmor, "profiles", lambda: there)
    if mode == "enforce":
        part.STEPS["load"]({}, "x", {}, {})
        return
    with pytest.raises(part.programs.Failed, match=mode or "not loaded"):
        part.STEPS["load"]({}, "x", {}, {})


@pytest.mark.parametrize("taken", [True, False])
def test_the_menu_has_to_take_the_arguments_over(
    taken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A later file of /etc/default/grub.d that sets the variable anew drops them."""
    monkeypatch.setattr(part.managed, "write", lambda *_words: [])
    monkeypatch.setattr(part.programs, "run", lambda _words: "")
    monkeypatch.setattr(apparmor, "prepared", lambda: taken)
    if taken:
        part.STEPS["boot"]({}, part.ACTIVE, {"run": "x"}, {})
        return
    with pytest.raises(part.programs.Failed, match="GRUB_CMDLINE_LINUX_DEFAULT"):
        part.STEPS["boot"]({}, part.ACTIVE, {"run": "x"}, {})


@pytest.mark.parametrize(
    ("changed", "confines", "steps"),
    [
        ({}, True, []),
        ({"parser": ""}, True, ["package", "daemon"]),
        ({"parser_since": float("inf")}, True, ["daemon"]),
        ({"parser": ""}, False, ["package", "daemon"]),
        ({"service": {"enabled": False, "active": True, "failed": False}}, True, ["service"]),
        ({"service": {"enabled": True, "active": False, "failed": False}}, True, ["start"]),
        ({"service": FAILED}, True, []),  # it would fail again
        ({"service": FAILED}, False, ["daemon"]),
        ({"service": FAILED, "parser": ""}, True, ["package", "start", "daemon"]),
        ({"kernel": "off"}, False, ["boot"]),
        ({}, False, ["daemon"]),
    ],
)
def test_what_is_missing_is_done_in_order(changed: Json, confines: bool, steps: list[str]) -> None:
    made = host(confines, **changed)
    todo = part.plan(ACTIVE, made, found(**changed))
    assert [one["do"] for one in todo] == steps
    shown = surface.changes(ACTIVE, made, {})
    assert [one["what"] for one in shown] == [one["what"] for one in todo]
    assert any("restart" in one for one in shown) == ("daemon" in steps)


def test_a_parser_that_came_later_is_no_matter_where_containers_show_that_it_is_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """dockerd 26.1.5 goes on saying `name=apparmor` and starts containers unconfined."""
    late, made = found(parser_since=float("inf")), host()
    made["containers"] = [{"name": "web", "running": True, "pid": 7}]
    process = made["process"]
    for mode, started, sees in (
        ("enforce", process["started"] + 1, True),
        ("enforce", process["started"] - 1, False),  # under live-restore, from before
        ("unconfined", process["started"] + 1, False),  # "runc (unconfined)"
    ):
        monkeypatch.setattr(apparmor, "label", lambda _pid, mode=mode: ("x", mode))
        monkeypatch.setattr(part.units, "started", lambda _pid, started=started: started)
        assert (part.blind(made, late) == "") is sees
    for version, why in (("20.10.24+dfsg1", ""), ("23.0.6", part.LATE), ("24.0.0", part.LATE)):
        made["engine"] = {**made["engine"], "version": version}
        assert part.blind(made, late) == why, "before 23.0 it asks the kernel alone"


def test_a_restart_that_is_withheld_is_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "due", lambda _facts: part.LATE)
    assert part.plan(ACTIVE, host(), found(parser_since=float("inf"))) == []


def test_controls_of_other_roles_are_not_ours() -> None:
    assert surface.changes({"id": "docker_daemon/icc", "settings": {}}, host(), {}) == []


def test_a_daemon_without_apparmor_is_announced_as_a_restart() -> None:
    made = host(confines=False)
    changes = surface.changes(ACTIVE, made, {})
    decision = {"decision": "apply", "settings": {}, "changes": changes}
    assert decisions.restart({part.ACTIVE: decision}, made, {}, [])["why"] == [part.DUE]
    held = dict(decision, decision="report")
    assert part.DUE not in decisions.restart({part.ACTIVE: held}, made, {}, [])["why"]


def test_a_restart_that_was_asked_for_counts_for_that_process_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = host()
    monkeypatch.setattr(running.units, "boot", lambda: "this boot")
    record = {"boot": "this boot", "pid": 1, "started": 1, "file": "", "due": "AppArmor"}
    made["state"]["daemon"] = dict(record)
    assert running.due(made) == "AppArmor"
    assert running.with_due(("none", []), running.due(made)) == ("restart", ["AppArmor"])
    for key, value in (("pid", 2), ("started", 2), ("boot", "another boot")):
        made["state"]["daemon"] = {**record, key: value}
        assert running.due(made) == ""


def test_the_labels_of_processes_are_read() -> None:
    """This machine's own: whatever it is, it has a name."""
    name, mode = apparmor.label(1)
    assert name
    assert mode in ("", "enforce", "complain", "mixed", "unconfined")


def test_a_container_whose_process_has_gone_is_not_called_unconfined(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """To the daemon one that is being restarted runs, with pid 0; one of `run --rm` has ended."""
    here, ended = os.getpid(), 2**22 + 1  # the second above what the kernel gives
    made = host()
    made["containers"] = [
        {"name": name, "running": True, "pid": pid}
        for name, pid in (("web", here), ("restarting", 0), ("ended", ended))
    ]
    monkeypatch.setattr(part.apparmor, "read", found)
    monkeypatch.setattr(part, "compared", lambda _found: (True, None))
    observed = part.observe(made, {}, {})
    assert [one["name"] for one in observed["containers"]] == ["web"]


def unable(_text: str) -> bytes:
    raise part.programs.Failed("no tunables/global")


@pytest.mark.parametrize("algorithm", ["sha256", "sha1"])  # Linux 6.8 and newer, and before
def test_a_policy_of_somebody_else_under_our_name_is_noticed(
    algorithm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apparmor, "SECURITY", str(tmp_path))
    monkeypatch.setattr(apparmor, "compiled", lambda text: text.encode())
    assert part.compared(found()) == (None, "the kernel gives no digest of it")
    folder = tmp_path / "apparmor/policy/profiles" / (part.profile.NAME + ".12")
    folder.mkdir(parents=True)
    for text, ours in ((part.profile.TEXT, True), (part.profile.TEXT + "#", False)):
        digest = hashlib.new(algorithm, text.encode()).hexdigest()
        (folder / f"raw_{algorithm}").write_text(digest + "\n")
        assert part.compared(found()) == (ours, None)
    assert part.compared(found(parser="")) == (None, "apparmor_parser is missing")
    monkeypatch.setattr(apparmor, "compiled", unable)
    assert part.compared(found()) == (None, "the parser failed: no tunables/global")
