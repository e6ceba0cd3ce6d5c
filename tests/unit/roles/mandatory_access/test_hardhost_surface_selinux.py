"""When controls of SELinux do not apply or are held back, and what containers need of it."""

from __future__ import annotations

import os
from typing import Any

import pytest
from ansible.module_utils import hardhost_preconditions as preconditions
from ansible.module_utils import hardhost_selinux_containers as containers
from ansible.module_utils import hardhost_selinux_policy as policy
from ansible.module_utils import hardhost_selinux_store as store
from ansible.module_utils import hardhost_surface_selinux as surface
from ansible.module_utils.hardhost_undo import stays, targets

from tests.unit.roles.hosts import Json, facts
from tests.unit.roles.mandatory_access.test_hardhost_selinux import ENFORCING, PERMISSIVE, STOCK

APPLY, REPORT = {"mode": "apply", "settings": {}}, {"mode": "report", "settings": {}}
THERE: Json = {
    "kind": "default",
    "text": policy.TEXT,
    "disabled": False,
    "loaded": True,
    "compiler": "3.8",
    "booleans": {},
    "lasting": {},
    "lines": [],
    "root": "/var/lib/docker",
    "labelled": containers.DATA,
    "right": containers.DATA,
}


def host(found: Json, given: Json = THERE, **changed: Any) -> Json:
    made = facts(**changed)
    made["surfaces"] = {"mandatory_access": {"selinux": {"host": found, "containers": given}}}
    return made


@pytest.fixture(autouse=True)
def policy_of_the_host(monkeypatch: pytest.MonkeyPatch) -> Json:
    """What the package manager would be asked."""
    answers: Json = {"policy": "known"}
    monkeypatch.setattr(store, "policy", lambda _selinux, _family: answers["policy"])
    return answers


def test_a_policy_that_does_not_know_containers_makes_it_impossible(
    policy_of_the_host: Json,
) -> None:
    assert surface.possible(host(STOCK), {}, APPLY) is None
    policy_of_the_host["policy"] = "unknown"
    found = surface.possible(host(STOCK), {}, APPLY)
    assert found["decision"] == "not_applicable"
    assert "container_t" in found["reason"]


@pytest.mark.parametrize("found", [STOCK, ENFORCING])
def test_a_shared_kernel_makes_it_impossible(found: Json) -> None:
    answer = surface.possible(host({**found, "kernel": False}), {}, APPLY)
    assert answer["decision"] == "not_applicable"


def test_a_host_with_apparmor_is_switched_only_where_that_was_chosen() -> None:
    assert surface.possible(host(STOCK), {}, REPORT)["decision"] == "not_applicable"
    assert surface.possible(host({**STOCK, "apparmor": False}), {}, REPORT) is None
    assert surface.possible(host(ENFORCING), {}, REPORT) is None


def test_the_reboot_is_the_operators() -> None:
    booted = {
        **STOCK,
        "config": {},
        "missing": [],
        "arguments": ["lsm=apparmor", "security=apparmor"],
    }
    found = surface.next_step(host(booted), {}, APPLY)
    assert found["decision"] == "pending"
    assert "lsm=apparmor, security=apparmor" in found["reason"]
    assert "reboot" in found["remedy"]
    without_grub = surface.next_step(host({**booted, "grub": False}), {}, APPLY)
    assert "security=selinux selinux=1" in without_grub["remedy"]
    assert "reboot" in surface.next_step(host({**PERMISSIVE, "relabel": True}), {}, APPLY)["remedy"]


def test_an_argument_that_enforces_over_files_without_labels_holds_it_back() -> None:
    for found in ({**STOCK, "missing": ["auditd"]}, STOCK, {**PERMISSIVE, "relabel": True}):
        held = surface.next_step(host({**found, "commanded": ["enforcing=1"]}), {}, APPLY)
        assert held["decision"] == "pending"
        assert "enforcing=1" in held["reason"]
        assert "update-grub" in held["remedy"]


def test_denials_hold_it_back_unless_accepted() -> None:
    found = host({**PERMISSIVE, "denials": [{"domain": "sshd_t", "text": "sshd_t (x): y"}]})
    assert surface.next_step(found, {}, APPLY)["decision"] == "pending"
    settings = {"mandatory_access_selinux": {"accepted_denials": ["sshd_t"]}}
    assert surface.next_step(found, {}, {"mode": "apply", "settings": settings}) is None


def test_it_lasts_only_after_a_login_under_it() -> None:
    before = {**ENFORCING, "enforced": 1000, "login": 900.0}
    assert surface.next_step(host(before), {}, APPLY)["decision"] == "pending"
    assert surface.next_step(host({**before, "login": 1001.0}), {}, APPLY) is None
    assert surface.next_step(host({**before, "login": None}), {}, APPLY) is None


def test_what_somebody_else_enforced_is_not_made_to_last() -> None:
    held = surface.next_step(host({**ENFORCING, "ours": False}), {}, APPLY)
    assert held["decision"] == "pending"
    assert "setenforce 0" in held["remedy"]
    wrong = {**ENFORCING, "domains": {"init": "kernel_t", "dockerd": "dockerd_t"}}
    assert "autorelabel" in surface.next_step(host(wrong), {}, APPLY)["remedy"]


@pytest.mark.parametrize(
    ("version", "possible"),
    [("3.8", True), ("3.6", True), ("3.10", True), ("4.0", True), ("3.5", False), ("", True)],
)
def test_our_type_needs_a_compiler_that_knows_its_rules(version: str, possible: bool) -> None:
    found = surface.compiler(host(PERMISSIVE, {**THERE, "compiler": version}), {}, APPLY)
    assert (found is None) == possible
    if found:
        assert found["decision"] == "not_applicable"
        assert "libsepol is 3.5" in found["reason"]


def test_the_policy_waits_for_a_kernel_with_selinux() -> None:
    assert surface.in_force(host(STOCK), {}, APPLY)["decision"] == "pending"
    assert surface.in_force(host(STOCK), {}, REPORT)["decision"] == "not_applicable"
    assert surface.in_force(host(PERMISSIVE), {}, APPLY) is None


def test_a_module_that_somebody_switched_off_is_not_installed_again() -> None:
    off = host(PERMISSIVE, {**THERE, "disabled": True, "loaded": False})
    held = surface.module_enabled(off, {}, APPLY)
    assert held["decision"] == "pending"
    assert held["remedy"] == "semodule -e hardhost_container"
    assert surface.module_enabled(off, {}, REPORT) is None, "there the check says it"
    assert surface.module_enabled(host(PERMISSIVE), {}, APPLY) is None


def labels(mode: str, **selinux: bool) -> Any:
    given = {"enabled": True, "enforcing": True, "containers": True, **selinux}
    control = {"mode": mode, "settings": {}}
    return preconditions.selinux_labels_usable(facts(selinux=given), {}, control)


def test_labels_need_selinux_and_a_type_for_them(
    policy_of_the_host: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preconditions.containment, "kind", str)
    assert labels("apply") is None
    assert labels("apply", enabled=False)["decision"] == "pending"
    assert labels("report", enabled=False)["decision"] == "not_applicable"
    policy_of_the_host["policy"] = "unknown"
    assert labels("apply")["decision"] == "not_applicable"
    assert labels("apply", enabled=False)["decision"] == "not_applicable"
    policy_of_the_host["policy"] = "unlisted"
    assert "package lists" in labels("apply", enabled=False)["reason"]
    monkeypatch.setattr(preconditions.containment, "kind", lambda: "docker")
    assert labels("apply", enabled=False)["decision"] == "not_applicable"


def test_another_store_is_left_only_where_nothing_goes_out_of_sight() -> None:
    control = {"mode": "apply", "settings": {}}

    def decision(driver: str, images: int, **inputs: bool) -> Any:
        found = facts(info={"Driver": driver}, images=images)
        return preconditions.selinux_storage(found, inputs, control)

    assert decision("overlay2", 3) is None
    assert decision("overlayfs", 0) is None
    assert decision("overlayfs", 3)["decision"] == "pending"
    assert decision("overlayfs", 3, docker_daemon_accept_data_root_change=True) is None


def test_nothing_is_left_to_do_where_the_kernel_has_our_text() -> None:
    assert containers.changes({}, THERE) == []
    for lacking in ({"text": None}, {"text": "(type x_t)"}, {"loaded": False}):
        shown = containers.changes({}, {**THERE, **lacking})
        assert [one["what"] for one in shown] == ["policy module hardhost_container"]


def test_booleans_are_set_where_they_differ_and_refused_where_they_are_none() -> None:
    given = {**THERE, "booleans": {"a": False, "b": True}, "lasting": {"b": True}}
    settings = {"booleans": {"a": True, "b": True}}
    assert containers.plan(settings, given)["booleans"] == {"a": [False, True]}
    assert containers.unknown({"booleans": {"a": "yes", "nosuch": True}}, given) == ["a", "nosuch"]
    control = {"mode": "apply", "settings": {"mandatory_access_selinux_policy": settings}}
    assert surface.booleans_known(host(ENFORCING, given), {}, control) is None
    lacking = {**given, "booleans": {"a": False}}
    assert "b" in surface.booleans_known(host(ENFORCING, lacking), {}, control)["reason"]


@pytest.mark.parametrize(
    ("now", "lasting", "planned", "shown"),
    [
        (True, {}, [True, True], ("boolean a at boot", None)),
        (True, {"a": False}, [False, True], ("boolean a at boot", False)),
        (False, {"a": True}, [True, True], ("boolean a", False)),
        (False, {}, [False, True], ("boolean a", False)),
        (True, {"a": True}, None, None),
    ],
)
def test_a_boolean_is_set_unless_it_is_in_force_and_recorded_for_the_next_boot(
    now: bool, lasting: Json, planned: list[bool] | None, shown: tuple[str, bool | None] | None
) -> None:
    given, settings = (
        {**THERE, "booleans": {"a": now}, "lasting": lasting},
        {"booleans": {"a": True}},
    )
    assert containers.plan(settings, given)["booleans"].get("a") == planned
    changes = [(one["what"], one["before"]) for one in containers.changes(settings, given)]
    assert changes == ([shown] if shown else [])


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"info": {"DockerRootDir": "/var/lib/docker/100000.100000"}}, ""),
        ({"info": {"DockerRootDir": "/srv/docker/100000.100000"}}, "/srv/docker /var/lib/docker"),
        ({"options": {"data-root": "/data/"}}, "/data /var/lib/docker"),
    ],
)
def test_another_data_root_gets_the_labels_of_the_standard_one(given: Json, wanted: str) -> None:
    found = facts(given.get("options"), info=given.get("info", {}))
    root = containers.data_root(found)
    assert root == os.path.realpath(root)
    assert containers.line({**THERE, "root": root}) == wanted
    known = {**THERE, "root": root, "lines": [f"{root} /var/lib/docker"]}
    assert containers.line(known) == ""


def test_a_data_root_with_other_labels_is_labelled() -> None:
    shown = containers.changes({}, {**THERE, "labelled": "default_t"})
    assert [(one["what"], one["before"]) for one in shown] == [
        ("labels of /var/lib/docker", "default_t")
    ]
    for other in ({"labelled": ""}, {"labelled": "default_t", "right": "default_t"}):
        assert containers.changes({}, {**THERE, **other}) == [], "none, or not the policy's"


def test_a_module_that_containers_were_created_with_stays() -> None:
    change = {
        "number": 1,
        "kind": "selinux_module",
        "control": "mandatory_access/selinux_container_policy",
        "target": "hardhost_container",
        "before": {"present": False},
        "after": {"present": True},
    }
    container = {"name": "web", "security_options": ["label=type:hardhost_container_t"]}
    found = targets([change])
    assert "web" in next(iter(stays(found, facts(containers=[container]), {}).values()))
    other = {"name": "web", "security_options": ["label=type:container_t"]}
    assert stays(found, facts(containers=[other]), {}) == {}
