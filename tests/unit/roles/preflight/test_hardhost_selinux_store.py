"""SELinux on the disk: our module in the store, and policies that know containers or do not."""

from __future__ import annotations

import bz2
from pathlib import Path

import pytest
from ansible.module_utils import hardhost_selinux_store as store

OFF = {"enabled": False, "enforcing": False, "containers": False}
OFFER = "selinux-policy-default:\n  Installed: (none)\n  Candidate: {}\n"


@pytest.fixture(autouse=True)
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host without SELinux: neither configuration nor store."""
    monkeypatch.setattr(store, "STORE", str(tmp_path / "store"))
    monkeypatch.setattr(store, "CONFIG", str(tmp_path / "config"))
    return tmp_path


@pytest.mark.parametrize(
    ("candidate", "wanted"),
    [
        ("2:2.20250213-13~deb13u1", "offered"),
        ("2:2.20240202-1", "offered"),
        ("2:2.20221101-9", "unknown"),
        ("2:2.20210203-7", "unknown"),
        ("(none)", "unlisted"),
    ],
)
def test_policies_with_a_type_for_containers(
    candidate: str, wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store.programs, "answer", lambda *_, **__: OFFER.format(candidate))
    assert store.policy(OFF, "debian") == wanted


def test_red_hats_packages_bring_it() -> None:
    assert store.policy(OFF, "redhat") == "offered"


def test_where_it_runs_the_kernel_is_asked_what_the_policy_knows() -> None:
    assert store.policy({**OFF, "enabled": True, "containers": True}, "debian") == "known"
    assert store.policy({**OFF, "enabled": True}, "debian") == "unknown"


def test_where_it_does_not_run_its_store_is_looked_at(disk: Path) -> None:
    (disk / "config").write_text("SELINUXTYPE=default\n")
    modules = disk / "store/default/active/modules/100"
    modules.mkdir(parents=True)
    assert store.policy(OFF, "debian") == "unknown"
    (modules / "container").mkdir()
    assert store.policy(OFF, "debian") == "known"


def test_our_module_is_read_from_the_store_packed_or_not(disk: Path) -> None:
    assert store.module_text("hardhost_container") is None
    (disk / "config").write_text("SELINUXTYPE=default\n")
    assert store.module_text("hardhost_container") is None
    file = disk / "store/default/active/modules/400/hardhost_container/cil"
    file.parent.mkdir(parents=True)
    file.write_bytes(bz2.compress(b"(type x_t)"))
    assert store.module_text("hardhost_container") == "(type x_t)"
    file.write_bytes(b"(type y_t)")
    assert store.module_text("hardhost_container") == "(type y_t)"


def test_a_module_that_was_switched_off_is_known(disk: Path) -> None:
    assert not store.disabled("hardhost_container")
    (disk / "config").write_text("SELINUXTYPE=default\n")
    assert not store.disabled("hardhost_container")
    (disk / "store/default/active/modules/disabled").mkdir(parents=True)
    (disk / "store/default/active/modules/disabled/hardhost_container").touch()
    assert store.disabled("hardhost_container")
    assert not store.disabled("another")


@pytest.mark.parametrize(
    ("family", "said", "version"),
    [
        ("debian", "installed 3.8.1-1\n", "3.8"),
        ("debian", "config-files 3.1-1\ninstalled 3.5-2build1\n", "3.5"),
        ("debian", "installed 3.10-1\ninstalled 3.9-1\n", "3.10"),
        ("redhat", "installed 3.6\n", "3.6"),
        ("redhat", "package libsepol is not installed\n", ""),
        ("debian", "", ""),
    ],
)
def test_what_compiles_the_policy(
    family: str, said: str, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def answer(words: list[str], **_how: object) -> str:
        asked.append(words[0])
        return said

    monkeypatch.setattr(store.programs, "answer", answer)
    assert store.compiler(family) == version
    assert asked == [{"debian": "dpkg-query", "redhat": "rpm"}[family]]
