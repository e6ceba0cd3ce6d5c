"""What dnf, rpm and systemd say on hosts of the Red Hat family, and what becomes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import hardhost_outdated as outdated
from ansible.module_utils import hardhost_packages as packages
from ansible.module_utils import hardhost_redhat as redhat
from ansible.module_utils import hardhost_state as states
from ansible.module_utils import hardhost_surface_host_patching as surface

from tests.unit.roles.hosts import facts, module

host_patching = module("host_patching", "host_patching")
ROCKY = {"id": "rocky", "version": "9.6", "family": "redhat", "pretty": "Rocky Linux 9.6"}
SECURITY = {"id": surface.SECURITY, "settings": {"host_patching_updates": {"scope": "security"}}}
DNF = """
bash.x86_64            5.1.8-9.el9_4       baseos
kernel-core.x86_64     5.14.0-503.el9_5    baseos
openssl-libs.x86_64    1:3.2.2-6.el9_5     baseos
Obsoleting Packages
old.noarch             1.0                 baseos
"""
RPM = """bash 5.1.8-6.el9
kernel-core 5.14.0-362.el9_3
kernel-core 5.14.0-427.el9_4
openssl-libs 1:3.0.7-27.el9
package dnf-automatic is not installed
"""
UPGRADED = RPM.replace("5.1.8-6.el9", "5.1.8-9.el9_4").replace(
    "package", "kernel-core 5.14.0-503.el9_5\npackage"
)
LOCKS = """# Added lock on Fri Nov 20 09:12:44 2026
openssl-libs-1:3.0.7-27.el9.*
!kernel-rt-core-0:5.14.0-503.el9_5.*
java-17-openjdk-*
"""


class Host:
    """A host of the Red Hat family that says what was recorded, and remembers what it was told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, locks: Path) -> None:
        self.told: list[str] = []
        self.rpm = RPM
        self.errors = ""
        self.timer = {"UnitFileState": "disabled", "ActiveState": "inactive"}
        self.locks = locks
        locks.write_text(LOCKS)
        monkeypatch.setattr(packages, "run", self.run)
        monkeypatch.setattr(redhat, "LOCKS", str(locks))
        monkeypatch.setattr(redhat.units, "show", lambda _unit: self.timer)
        monkeypatch.setattr(redhat, "DNF", str(self.program("dnf-3")))
        monkeypatch.setattr(redhat.managed, "changes", lambda _files: {})
        monkeypatch.setattr(outdated, "services", lambda: ["crond.service", "docker.service"])
        monkeypatch.setattr(surface.sources, "repositories", lambda: [{"words": "baseos"}])
        monkeypatch.setattr(host_patching.work, "in_unit", self.in_unit)

    def run(self, words: list[str], *_seconds: int) -> tuple[int, str, str]:
        self.told.append(" ".join(words))
        if words[0] == "rpm":
            lines = [one for one in self.rpm.splitlines() if {"--all", *one.split()} & set(words)]
            return 0, "\n".join(lines), ""
        if words[0] == "dnf":
            return 100, DNF, self.errors
        return 0, "LoadState=loaded\nActiveState=active\nType=simple\nKillMode=mixed\n", ""

    def program(self, name: str) -> Path:
        """`dnf`, as a link to this program, which is how each of them is packaged."""
        link = self.locks.parent / "dnf"
        link.unlink(missing_ok=True)
        link.symlink_to(self.locks.parent / name)
        return link

    def in_unit(self, words: list[str], _seconds: int) -> tuple[int, str]:
        self.told.append(" ".join(words))
        self.rpm = UPGRADED
        return 0, ""


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, state_directory: Path) -> Host:
    state_directory.mkdir(mode=0o700)
    return Host(monkeypatch, tmp_path / "versionlock.list")


def test_what_dnf_says_is_pending(host: Host) -> None:
    found = redhat.pending("security")
    assert [(one["name"], one["before"], one["after"], one["held"]) for one in found] == [
        ("bash", "5.1.8-6.el9", "5.1.8-9.el9_4", False),
        ("kernel-core", "5.14.0-362.el9_3, 5.14.0-427.el9_4", "5.14.0-503.el9_5", False),
        ("openssl-libs", "1:3.0.7-27.el9", "1:3.2.2-6.el9_5", True),
    ]
    assert "dnf --disableplugin=versionlock check-update --security" in host.told[0]
    assert "--exclude=docker-ce" in host.told[0]
    assert "--exclude=containerd.io" in host.told[0]


def test_the_plugin_is_asked_about_where_something_is_locked(host: Host) -> None:
    assert redhat.locks(LOCKS) == {"openssl-libs", "kernel-rt-core", "java-17-openjdk"}
    assert redhat.locks("kernel-core-*\nbash\n") == {"kernel-core", "bash"}
    host.locks.write_text("# nothing\n")
    assert not any(one["held"] for one in redhat.pending("all"))
    assert host.told[0].startswith("dnf check-update --exclude=")


def test_a_source_that_dnf_leaves_out_is_named(host: Host) -> None:
    """As dnf 4.14 says it: what that source has for this host is not known."""
    host.errors = (
        "Errors during downloading metadata for 'epel'\nIgnoring repositories: epel, copr:x\n"
    )
    with pytest.raises(packages.PackagesError, match="epel, copr:x cannot be read"):
        redhat.pending("security")


def test_services_that_run_replaced_files_are_found_as_on_debian(host: Host) -> None:
    changes = surface.update_changes(SECURITY, facts(os=ROCKY), {})
    assert [one["what"] for one in changes] == [
        "package bash",
        "package kernel-core",
        "service crond.service",
    ]
    found = surface.observe_updates(facts(os=ROCKY), {}, SECURITY["settings"])
    assert (found["services"], found["until_reboot"]) == (["crond.service"], ["docker.service"])
    assert [one["name"] for one in found["pending"] if one["held"]] == ["openssl-libs"]


def test_without_a_repository_nothing_is_known(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surface.sources, "repositories", list)
    found = surface.observe_updates(facts(os=ROCKY), {}, SECURITY["settings"])
    assert found == {"problem": surface.NO_SOURCES, "unknown": True}


def patching(*controls: dict[str, Any]) -> Any:
    inputs = {"preflight_package_timeout": 1, "preflight_package_lock_timeout": 1}
    return host_patching.Patching(
        {"controls": list(controls), "inputs": inputs, "os": ROCKY, "run": "r1", "holder": "ops"}
    )


def test_updates_are_recorded_made_and_read_again(host: Host) -> None:
    state, run = states.empty(), patching(SECURITY)
    run.apply(state)
    assert [one["target"] for one in state["changes"]] == ["bash", "kernel-core"]
    assert run.answer["updated"] == {
        "bash": ["5.1.8-6.el9", "5.1.8-9.el9_4"],
        "kernel-core": [
            "5.14.0-362.el9_3, 5.14.0-427.el9_4",
            "5.14.0-362.el9_3, 5.14.0-427.el9_4, 5.14.0-503.el9_5",
        ],
    }
    assert run.answer["held"] == ["openssl-libs (1:3.0.7-27.el9 -> 1:3.2.2-6.el9_5)"]
    assert (run.answer["restarted"], run.answer["outdated"]) == (
        ["crond.service"],
        ["docker.service"],
    )
    (upgrade,) = [one for one in host.told if "upgrade" in one]
    assert upgrade.startswith("dnf -y upgrade --security --exclude=docker.io")
    assert [one for one in host.told if "restart" in one] == ["systemctl restart crond.service"]


def test_a_timer_that_is_switched_on_is_recorded(host: Host, state_directory: Path) -> None:
    state = states.empty()
    assert {one["what"] for one in redhat.automatic_changes("a/b")} == {
        "package dnf-automatic",
        "dnf-automatic.timer",
    }
    assert redhat.start_timer(state, "r1", "a/b")
    (kept,) = states.load(str(state_directory))["changes"]
    assert (kept["kind"], kept["target"], kept["before"], kept["after"]) == (
        "unit",
        "dnf-automatic.timer",
        {"enabled": False},
        {"enabled": True},
    )
    assert host.told[-1] == "systemctl enable --now dnf-automatic.timer"


def test_a_timer_that_was_on_is_left_alone(host: Host) -> None:
    host.timer = {"UnitFileState": "enabled", "ActiveState": "active"}
    host.rpm = "dnf-automatic 4.14.0-9.el9\n"
    state = states.empty()
    assert redhat.automatic_changes("a/b") == []
    assert not redhat.start_timer(state, "r1", "a/b")
    assert state["changes"] == []


def test_the_configuration_of_dnf_automatic() -> None:
    (file,) = redhat.automatic_files("x/y")
    assert redhat.wrong(file["data"].decode()) == []
    assert redhat.wrong("[commands]\napply_updates = no\n")[0] == "apply_updates is off"


REDHAT = {"os": {"family": "redhat"}}


@pytest.mark.parametrize("state", ["masked", "masked-runtime"])
@pytest.mark.parametrize("active", ["active", "inactive"])
def test_a_masked_timer_is_said_and_stays(host: Host, state: str, active: str) -> None:
    """Also where it still runs: it was masked without being stopped, and is gone after a boot."""
    host.timer = {"UnitFileState": state, "ActiveState": active}
    host.rpm = "dnf-automatic 4.14.0-9.el9\n"
    found = surface.automatic_updates_possible(REDHAT, {}, {})
    assert found["decision"] == "pending"
    assert found["reason"] == "dnf-automatic.timer is masked on this host"
    assert redhat.observe_automatic()["timers"] == {"dnf-automatic.timer": "masked"}
    with pytest.raises(redhat.PackagesError, match="masked"):
        redhat.start_timer(states.empty(), "r1", "a/b")
    assert not [one for one in host.told if one.startswith("systemctl")]


def test_dnf5_is_known_by_its_program_and_left_alone(host: Host) -> None:
    assert surface.automatic_updates_possible(REDHAT, {}, {}) is None
    host.program("dnf5")
    found = surface.automatic_updates_possible(REDHAT, {}, {})
    assert found["decision"] == "pending"
    assert found["reason"].startswith("dnf5 updates this host")
    assert "dnf5-automatic.timer" in found["remedy"]
    assert redhat.observe_automatic() == {"problem": redhat.FIVE, "unknown": True}
