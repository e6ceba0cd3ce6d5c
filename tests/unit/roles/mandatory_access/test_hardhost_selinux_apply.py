"""What a step does: recorded first, refused where it is not safe, ended by the next run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import hardhost_facts
from ansible.module_utils import hardhost_selinux as selinux
from ansible.module_utils import hardhost_selinux_apply as work
from ansible.module_utils import hardhost_selinux_containers as containers
from ansible.module_utils import hardhost_selinux_host as host
from ansible.module_utils import hardhost_selinux_kernel as kernel
from ansible.module_utils import hardhost_selinux_policy as policy
from ansible.module_utils import hardhost_selinux_store as store
from ansible.module_utils import hardhost_state as states
from ansible.module_utils import hardhost_unit as units
from ansible.module_utils.hardhost_programs import Failed

from tests.unit.roles.hosts import facts
from tests.unit.roles.mandatory_access.test_hardhost_selinux import ENFORCING, PERMISSIVE, STOCK
from tests.unit.roles.mandatory_access.test_hardhost_surface_selinux import THERE

Json = dict[str, Any]
GIVEN: Json = {"run": "r1", "holder": "ops@bastion", "inputs": {"preflight_package_timeout": 1800}}
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="files are given to root")


class Host:
    """A host whose files are below a directory of the test; its programs only leave their words."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.directory, self.found, self.given = directory, dict(STOCK), dict(THERE)
        self.programs: list[list[str]] = []
        self.menu_takes_over, self.other = True, "quiet"
        (directory / "enforce").write_text("0")
        (directory / "config").write_text("SELINUX=permissive\nSELINUXTYPE=default\n")
        (directory / "grub.d").mkdir()
        for module, name, value in (
            (store, "CONFIG", "config"),
            (host, "RELABEL", "autorelabel"),
            (host, "MENU", "grub.cfg"),
            (selinux, "DROP_IN", "grub.d/hardhost-selinux.cfg"),
            (kernel, "ROOT", ""),
        ):
            monkeypatch.setattr(module, name, str(directory / value))
        monkeypatch.setattr(host, "SOURCES", (str(directory / "grub"),))
        self.known = True  # by the kernel: our type, once the module is installed
        monkeypatch.setattr(kernel, "known", lambda _context: self.known)
        monkeypatch.setattr(hardhost_facts, "collect", lambda: facts(state=states.load()))
        monkeypatch.setattr(selinux, "read", lambda _facts: self.reading())
        monkeypatch.setattr(containers, "read", lambda _facts, _inputs: self.given)
        monkeypatch.setattr(work, "run", self.run)
        monkeypatch.setattr(work.package_work, "add", self.add)

    def reading(self) -> Json:
        return {
            **self.found,
            "config": store.configuration(),
            "menu": host.in_menu(selinux.BOOT),
            "commanded": host.commanded(),
        }

    def run(self, words: list[str], **_options: Any) -> str:
        self.programs.append([Path(one).name for one in words])
        if words[0] == "update-grub" and self.menu_takes_over:
            there = Path(selinux.DROP_IN).exists()
            Path(host.MENU).write_text(
                f"linux /vmlinuz {self.other} {selinux.BOOT if there else ''}\n"
            )
        return ""

    def add(self, _state: Json, family: str, names: list[str], *_rest: Any, **_how: Any) -> None:
        self.programs.append([family, *names])
        self.found["missing"] = []

    def apply(self, settings: Json | None = None, check: bool = False) -> Json:
        given = {"mandatory_access_selinux": {"mode": "enforcing", **(settings or {})}}
        controls = [{"id": selinux.CONTROL, "settings": given}]
        found: Json = work.apply(controls, GIVEN, check)
        return found

    def give(self, **settings: Any) -> Json:
        controls = [
            {"id": containers.CONTROL, "settings": {"mandatory_access_selinux_policy": settings}}
        ]
        found: Json = work.apply(controls, GIVEN, False)
        return found

    def recorded(self) -> list[str]:
        return [change["kind"] for change in states.load()["changes"]]


@pytest.fixture
def machine(tmp_path: Path, state_directory: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(tmp_path, monkeypatch)


def test_the_first_step_prepares_the_next_boot(machine: Host) -> None:
    found = machine.apply()
    assert found["controls"] == {selinux.CONTROL: "applied"}
    assert machine.recorded() == ["file", "file"]  # labels and GRUB; permissive it was already
    assert machine.programs == [["update-grub"]]
    assert machine.apply()["controls"] == {selinux.CONTROL: "unchanged"}
    assert "reboot" in found["notes"][0]


def test_nothing_is_prepared_where_the_next_boot_would_enforce_without_labels(
    machine: Host,
) -> None:
    machine.found["missing"] = ["selinux-policy-default"]
    (machine.directory / "grub").write_text('GRUB_CMDLINE_LINUX="enforcing=1"\n')
    with pytest.raises(Failed, match=r"enforcing=1 .* would not boot; take enforcing=1 out"):
        machine.apply()
    assert machine.programs == []
    assert machine.recorded() == []
    assert not Path(host.RELABEL).exists()


def test_an_argument_that_update_grub_brings_is_said(machine: Host) -> None:
    machine.other = "quiet enforcing=1"
    with pytest.raises(Failed, match="would not boot"):
        machine.apply()


def test_packages_that_are_missing_come_first(machine: Host) -> None:
    machine.found["missing"] = ["selinux-policy-default", "auditd"]
    machine.apply()
    assert machine.programs == [["debian", "selinux-policy-default", "auditd"], ["update-grub"]]


def test_check_mode_leaves_everything_as_it_is(machine: Host) -> None:
    found = machine.apply(check=True)
    assert found["controls"] == {selinux.CONTROL: "applied"}
    assert {Path(one["after_header"]).name for one in found["diff"]} > {"autorelabel"}
    assert machine.programs == []
    assert not (machine.directory / "hardhost").exists()
    assert not Path(selinux.DROP_IN).exists()


def test_a_menu_that_was_not_written_is_written_by_the_next_run(machine: Host) -> None:
    machine.apply()
    Path(host.MENU).write_text("linux /vmlinuz quiet\n")  # ended before update-grub
    assert machine.apply()["controls"] == {selinux.CONTROL: "applied"}
    assert machine.programs == [["update-grub"]] * 2


def test_arguments_that_do_not_arrive_are_said(machine: Host) -> None:
    Path(host.MENU).write_text("linux /vmlinuz quiet\n")
    machine.menu_takes_over = False
    with pytest.raises(Failed, match="GRUB_CMDLINE_LINUX_DEFAULT"):
        machine.apply()


def test_enforcing_is_recorded_and_the_running_kernels_alone(machine: Host) -> None:
    machine.found = dict(PERMISSIVE)
    machine.apply()
    assert (machine.directory / "enforce").read_text()[:1] == "1"
    assert machine.recorded() == ["selinux_mode"]
    assert "SELINUX=permissive" in Path(store.CONFIG).read_text()


def test_what_came_up_since_preflight_keeps_it_from_being_enforced(machine: Host) -> None:
    machine.found = {**PERMISSIVE, "denials": [{"domain": "sshd_t", "text": "sshd_t (x): y"}]}
    with pytest.raises(Failed, match="sshd_t"):
        machine.apply()
    assert (machine.directory / "enforce").read_text() == "0"
    assert machine.recorded() == []
    machine.apply({"accepted_denials": ["sshd_t"]})
    assert machine.recorded() == ["selinux_mode"]


def test_what_nobody_of_ours_enforced_is_not_made_to_last(machine: Host) -> None:
    machine.found = {**ENFORCING, "ours": False}
    with pytest.raises(Failed, match="setenforce 0"):
        machine.apply()
    machine.found = {**ENFORCING, "labels": [["/etc/shadow", "unlabeled_t", "shadow_t"]]}
    with pytest.raises(Failed, match="unlabeled_t"):
        machine.apply()
    assert "SELINUX=permissive" in Path(store.CONFIG).read_text()
    assert machine.recorded() == []


def test_it_is_recorded_for_this_boot_alone_and_what_was_dropped_is_said(machine: Host) -> None:
    machine.found = {**PERMISSIVE, "dropped": 3}
    said = machine.apply()["notes"]
    assert states.load()["changes"][0]["after"]["boot"] == units.boot() != ""
    assert any("3 records" in one for one in said)


def test_packages_that_would_enforce_find_a_configuration_that_does_not(
    machine: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Path(store.CONFIG)
    config.unlink()
    machine.found |= {"family": "redhat", "missing": ["selinux-policy-targeted"], "grub": False}

    def brings(*_words: Any, **_how: Any) -> None:
        machine.found["missing"] = []
        assert config.exists(), "a run that ends here leaves a host that comes up"

    monkeypatch.setattr(work.package_work, "add", brings)
    machine.apply()
    assert config.read_text() == "SELINUX=permissive\nSELINUXTYPE=targeted\n"
    (change,) = [one for one in states.load()["changes"] if one["target"] == str(config)]
    assert states.kept(change["before"]["blob"]) == work.FIRST_CONFIGURATION
    assert b"enforcing" not in work.FIRST_CONFIGURATION


def test_a_configuration_that_is_there_is_left_to_the_packages(machine: Host) -> None:
    machine.found |= {"family": "redhat", "missing": ["container-selinux"], "grub": False}
    machine.apply()
    assert not any(
        states.kept(one["before"]["blob"]) == work.FIRST_CONFIGURATION
        for one in states.load()["changes"]
        if one["before"].get("blob")
    )


def test_the_policy_is_tried_where_programs_may_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounted = {"/var/tmp": os.ST_NOEXEC, "/var/lib": os.ST_RDONLY, "/root": 0}

    class Flags:
        def __init__(self, path: str) -> None:
            self.f_flag = mounted[path]

    monkeypatch.setattr(work.os, "statvfs", Flags)
    assert work.runs_programs() == "/root"
    monkeypatch.setattr(work, "FOLDERS", ("/var/tmp",))
    with pytest.raises(Failed, match="programs may run in none"):
        work.runs_programs()
    monkeypatch.undo()
    with work.module_file("(type x_t)", str(tmp_path)) as path:
        assert Path(path).parents[1] == tmp_path
    assert list(tmp_path.iterdir()) == []


def test_it_is_made_to_last(machine: Host) -> None:
    machine.found = dict(ENFORCING)
    machine.apply()
    assert "SELINUX=enforcing" in Path(store.CONFIG).read_text()
    assert machine.programs == []
    assert machine.apply()["controls"] == {selinux.CONTROL: "unchanged"}


def test_the_module_and_booleans_are_recorded_with_what_was_there(machine: Host) -> None:
    machine.given = {**THERE, "text": "(type old_t)", "booleans": {"a": False, "b": True}}
    machine.give(module=policy.MODULE, booleans={"a": True, "b": False})
    changes = states.load()["changes"]
    assert [one["kind"] for one in changes] == ["selinux_module"] + ["selinux_boolean"] * 2
    assert states.kept(changes[0]["before"]["blob"]) == b"(type old_t)"
    assert [one["before"]["value"] for one in changes[1:]] == [False, True]
    assert machine.programs == [
        ["semodule", "-i", "hardhost_container.cil"],
        ["setsebool", "-P", "a=on", "b=off"],
    ]


def test_a_module_that_stays_off_is_not_called_applied(machine: Host) -> None:
    machine.given, machine.known = {**THERE, "loaded": False}, False
    with pytest.raises(Failed, match=r"does not know hardhost_container_t.*semodule -e"):
        machine.give(module=policy.MODULE)
    assert machine.recorded() == ["selinux_module"]


def test_another_data_root_is_labelled_and_itself_the_last(
    machine: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, lines = tmp_path / "data", tmp_path / "default.subs"
    (root / "overlay2").mkdir(parents=True)
    (root / "image").mkdir()
    monkeypatch.setattr(containers, "SUBSTITUTIONS", str(tmp_path / "%s.subs"))
    machine.given = {**THERE, "root": str(root), "labelled": "default_t", "right": "default_t"}
    machine.give()
    assert lines.read_text() == f"{root} /var/lib/docker\n"
    first, last = machine.programs
    assert [*first[:2], *sorted(first[-2:])] == ["restorecon", "-R", "image", "overlay2"]
    assert last == ["restorecon", "data"]
    (change,) = states.load()["changes"]
    assert (change["kind"], change["before"]) == ("line", {"present": False, "file": False})
    # Ended in the middle of it: the next run goes on.
    machine.given |= {"lines": [lines.read_text().strip()], "right": containers.DATA}
    machine.give()
    assert machine.programs[2:] == [first, last]
    assert lines.read_text() == f"{root} /var/lib/docker\n"
