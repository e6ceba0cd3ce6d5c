"""The words of apt and dpkg as data."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible.module_utils import hardhost_packages as packages
from ansible.module_utils import hardhost_sources as sources

SIMULATION = """Reading package lists...
Inst libssl3 [3.0.11-1] (3.0.15-1 Debian:12.8/old, Debian-Security:12/old-security [amd64])
Inst libc6:i386 [2.36-9] (2.36-10 Debian:12.8/oldstable [i386])
Inst linux-image-6.1.0-28-amd64 (6.1.119-1 Debian-Security:12/stable-security [amd64])
Remv oldthing [1.0]
Conf libssl3 (3.0.15-1~deb12u1 Debian:12.8/oldstable [amd64])
"""
POLICY = """docker.io:
  Installed: 20.10.24+dfsg1-1
  Candidate: 26.1.5+dfsg1-9
  Version table:
     26.1.5+dfsg1-9 500
        500 http://deb.debian.org/debian trixie/main amd64 Packages
     26.1.4+dfsg1-1 500
        500 http://security.debian.org/debian-security trixie-security/main amd64 Packages
 *** 20.10.24+dfsg1-1 100
        100 /var/lib/dpkg/status
runc:
  Installed: (none)
  Candidate: 1.1.5
  Version table:
     1.1.5 500
        500 http://deb.debian.org/debian trixie/main amd64 Packages
"""


def test_a_simulation_says_what_would_be_installed_and_removed() -> None:
    found = packages.simulated(SIMULATION)
    assert [(one["name"], one["before"], one["after"]) for one in found] == [
        ("libssl3", "3.0.11-1", "3.0.15-1"),
        ("libc6", "2.36-9", "2.36-10"),
        ("linux-image-6.1.0-28-amd64", "", "6.1.119-1"),
    ]
    assert packages.removed(SIMULATION) == ["oldthing"]


@pytest.mark.parametrize(
    ("origins", "security"),
    [
        ("Debian-Security:12/oldstable-security", True),
        ("Debian:12.8/oldstable, Debian-Security:12/oldstable-security", True),
        ("Ubuntu:22.04/jammy-updates, Ubuntu:22.04/jammy-security", True),
        ("Debian:12.8/oldstable", False),
        ("Ubuntu:22.04/jammy-updates", False),
        ("My-Security-Tools:1/stable", False),
        ("Docker:bookworm", False),
    ],
)
def test_what_is_a_security_archive(origins: str, security: bool) -> None:
    assert packages.from_security(origins) is security


def test_a_policy_names_versions_and_where_they_come_from() -> None:
    found = packages.policies(POLICY)
    assert found["docker.io"]["candidate"] == "26.1.5+dfsg1-9"
    assert found["runc"]["installed"] == ""
    versions = found["docker.io"]["versions"]
    assert [version for version, _places in versions] == [
        "26.1.5+dfsg1-9", "26.1.4+dfsg1-1", "20.10.24+dfsg1-1",
    ]  # fmt: skip
    assert versions[2][1] == ["/var/lib/dpkg/status"]


def test_a_security_update_counts_although_something_newer_hides_it() -> None:
    found = packages.policies(POLICY)["docker.io"]
    assert packages.newer_in_security(found)
    found["installed"] = "26.1.4+dfsg1-1"
    assert not packages.newer_in_security(found)


@pytest.fixture
def lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Lists, a stamp and a source, all in a directory of their own."""
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists/somewhere_Packages").write_text("")
    (tmp_path / "stamp").write_text("")
    (tmp_path / "sources.list").write_text("")
    os.utime(tmp_path / "sources.list", (500, 500))
    os.utime(tmp_path / "stamp", (1000, 1000))
    monkeypatch.setattr(packages, "LISTS", str(tmp_path / "lists"))
    monkeypatch.setattr(packages, "STAMP", str(tmp_path / "stamp"))
    monkeypatch.setattr(packages, "OTHER_STAMP", str(tmp_path / "none"))
    monkeypatch.setattr(sources, "paths", lambda: [str(tmp_path / "sources.list")])
    return tmp_path


def test_lists_are_as_old_as_their_refresh(lists: Path) -> None:
    assert packages.lists_age(now=1060) == 60


def test_lists_that_are_older_than_the_sources_do_not_count(lists: Path) -> None:
    os.utime(lists / "sources.list", (1001, 1001))
    assert packages.lists_age(now=1060) is None


def test_no_lists_have_no_age(lists: Path) -> None:
    (lists / "lists/somewhere_Packages").unlink()
    assert packages.lists_age(now=1060) is None


def test_stale_lists_are_what_a_converge_changes(lists: Path) -> None:
    assert packages.list_changes({"preflight_package_lists_valid": 10**12}) == []
    (found,) = packages.list_changes({"preflight_package_lists_valid": 0})
    assert found["what"] == packages.LISTS_CHANGE


def test_a_program_that_hangs_is_not_waited_for() -> None:
    with pytest.raises(packages.PackagesError, match="did not end within 1 seconds"):
        packages.run(["sleep", "30"], 1)


def test_what_a_program_says_is_its_errors_first() -> None:
    text = "Reading\nE: broken\nmore\nW: odd\n"
    assert packages.said(text) == "E: broken; W: odd"
    assert packages.said("one\ntwo\n") == "one; two"
    assert packages.said("") == "it says nothing"


def test_versions_that_changed() -> None:
    found = packages.differences({"a": "1", "b": "1"}, {"a": "2", "b": "1", "c": "1"})
    assert found == {"a": ["1", "2"], "c": ["", "1"]}
    assert packages.worded(found) == ["a: 1 -> 2", "c: (not installed) -> 1"]
