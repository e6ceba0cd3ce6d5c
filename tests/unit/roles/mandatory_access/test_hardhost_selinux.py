"""The steps towards enforcing: which comes next, and what keeps it from being taken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import hardhost_selinux as selinux
from ansible.module_utils import hardhost_selinux_host as host
from ansible.module_utils import hardhost_selinux_store as store

Json = dict[str, Any]

STOCK: Json = {
    "enabled": False,
    "enforcing": False,
    "containers": False,
    "family": "debian",
    "config": {},
    "dockerd": "dockerd_t",
    "kernel": True,
    "apparmor": True,
    "grub": True,
    "menu": True,
    "against": [],
    "arguments": ["quiet"],
    "commanded": [],
    "missing": [],
    "relabel": False,
    "domains": {"init": "init_t", "dockerd": "dockerd_t"},
    "labels": [["/etc/shadow", "shadow_t", "shadow_t"]],
    "denials": [],
    "login": None,
    "dropped": 0,
    "enforced": 0,
    "ours": False,
}
PERMISSIVE: Json = {
    **STOCK,
    "enabled": True,
    "containers": True,
    "config": {"SELINUX": "permissive", "SELINUXTYPE": "default"},
}
ENFORCING: Json = {**PERMISSIVE, "enforcing": True, "ours": True}


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the files lie that the first step writes."""
    config = tmp_path / "config"
    config.write_text("# a comment\nSELINUX=disabled\nSELINUXTYPE=default\n")
    monkeypatch.setattr(store, "CONFIG", str(config))
    monkeypatch.setattr(host, "RELABEL", str(tmp_path / "autorelabel"))
    monkeypatch.setattr(selinux, "DROP_IN", str(tmp_path / "grub.d/hardhost-selinux.cfg"))
    return tmp_path


def test_packages_come_first() -> None:
    found = {**STOCK, "missing": ["selinux-policy-default"]}
    assert selinux.stage(found) == "prepare"
    what = [one["what"] for one in selinux.changes(found)]
    assert what == ["package selinux-policy-default"]


def test_then_a_boot_that_is_permissive_and_labels(disk: Path) -> None:
    found = {**STOCK, "config": {"SELINUX": "disabled", "SELINUXTYPE": "default"}}
    assert selinux.stage(found) == "prepare"
    texts = {Path(one["path"]).name: one["data"].decode() for one in selinux.prepared(found)}
    assert texts["config"] == "# a comment\nSELINUX=permissive\nSELINUXTYPE=default\n"
    assert "security=selinux selinux=1" in texts["hardhost-selinux.cfg"]
    assert texts["autorelabel"] == "-F\n"
    (disk / "grub.d").mkdir()
    for one in selinux.prepared(found):
        Path(one["path"]).write_bytes(one["data"])
        Path(one["path"]).chmod(one["mode"])
    assert selinux.stage(found) == "reboot"
    assert selinux.changes(found) == []
    interrupted = {**found, "menu": False}
    assert selinux.stage(interrupted) == "prepare"
    assert [one["what"] for one in selinux.changes(interrupted)] == ["GRUB's menu"]
    assert selinux.stage({**interrupted, "grub": False}) == "reboot"


def test_a_configuration_that_enforces_is_permissive_for_its_first_boot(disk: Path) -> None:
    (disk / "config").write_text("SELINUX=enforcing\nSELINUXTYPE=default\n")
    found = {**STOCK, "config": store.configuration(), "grub": False}
    paths = {Path(one["path"]).name: one["data"] for one in selinux.prepared(found)}
    assert b"SELINUX=permissive\n" in paths["config"]
    assert "hardhost-selinux.cfg" not in paths


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        ({**PERMISSIVE, "relabel": True}, "relabel"),
        (PERMISSIVE, "enforce"),
        (ENFORCING, "keep"),
        ({**ENFORCING, "config": {"SELINUX": "enforcing"}}, ""),
        ({**PERMISSIVE, "config": {"SELINUX": "enforcing"}}, "enforce"),
    ],
)
def test_the_steps_after_the_boot(found: Json, wanted: str) -> None:
    assert selinux.stage(found) == wanted


def test_enforcing_changes_the_running_kernel_before_the_configuration() -> None:
    assert selinux.changes(PERMISSIVE)[0]["what"] == "SELinux now"
    assert selinux.changes(ENFORCING)[0]["what"] == "SELinux at boot"


def test_a_menu_that_has_lost_the_arguments_is_mended_and_one_that_never_had_them_is_not(
    disk: Path,
) -> None:
    (disk / "config").write_text("SELINUX=enforcing\n")
    lasts = {**ENFORCING, "config": store.configuration(), "menu": False}
    assert selinux.stage(lasts) == ""  # another way than our arguments
    lost = {**lasts, "arguments": ["quiet", "security=selinux", "selinux=1"]}
    assert selinux.stage(lost) == "keep"
    assert [one["what"] for one in selinux.changes(lost)] == ["GRUB's menu"]
    names = [Path(one["path"]).name for one in selinux.lasting(lost)]
    assert names == ["config", "hardhost-selinux.cfg"]
    assert [Path(one["path"]).name for one in selinux.lasting(lasts)] == ["config"]


def test_wrong_labels_keep_it_from_being_enforced() -> None:
    wrong = {**PERMISSIVE, "labels": [["/etc/shadow", "unlabeled_t", "shadow_t"]]}
    found, remedy = selinux.blocked(wrong, [])
    assert "/etc/shadow is labelled unlabeled_t" in found
    assert "autorelabel" in remedy
    for name, domain in (("init", "kernel_t"), ("dockerd", "unconfined_service_t")):
        wrong = {**PERMISSIVE, "domains": {**PERMISSIVE["domains"], name: domain}}
        assert domain in selinux.blocked(wrong, [])[0]


def test_a_host_whose_dockerd_is_down_is_not_mistaken_for_one_with_wrong_labels() -> None:
    assert (
        selinux.blocked({**PERMISSIVE, "domains": {"init": "init_t", "dockerd": None}}, []) is None
    )


def denial(domain: str) -> Json:
    return {"domain": domain, "text": f"{domain} (x): read file of y_t"}


def test_denials_of_what_the_host_needs_keep_it_from_being_enforced() -> None:
    found = {**PERMISSIVE, "denials": [denial("sshd_t"), denial("games_t")]}
    reason, remedy = selinux.blocked(found, [])
    assert "sshd_t (x)" in reason
    assert "games_t" not in reason
    assert "mandatory_access_accepted_denials" in remedy
    assert selinux.blocked(found, ["sshd_t"]) is None
    assert selinux.blocked({**PERMISSIVE, "denials": [denial("games_t")]}, []) is None


def test_what_is_denied_on_every_host_and_needed_by_none_does_not_keep_it() -> None:
    harmless = {"domain": "kmod_t", "text": "kmod_t (modprobe): search dir of var_lib_t"}
    assert selinux.blocked({**PERMISSIVE, "denials": [harmless]}, []) is None
    other = {**harmless, "text": "kmod_t (modprobe): read file of modules_object_t"}
    reason, _ = selinux.blocked({**PERMISSIVE, "denials": [harmless, other]}, [])
    assert "modules_object_t" in reason
    assert "var_lib_t" not in reason


def test_without_a_record_of_denials_nothing_is_known() -> None:
    reason, remedy = selinux.blocked({**PERMISSIVE, "denials": None}, [])
    assert "nothing records" in reason
    assert "auditd" in remedy


def test_without_auditd_and_with_an_argument_against_it_the_way_out_names_both() -> None:
    found = {**PERMISSIVE, "denials": None, "arguments": ["quiet", "audit=1", "audit=0"]}
    assert "without the argument audit=0" in selinux.blocked(found, [])[1]
    assert "audit=0" not in selinux.blocked({**found, "arguments": ["audit=1"]}, [])[1]


@pytest.mark.parametrize(
    "domain",
    [
        *("systemd_networkd_t", "systemd_generator_t", "systemd_logind_t", "lvm_t", "chkpwd_t"),
        *("local_login_t", "systemd_resolved_t", "getty_t", "ifconfig_t"),
    ],
)
def test_what_brings_network_disks_and_logins_is_needed(domain: str) -> None:
    assert selinux.blocked({**PERMISSIVE, "denials": [denial(domain)]}, []) is not None
    assert selinux.blocked({**PERMISSIVE, "denials": [denial(domain)]}, [domain]) is None


# Of a boot of Debian 13 under which the same machine served when it enforced.
NETWORKD = """\
read dir of tmpfs_t
open dir of tmpfs_t
search dir of mount_runtime_t
read dir of cgroup_t
prog_load bpf of systemd_networkd_t
bpf capability2 of systemd_networkd_t
prog_run bpf of systemd_networkd_t
map_create bpf of systemd_networkd_t
map_read map_write bpf of systemd_networkd_t
"""


def test_a_stock_boot_with_networkd_is_enforced() -> None:
    texts = ["systemd_networkd_t (systemd-network): " + one for one in NETWORKD.splitlines()]
    denials = [{"domain": "systemd_networkd_t", "text": text} for text in texts]
    assert selinux.blocked({**PERMISSIVE, "denials": denials}, []) is None
    lease = "systemd_networkd_t (systemd-network): write file of systemd_networkd_runtime_t"
    found = {**PERMISSIVE, "denials": [*denials, {**denials[0], "text": lease}]}
    assert selinux.blocked(found, [])[0].endswith(": " + lease)


def test_what_somebody_else_enforced_is_not_made_to_last() -> None:
    assert selinux.unproved(ENFORCING) is None
    found, remedy = selinux.unproved({**ENFORCING, "ours": False})
    assert "not by a run of ours" in found
    assert "setenforce 0" in remedy
    lasts = {**ENFORCING, "ours": False, "config": {"SELINUX": "enforcing"}}
    assert selinux.unproved(lasts) is None  # only the menu is to be mended


def test_nothing_is_made_to_last_over_files_without_labels() -> None:
    wrong = {**ENFORCING, "labels": [["/etc/shadow", "unlabeled_t", "shadow_t"]]}
    assert "/etc/shadow is labelled unlabeled_t" in selinux.unproved(wrong)[0]
    wrong = {**ENFORCING, "domains": {"init": "kernel_t", "dockerd": "dockerd_t"}}
    assert "kernel_t" in selinux.unproved(wrong)[0]


def test_a_menu_that_boots_permissive_is_said_before_it_is_made_to_last() -> None:
    found, remedy = selinux.unproved({**ENFORCING, "against": ["enforcing=0"]})
    assert "enforcing=0" in found
    assert "update-grub" in remedy


def test_a_boot_over_files_without_labels_may_not_be_told_to_enforce(disk: Path) -> None:
    for found in (STOCK, {**STOCK, "missing": ["auditd"]}, {**PERMISSIVE, "relabel": True}):
        assert selinux.unbootable(found) is None
        reason, remedy = selinux.unbootable({**found, "commanded": ["enforcing=1"]})
        assert "enforcing=1" in reason
        assert "would not boot" in reason
        assert "update-grub, and run again" in remedy
    told = {**STOCK, "commanded": ["enforcing=1"], "arguments": ["enforcing=1"]}
    assert "update-grub, reboot, and run again" in selinux.unbootable(told)[1]
    assert "update-grub" not in selinux.unbootable({**told, "grub": False})[1]
    assert selinux.unbootable({**PERMISSIVE, "commanded": ["enforcing=1"]}) is None
