"""Locks that somebody holds, and what apt's complaints mean."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible.module_utils import hardhost_package_work as work
from ansible.module_utils.hardhost_packages import PackagesError

HOLD = """
import fcntl, sys
lock = open(sys.argv[1], 'w')
fcntl.lockf(lock, fcntl.LOCK_EX)
print('held', flush=True)
sys.stdin.read()
"""


@pytest.fixture
def held(tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    path = str(tmp_path / "lock")
    words = [sys.executable, "-c", HOLD, path]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        yield path, other
        other.communicate()


def test_who_holds_a_lock_is_named(held: tuple[str, subprocess.Popen[bytes]]) -> None:
    path, other = held
    assert f"(process {other.pid})" in work.holder(path)
    with pytest.raises(PackagesError, match="for longer than 0 seconds"):
        work.wait_for_locks(0, [path])


def test_a_lock_that_nobody_holds(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("")
    assert work.holder(str(tmp_path / "lock")) == ""
    assert work.holder(str(tmp_path / "none")) == ""
    work.wait_for_locks(0, [str(tmp_path / "lock"), str(tmp_path / "none")])
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("line", "meaning"),
    [
        (
            "W: GPG error: file:/r s InRelease: signatures were invalid: EXPKEYSIG 1 a@b",
            "its signing key has expired",
        ),
        ("E: The repository 'file:/r s InRelease' is not signed.", "it is not signed"),
        (
            "W: GPG error: http://d s InRelease: ... NO_PUBKEY 1234",
            "it is signed with a key that this host does not know",
        ),
        ("E: Failed to fetch http://d  Could not resolve 'd'", "it cannot be reached"),
        ("E: Failed to fetch http://d  Could not connect to 127.0.0.1:9", "it cannot be reached"),
        (
            "E: The repository 'file:/r no Release' does not have a Release file.",
            "it has no such index",
        ),
        ("E: Release file for http://d is expired (invalid since 3d).", "its index is out of date"),
    ],
)
def test_a_complaint_says_what_it_means_and_keeps_the_source(line: str, meaning: str) -> None:
    (found,) = work.complaints(
        f"Reading package lists...\n{line}\nW: Some index files failed to download.\n"
    )
    assert found.startswith(meaning)
    assert found.endswith(line[3:])


INPUTS = {
    "preflight_package_timeout": 1,
    "preflight_package_lock_timeout": 1,
    "preflight_package_lists_valid": 1,
}


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was done of: lists refreshed, packages recorded, installed."""
    found: list[str] = []
    monkeypatch.setattr(work, "wait_for_locks", lambda _seconds: None)
    monkeypatch.setattr(work, "refresh_where_old", lambda *_: found.append("refreshed"))
    monkeypatch.setattr(work.packages, "record", lambda _s, steps, *_: found.append(str(steps)))
    monkeypatch.setattr(work, "install", lambda words, *_: found.append(" ".join(words)))
    monkeypatch.setattr(work.packages, "installed", lambda: {"new": "1"} if found[2:] else {})
    return found


def test_a_package_is_recorded_with_what_it_brings_along_before_it_is_installed(
    done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    line = "Inst new (1 Debian:13/stable [all])\nInst with (2 Debian:13/stable [all])\n"
    monkeypatch.setattr(work.packages, "simulate", lambda *_: line)
    assert work.add({}, "debian", ["new"], "a/b", "run", INPUTS) == {"new": ["", "1"]}
    assert (done[0], done[2]) == ("refreshed", "--no-install-recommends new")
    assert "'name': 'new'" in done[1]
    assert "'name': 'with'" in done[1]


def test_a_package_whose_programs_are_gone_is_installed_once_more(
    done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work.packages, "simulate", lambda *words: " ".join(words))
    work.add({}, "debian", ["new"], "a/b", "run", INPUTS, again=True)
    assert done[-1] == "--no-install-recommends --reinstall new"


def test_a_package_that_would_change_the_engine_is_not_added(
    done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    line = "Inst runc [1] (2 Debian:13/stable [all])\nInst new (1 Debian:13/stable [all])\n"
    monkeypatch.setattr(work.packages, "simulate", lambda *_: line)
    with pytest.raises(PackagesError, match="would change runc as well"):
        work.add({}, "debian", ["new"], "a/b", "run", INPUTS)
    assert done == ["refreshed"]
    work.add({}, "debian", ["new", "runc"], "a/b", "run", INPUTS, engine=True)
    assert done[-1] == "new runc", "with what it recommends"
