"""What is read of AppArmor: the parser that dockerd takes, and why a boot has not brought it."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from ansible.module_utils import hardhost_apparmor as apparmor
from ansible.module_utils import hardhost_selinux_host as boot

WORDS = apparmor.ARGUMENTS.split()
HOUR = 3600


@pytest.fixture
def menu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """GRUB's, with our arguments, written before this boot; the kernel was booted without them."""
    file = tmp_path / "grub.cfg"
    file.write_text(f"menuentry x {{\n\tlinux /vmlinuz quiet {apparmor.ARGUMENTS}\n}}\n")
    written_at(file, -HOUR)
    monkeypatch.setattr(boot, "MENU", str(file))
    monkeypatch.setattr(boot, "arguments", lambda: ["root=/dev/vda"])
    return file


def written_at(file: Path, since_boot: int) -> None:
    moment = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + since_boot
    os.utime(file, (moment, moment))


def test_what_was_prepared_before_this_boot_was_not_heeded(menu: Path) -> None:
    assert apparmor.prepared()
    assert "boot loader" in apparmor.unheeded()
    written_at(menu, +HOUR)
    assert apparmor.unheeded() == "", "the reboot is still to come"


def test_a_menu_without_them_prepares_nothing(menu: Path) -> None:
    menu.write_text("linux /vmlinuz quiet\nlinux /vmlinuz " + apparmor.ARGUMENTS)
    written_at(menu, -HOUR)
    assert not apparmor.prepared(), "the second entry is not the default"
    assert apparmor.unheeded() == ""


@pytest.mark.parametrize("other", ["lsm=lockdown,yama", "apparmor=0", "security=selinux"])
def test_what_contradicts_them_is_named(
    other: str, menu: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written_at(menu, +HOUR)
    monkeypatch.setattr(boot, "arguments", lambda: ["quiet", other, *WORDS])
    assert other in apparmor.unheeded()
    assert "take out" in apparmor.unheeded()


def test_without_a_menu_there_is_nothing_to_prepare(
    menu: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """grub2-common is installed, and another loader boots."""
    monkeypatch.setattr(
        apparmor.shutil, "which", lambda *_words, **_options: "/usr/sbin/update-grub"
    )
    assert apparmor.read()["grub"]
    menu.unlink()
    found = apparmor.read()
    assert not found["grub"]
    assert not found["prepared"]


def test_the_mode_of_the_kernel_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root alone may read it, and older kernels end it without a newline."""
    assert apparmor.MODE == "/sys/module/apparmor/parameters/mode"
    mode = tmp_path / "mode"
    monkeypatch.setattr(apparmor, "MODE", str(mode))
    assert apparmor.read()["mode"] == ""
    for text in ("complain", "complain\n"):
        mode.write_text(text)
        assert apparmor.read()["mode"] == "complain"
    mode.unlink()
    mode.mkdir()
    assert apparmor.read()["mode"] == "", "what cannot be read says nothing"


@pytest.mark.parametrize("state", ["active", "inactive", "failed"])
def test_a_stopped_service_is_not_one_that_has_failed(
    state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = f"UnitFileState=enabled\nActiveState={state}\n"
    monkeypatch.setattr(apparmor, "run", lambda *_words, **_options: said)
    service = apparmor.read()["service"]
    assert service == {"enabled": True, "active": state == "active", "failed": state == "failed"}


def test_only_the_parser_that_dockerd_asks_for_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of the operator's own in /usr/local/sbin is none to dockerd."""
    assert apparmor.PARSER == "/sbin/apparmor_parser"
    monkeypatch.setattr(apparmor, "PARSER", str(tmp_path / "apparmor_parser"))
    monkeypatch.setattr(apparmor.shutil, "which", lambda *_words, **_options: "/usr/local/sbin/x")
    assert apparmor.read()["parser"] == ""
    (tmp_path / "apparmor_parser").touch()
    assert apparmor.read()["parser"] == apparmor.PARSER
