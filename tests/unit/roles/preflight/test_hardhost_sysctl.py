"""Which file sets a kernel parameter at the next boot, in real files."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible.module_utils import hardhost_sysctl as sysctl

KEY = "kernel.sysrq"


@pytest.fixture
def etc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Directories as systemd-sysctl reads them, the first one first."""
    for name in ("etc", "run", "lib"):
        (tmp_path / name).mkdir()
    chosen = tuple(str(tmp_path / name) for name in ("etc", "run", "lib"))
    monkeypatch.setattr(sysctl, "DIRECTORIES", chosen)
    monkeypatch.setattr(sysctl, "LAST", str(tmp_path / "sysctl.conf"))
    monkeypatch.setattr(sysctl, "UFW", str(tmp_path / "ufw.conf"))
    monkeypatch.setattr(sysctl, "UFW_DEFAULTS", str(tmp_path / "default-ufw"))
    return tmp_path


def value(key: str = KEY) -> str | None:
    found = sysctl.at_boot(key)
    return found["value"] if found else None


def test_the_last_name_counts_whatever_its_directory(etc: Path) -> None:
    (etc / "etc/10-a.conf").write_text("kernel.sysrq = 1\n")
    (etc / "lib/99-b.conf").write_text("# comment\nkernel.sysrq=16\n")
    found = sysctl.at_boot(KEY)
    over = [{"file": str(etc / "etc/10-a.conf"), "line": 1, "value": "1"}]
    assert found == {"file": str(etc / "lib/99-b.conf"), "line": 2, "value": "16", "over": over}
    (etc / "etc/zz-hardhost.conf").write_text("kernel.sysrq = 0\n")
    assert value() == "0"
    (etc / "run/zzz.conf").write_text("kernel.sysrq = 438\n")
    assert value() == "438"


def test_of_two_files_with_one_name_the_first_directorys_counts(etc: Path) -> None:
    (etc / "lib/50-x.conf").write_text("kernel.sysrq = 1\n")
    (etc / "etc/50-x.conf").write_text("")
    assert value() is None


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("-kernel.sysrq = 5", KEY),
        ("kernel/sysrq=5", KEY),
        ("  kernel.sysrq   =  5  ", KEY),
        ("net/ipv4/conf/eth0.5/rp_filter = 5", "net.ipv4.conf.eth0/5.rp_filter"),
    ],
)
def test_spellings(etc: Path, line: str, key: str) -> None:
    (etc / "etc/x.conf").write_text(line + "\n")
    assert value(key) == "5"


@pytest.mark.parametrize("line", ["; kernel.sysrq = 5", "#kernel.sysrq=5", "-kernel.sysrq", "x"])
def test_what_sets_nothing(etc: Path, line: str) -> None:
    (etc / "etc/x.conf").write_text(line + "\n")
    assert value() is None


def test_a_pattern_counts_where_no_line_is_the_parameters_own(etc: Path) -> None:
    (etc / "etc/50-x.conf").write_text("kernel.sys* = 5\n")
    assert value() == "5"
    (etc / "etc/10-x.conf").write_text("-kernel.sysrq\n")
    assert value() is None
    (etc / "etc/20-x.conf").write_text("kernel.sysrq = 6\n")
    assert value() == "6"
    overridden = sysctl.at_boot(KEY)["over"]  # type: ignore[index]
    assert [line["value"] for line in overridden] == ["5"]


def test_broken_links_and_other_names_are_passed_by(etc: Path) -> None:
    (etc / "etc/x.conf").symlink_to(etc / "nowhere")
    (etc / "etc/y.conf.bak").write_text("kernel.sysrq = 5\n")
    assert value() is None


def test_the_file_that_procps_reads_last(etc: Path) -> None:
    (etc / "sysctl.conf").write_text("kernel.sysrq = 5\n")
    assert value() is None
    (found,) = sysctl.afterwards(KEY)
    assert (found["by"], found["value"]) == ("`sysctl --system`", "5")


@pytest.mark.parametrize(("enabled", "expected"), [("yes", ["5"]), ("no", [])])
def test_what_ufw_sets_when_it_starts(etc: Path, enabled: str, expected: list[str]) -> None:
    """Its file has slashes for dots, and is a shell variable."""
    (etc / "ufw.conf").write_text(f"# ENABLED=maybe\nENABLED={enabled}\nLOGLEVEL=low\n")
    (etc / "default-ufw").write_text(f'IPV6=yes\nIPT_SYSCTL="{etc}/ufw-sysctl.conf"\n')
    (etc / "ufw-sysctl.conf").write_text("# a comment\nkernel/sysrq=5\n")
    assert [line["value"] for line in sysctl.afterwards(KEY) if line["by"] == "ufw"] == expected


@pytest.mark.parametrize(
    ("key", "now", "wanted", "expected"),
    [
        (KEY, "0", "0", True),
        (KEY, "1", "0", False),
        (KEY, None, "0", False),
        ("kernel.yama.ptrace_scope", "3", "1", True),
        ("kernel.yama.ptrace_scope", "0", "1", False),
    ],
)
def test_stricter_is_enough(key: str, now: str | None, wanted: str, expected: bool) -> None:
    assert sysctl.enough(key, now, wanted) is expected


def test_live_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sysctl, "LIVE", str(tmp_path))
    assert sysctl.live("net.ipv4.tcp_rmem") is None
    (tmp_path / "net/ipv4").mkdir(parents=True)
    (tmp_path / "net/ipv4/tcp_rmem").write_text("4096\t131072\t6291456\n")
    assert sysctl.live("net.ipv4.tcp_rmem") == "4096 131072 6291456"
    sysctl.write("net.ipv4.tcp_rmem", "1 2 3")
    assert sysctl.live("net.ipv4.tcp_rmem") == "1 2 3"
