"""What is read of a host: denials in audit records, the configuration, GRUB's menu."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible.module_utils import hardhost_files as files
from ansible.module_utils import hardhost_selinux_host as host
from ansible.module_utils import hardhost_selinux_kernel as kernel
from ansible.module_utils import hardhost_selinux_observe as observe
from ansible.module_utils import hardhost_selinux_store as store

# As Debian 13 wrote them.
RECORDS = """\
type=AVC msg=audit(1795296300.507:1577): avc:  denied  { create } for  pid=1020 comm="arping" \
scontext=system_u:system_r:hardhost_container_t:s0:c463,c638 \
tcontext=system_u:system_r:hardhost_container_t:s0:c463,c638 tclass=packet_socket permissive=0
type=AVC msg=audit(1795296031.559:12): avc:  denied  { read } for  pid=323 comm="systemd-network" \
name="/" dev="cgroup2" ino=1 scontext=system_u:system_r:systemd_networkd_t:s0 \
tcontext=system_u:object_r:cgroup_t:s0 tclass=dir permissive=1
type=USER_AVC msg=audit(1795296031.600:13): pid=1 uid=0 \
subj=system_u:system_r:init_t:s0 msg='avc:  received policyload'
"""


def test_a_denial_names_who_did_what_to_what() -> None:
    assert host.parsed(RECORDS) == [
        {
            "domain": "systemd_networkd_t",
            "text": "systemd_networkd_t (systemd-network): read dir of cgroup_t",
        }
    ]
    assert [one["domain"] for one in host.parsed(RECORDS, permissive="0")] == [
        "hardhost_container_t"
    ]


def test_denials_of_an_earlier_boot_do_not_count() -> None:
    assert host.parsed(RECORDS, since=1795296032) == []


def test_the_configuration_keeps_what_is_not_the_mode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "config"
    file.write_bytes(b"# \xff\nSELINUX=permissive # why\nSELINUXTYPE=default\nSETLOCALDEFS=0\n")
    monkeypatch.setattr(store, "CONFIG", str(file))
    wanted = host.configured("enforcing", "a/b")
    assert wanted["data"] == b"# \xff\nSELINUX=enforcing\nSELINUXTYPE=default\nSETLOCALDEFS=0\n"
    file.write_bytes(b"SELINUXTYPE=default")
    assert (
        host.configured("enforcing", "a/b")["data"] == b"SELINUXTYPE=default\nSELINUX=enforcing\n"
    )


def menu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    file = tmp_path / "grub.cfg"
    file.write_text("set default=0\n" + "".join(f"\tlinux\t/vmlinuz {one}\n" for one in lines))
    monkeypatch.setattr(host, "MENU", str(file))


def test_the_menus_first_entry_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    menu(tmp_path, monkeypatch, f"root=/dev/vda quiet {host.BOOT}", "root=/dev/vda single")
    assert host.in_menu(host.BOOT)
    menu(tmp_path, monkeypatch, "root=/dev/vda quiet", f"root=/dev/vda {host.BOOT}")
    assert not host.in_menu(host.BOOT)
    menu(tmp_path, monkeypatch, f"root=/dev/vda {host.BOOT.replace('=1', '=10')}")
    assert not host.in_menu(host.BOOT)
    for after in ("selinux=0", "security=apparmor", "enforcing=0 selinux=0"):
        menu(tmp_path, monkeypatch, f"root=/dev/vda {host.BOOT} {after}")
        assert not host.in_menu(host.BOOT), "the last word counts"
    menu(tmp_path, monkeypatch, f"root=/dev/vda selinux=0 {host.BOOT}")
    assert host.in_menu(host.BOOT)
    menu(tmp_path, monkeypatch)
    assert not host.in_menu(host.BOOT)


def test_arguments_that_win_over_the_configuration_are_named() -> None:
    assert host.against([*host.BOOT.split(), "enforcing=0"]) == ["enforcing=0"]
    assert host.against(["enforcing=0", "enforcing=1"]) == ["enforcing=0"], "the first counts too"
    assert host.against(["enforcing=1", "lsm=landlock,selinux"]) == []
    assert host.against(["lsm=landlock,apparmor"]) == ["lsm=landlock,apparmor"]


def test_arguments_of_this_boot_are_those_that_count() -> None:
    assert observe.overriding(["security=apparmor", *host.BOOT.split()]) == []
    assert observe.overriding(["selinux=0", "selinux=1"]) == []
    assert observe.overriding([*host.BOOT.split(), "security=apparmor"]) == ["security=apparmor"]
    assert observe.overriding(["selinux=1", "selinux=0", "enforcing=0"]) == [
        "selinux=0",
        "enforcing=0",
    ]
    for both in (["enforcing=0", "enforcing=1"], ["enforcing=1", "enforcing=0"]):
        assert observe.overriding(both) == host.against(both) == ["enforcing=0"]


def test_any_argument_that_commands_enforcing_counts_booted_in_the_menu_or_written_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    booted: list[str] = []
    monkeypatch.setattr(host, "arguments", lambda: booted)
    monkeypatch.setattr(host, "SOURCES", (str(tmp_path / "grub"), str(tmp_path / "grub.d/*.cfg")))
    menu(tmp_path, monkeypatch, "root=/dev/vda quiet enforcing=0")
    assert host.commanded() == []
    booted[:] = ["enforcing=1", "enforcing=0"]  # libselinux goes by the first
    assert host.commanded() == ["enforcing=1"]
    booted[:] = []
    menu(tmp_path, monkeypatch, "root=/dev/vda quiet enforcing=0 enforcing=1")
    assert host.commanded() == ["enforcing=1"]
    menu(tmp_path, monkeypatch, "root=/dev/vda quiet")
    (tmp_path / "grub.d").mkdir()
    for file in ("grub", "grub.d/other.cfg"):
        (tmp_path / file).write_text('# enforcing=1\nGRUB_CMDLINE_LINUX="enforcing=0"\n')
        assert host.commanded() == []
        (tmp_path / file).write_text('GRUB_CMDLINE_LINUX="enforcing=1 quiet"\n')
        assert host.commanded() == ["enforcing=1"], "before update-grub brings it"
        (tmp_path / file).unlink()


# As systemd 255 writes them, through auditd and through the kernel's log.
REFUSED_START = """\
type=USER_AVC msg=audit(1795296099.100:40): pid=1 uid=0 auid=4294967295 ses=4294967295 \
subj=system_u:system_r:init_t:s0 msg='avc:  denied  { start } for auid=n/a uid=0 gid=0 \
path="/run/systemd/transient/docker-1.scope" cmdline="/usr/sbin/dockerd -H fd://" \
scontext=system_u:system_r:dockerd_t:s0 tcontext=system_u:object_r:init_runtime_t:s0 \
tclass=service permissive=1  exe="/usr/lib/systemd/systemd" sauid=0 hostname=? addr=? terminal=?'
audit: type=1107 audit(1795296031.1:4): pid=1 uid=0 subj=system_u:system_r:init_t:s0 msg='avc:  \
denied  { send_msg } for msgtype=method_call scontext=system_u:system_r:sshd_t:s0 \
tcontext=system_u:system_r:systemd_logind_t:s0 tclass=dbus permissive=1'
type=AVC msg=audit(1795296100.559:12): avc:  denied  { recv } for  saddr=10.0.0.1 \
scontext=system_u:system_r:dockerd_t:s0 tcontext=system_u:object_r:netif_t:s0 tclass=netif
"""


def test_what_systemd_and_dbus_refuse_counts_and_what_names_no_program() -> None:
    assert [one["text"] for one in host.parsed(REFUSED_START)] == [
        "dockerd_t (/usr/sbin/dockerd): start service of init_runtime_t",
        "sshd_t: send_msg dbus of systemd_logind_t",
        "dockerd_t: recv netif of netif_t",
    ]


BOOTED = 1795296000
ELSE = (
    'type=SERVICE_START msg=audit({}.1:9): pid=1 uid=0 subj=system_u:system_r:init_t:s0 msg="x"\n'
)
EARLY = (
    'audit: type=1400 audit(1795295000.1:3): avc:  denied  { mounton } for  pid=1 comm="systemd" '
    "scontext=system_u:system_r:init_t:s0 tcontext=system_u:object_r:tmp_t:s0 tclass=dir "
    "permissive=1\n"
)


class Records:
    """A host's records of denials: audit logs, the kernel's log, and whether auditd runs."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.log, self.journal = directory / "audit.log", "Linux version 6.12\n"
        self.auditd = directory / "auditd.pid"
        self.auditd.write_text("1\n")
        monkeypatch.setattr(host, "AUDIT", str(self.log))
        monkeypatch.setattr(host, "AUDITD", str(self.auditd))
        self.arguments = ["quiet"]
        monkeypatch.setattr(host, "_boot_time", lambda: BOOTED)
        monkeypatch.setattr(host, "arguments", lambda: self.arguments)
        said = {"journalctl": lambda: self.journal}
        monkeypatch.setattr(
            host.programs, "answer", lambda words, *_: said.get(words[0], lambda: "")()
        )

    def domains(self) -> list[str] | None:
        found = host.denials(host.kernel_log())
        return None if found is None else [one["domain"] for one in found]


@pytest.fixture
def records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Records:
    return Records(tmp_path, monkeypatch)


def test_denials_before_auditd_ran_are_in_the_kernels_log_alone(records: Records) -> None:
    records.log.write_text(ELSE.format(BOOTED + 9))
    records.journal += EARLY  # by a clock that was set right only later
    assert records.domains() == ["init_t"]


def test_logs_that_were_rotated_since_the_boot_count(records: Records) -> None:
    records.log.write_text(ELSE.format(BOOTED + 99))
    records.log.with_name("audit.log.1").write_text(RECORDS)
    assert records.domains() == ["systemd_networkd_t"]


def test_a_log_of_earlier_boots_says_nothing_of_this_one(records: Records) -> None:
    records.log.write_text(ELSE.format(BOOTED - 9))
    assert records.domains() is None
    records.auditd.unlink()  # then the kernel's log has them all
    assert records.domains() == []
    records.journal = ""
    assert records.domains() is None


def test_a_kernel_that_writes_no_denials_down_leaves_nothing_known(records: Records) -> None:
    records.auditd.unlink()
    assert records.domains() == []
    records.arguments = ["quiet", "audit=1", "audit=0"]
    assert records.domains() is None


def test_what_the_kernel_dropped_is_known_to_nobody_without_auditd(records: Records) -> None:
    records.journal += "kauditd_printk_skb: 12 callbacks suppressed\n"
    records.log.write_text(ELSE.format(BOOTED + 9))
    assert records.domains() == []  # some of the time before auditd, and told
    assert host.dropped(records.journal) == 12
    records.auditd.unlink()
    assert records.domains() is None


@pytest.mark.parametrize(("argument", "dropped"), [("quiet", 12), ("audit=0", 12), ("audit=1", 0)])
def test_what_the_kernel_kept_for_auditd_was_not_dropped(
    argument: str, dropped: int, records: Records
) -> None:
    records.journal += "kauditd_printk_skb: 12 callbacks suppressed\n"
    records.arguments = [argument]
    selinux = {"enabled": True, "enforcing": False, "containers": True}
    assert host.read(selinux, {"family": "debian"}, [], None)["dropped"] == dropped


def changed(kind: str, target: str, **after: object) -> dict[str, object]:
    return {"kind": kind, "target": target, "time": 7, "after": after}


def test_only_a_run_of_ours_in_this_boot_has_looked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config"
    config.write_text("SELINUX=permissive\n")
    monkeypatch.setattr(store, "CONFIG", str(config))
    monkeypatch.setattr(host.units, "boot", lambda: "now")
    this = changed("selinux_mode", "kernel", value="enforcing", boot="now")
    before = changed("selinux_mode", "kernel", value="enforcing", boot="then")
    assert host.by_us([]) == {"enforced": 0, "ours": False}
    assert host.by_us([before]) == {"enforced": 0, "ours": False}
    assert host.by_us([before, this]) == {"enforced": 7, "ours": True}
    # Made to last then: this boot enforces from its beginning. Somebody has changed it since.
    digest = files.digest(b"SELINUX=enforcing\n")
    lasted = changed("file", str(config), sha256=digest)
    assert host.by_us([before, lasted]) == {"enforced": 0, "ours": True}
    other = changed("file", str(config), sha256="other")
    assert host.by_us([before, lasted, other]) == {"enforced": 0, "ours": False}
    assert host.by_us([lasted]) == {"enforced": 0, "ours": False}


def test_a_kernel_without_it_says_so(tmp_path: Path) -> None:
    assert kernel.read(str(tmp_path)) == {
        "enabled": False,
        "enforcing": False,
        "containers": False,
    }
    (tmp_path / "enforce").write_text("0")
    (tmp_path / "class").mkdir()
    assert not kernel.read(str(tmp_path))["enabled"], "a kernel without a policy refuses nothing"
    (tmp_path / "class/process").mkdir()
    assert kernel.read(str(tmp_path))["enabled"]
    assert not kernel.read(str(tmp_path))["enforcing"]


def test_the_type_in_a_context() -> None:
    assert kernel.kind("system_u:system_r:container_t:s0:c1,c2") == "container_t"
    assert kernel.kind("unconfined") == ""
    assert kernel.kind("") == ""
