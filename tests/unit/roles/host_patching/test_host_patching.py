"""What replaced files, kernels and the configuration of unattended upgrades mean."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import hardhost_automatic_updates as automatic
from ansible.module_utils import hardhost_kernels as kernels
from ansible.module_utils import hardhost_outdated as outdated
from ansible.module_utils import hardhost_packages as packages
from ansible.module_utils import hardhost_surface_host_patching as surface

from tests.unit.roles.hosts import container, facts, module

host_health = module("host_patching", "host_health")
MAPS = "7f1-7f2 {mode} 00000000 00:1f 4321    {path}\n"
HOST = "/docker/4dd3f642a0105d960b686610fbe9e01297fe83a88052c981dd9c31aae3ee822d"


@pytest.mark.parametrize(
    ("mode", "path", "expected"),
    [
        ("r-xp", "/usr/lib/x86_64-linux-gnu/libssl.so.3 (deleted)", True),
        ("r-xp", "/usr/sbin/cron (deleted)", True),
        ("r--p", "/usr/lib/x86_64-linux-gnu/libssl.so.3 (deleted)", False),
        ("r-xp", "/usr/lib/x86_64-linux-gnu/libssl.so.3", False),
        ("rwxp", "/memfd:jit (deleted)", False),
        ("r-xp", "/tmp/program (deleted)", False),
    ],
)
def test_a_process_runs_what_was_replaced(mode: str, path: str, expected: bool) -> None:
    assert outdated.replaced(MAPS.format(mode=mode, path=path)) is expected


@pytest.mark.parametrize(
    ("cgroup", "unit"),
    [
        ("0::/system.slice/cron.service\n", "cron.service"),
        ("2:cpu:/x\n1:name=systemd:/system.slice/ssh.service\n", "ssh.service"),
        (f"1:name=systemd:{HOST}/system.slice/cron.service\n", "cron.service"),
        ("0::/system.slice/system-getty.slice/getty@tty1.service\n", "getty@tty1.service"),
        ("0::/user.slice/user-0.slice/session-3.scope\n", ""),
        ("0::/user.slice/user-0.slice/user@0.service/app.slice/x.service\n", ""),
        ("0::/system.slice/docker-4dd3f642a010.scope\n", ""),
        (f"1:name=systemd:{HOST}\n", ""),
        ("0::/init.scope\n", ""),
    ],
)
def test_the_service_of_a_process(cgroup: str, unit: str) -> None:
    assert outdated.unit_of(cgroup) == unit


def process(root: Path, pid: str, unit: str, namespace: str) -> None:
    folder = root / pid
    (folder / "ns").mkdir(parents=True)
    (folder / "ns/pid").symlink_to(namespace)
    (folder / "cgroup").write_text(f"0::/system.slice/{unit}\n")
    (folder / "maps").write_text(MAPS.format(mode="r-xp", path="/usr/bin/x (deleted)"))


def test_services_of_this_host_and_of_no_container(tmp_path: Path) -> None:
    process(tmp_path, "1", "init.scope", "pid:[1]")
    process(tmp_path, "20", "cron.service", "pid:[1]")
    process(tmp_path, "21", "cron.service", "pid:[1]")
    process(tmp_path, "30", "nginx.service", "pid:[2]")
    assert outdated.services(str(tmp_path)) == ["cron.service"]


@pytest.mark.parametrize(
    "unit",
    [
        *("docker.service", "containerd.service", "dbus.service", "user@0.service"),
        *("firewalld.service", "openvpn@office.service"),
    ],
)
def test_what_is_never_restarted(unit: str) -> None:
    assert outdated.restartable([unit]) == ([], [unit])


@pytest.mark.parametrize(
    ("unit", "kill_mode", "may"),
    [
        ("nginx.service", "mixed", True),
        ("ssh.service", "process", True),
        # Without logind, sessions are the service's own.
        ("ssh.service", "mixed", False),
        ("runner.service", "control-group", False),
        ("runner.service", "process", True),
        # Its old processes would stay beside the new ones.
        ("nginx.service", "none", False),
    ],
)
def test_what_a_restart_would_end_with_it(
    unit: str, kill_mode: str, may: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sessions, and this very run where an agent has started it."""
    shown = f"LoadState=loaded\nActiveState=active\nType=simple\nKillMode={kill_mode}\nMainPID=7\n"
    process(tmp_path, "7", unit, "pid:[1]")
    monkeypatch.setattr(outdated, "own_unit", lambda: "runner.service")
    monkeypatch.setattr(packages, "run", lambda *_: (0, shown, ""))
    found = outdated.restartable([unit], str(tmp_path))
    assert found == (([unit], []) if may else ([], [unit]))


def test_a_child_that_outlives_restarts_is_no_reason_for_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job of cron: each restart of cron would leave it, and be due again."""
    shown = "LoadState=loaded\nActiveState=active\nType=simple\nKillMode=process\nMainPID=7\n"
    monkeypatch.setattr(packages, "run", lambda *_: (0, shown, ""))
    process(tmp_path, "1", "init.scope", "pid:[1]")
    process(tmp_path, "7", "cron.service", "pid:[1]")
    process(tmp_path, "8", "cron.service", "pid:[1]")
    (tmp_path / "7/maps").write_text(MAPS.format(mode="r-xp", path="/usr/bin/x"))
    assert outdated.services(str(tmp_path)) == ["cron.service"]
    assert outdated.restartable(["cron.service"], str(tmp_path)) == ([], ["cron.service"])


@pytest.mark.parametrize(
    ("running", "installed", "newest"),
    [
        ("6.1.0-28-amd64", ["6.1.0-9-amd64", "6.1.0-28-amd64"], "6.1.0-28-amd64"),
        ("6.1.0-9-amd64", ["6.1.0-28-amd64", "6.1.0-9-amd64"], "6.1.0-28-amd64"),
        (
            "6.1.0-28-cloud-amd64",
            ["6.1.0-30-amd64", "6.1.0-28-cloud-amd64"],
            "6.1.0-28-cloud-amd64",
        ),
        ("6.12.41+deb13-amd64", ["6.12.43+deb13-amd64"], "6.12.43+deb13-amd64"),
        ("6.12.43+deb13-amd64", ["6.12.74+deb13+1-amd64"], "6.12.74+deb13+1-amd64"),
        (
            "5.14.0-427.13.1.el9_4.x86_64",
            ["5.14.0-427.13.1.el9_4.x86_64", "5.14.0-503.11.1.el9_5.x86_64", "0-rescue-9f"],
            "5.14.0-503.11.1.el9_5.x86_64",
        ),
        # 5 comes after nothing, and not before the 8 of el8.
        (
            "4.18.0-553.el8_10.x86_64",
            ["4.18.0-553.5.1.el8_10.x86_64"],
            "4.18.0-553.5.1.el8_10.x86_64",
        ),
        (
            "5.14.0-503.11.1.el9_5.x86_64",
            [
                "5.14.0-503.11.1.el9_5.x86_64",
                "5.14.0-503.14.1.el9_5.x86_64+rt",
                "5.15.0-300.1.el9uek.x86_64",
            ],
            "5.14.0-503.11.1.el9_5.x86_64",
        ),
        ("6.11.4-301.fc41.x86_64", ["6.12.4-200.fc42.x86_64"], "6.12.4-200.fc42.x86_64"),
        ("5.15.0-91-generic", ["5.15.0-100-generic"], "5.15.0-100-generic"),
        ("6.18.44-own", [], "6.18.44-own"),
        ("6.18.44-own", ["6.1.0-28-amd64"], "6.18.44-own"),
        ("6.1.0-28-amd64", ["6.1.0-9-amd64"], "6.1.0-28-amd64"),
    ],
)
def test_the_newest_kernel_of_a_kind(running: str, installed: list[str], newest: str) -> None:
    assert kernels.newest_of(running, installed) == newest


def test_a_kernel_may_change_without_its_name() -> None:
    version = "Linux version 6.1.0-28-amd64 (debian@x) (gcc) #1 SMP Debian 6.1.119-1 (2024-11-22)"
    assert kernels.build(version) == "6.1.119-1"
    found = {"running": "a", "newest": "a", "running_build": "1", "newest_build": "2"}
    assert "as built in 1, 2 is installed" in kernels.outdated(found)
    assert kernels.outdated({**found, "newest_build": "1"}) == ""
    assert kernels.outdated({**found, "newest_build": ""}) == ""


def reboot(policy: str, **window: str) -> dict[str, object]:
    return {
        "id": surface.KERNEL,
        "settings": {"host_patching_reboot": {"policy": policy, "window": window}},
    }


@pytest.fixture
def due(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host on which a newer kernel is installed than runs."""
    found = {"running": "1", "newest": "2", "running_build": "", "newest_build": ""}
    monkeypatch.setattr(kernels, "found", lambda: found)


@pytest.mark.usefixtures("due")
def test_a_reboot_waits_for_policy_window_and_containers() -> None:
    given = {"docker_restart_stop_containers": False}
    held = surface.reboot_allowed(facts(), given, reboot("report"))
    assert held["decision"] == "pending"
    assert "the kernel 1 runs, 2 is installed" in held["reason"]
    assert surface.reboot_allowed(facts(), given, reboot("now")) is None
    held = surface.reboot_allowed(facts(), given, reboot("window"))
    assert "host_patching_reboot_window has no calendar" in held["reason"]
    passing = facts(containers=[container("job", auto_remove=True)])
    held = surface.reboot_allowed(passing, given, reboot("now"))
    assert "--rm: job" in held["reason"]
    ordered = {"docker_restart_stop_containers": True}
    assert surface.reboot_allowed(passing, ordered, reboot("now")) is None


@pytest.mark.usefixtures("due")
def test_a_reboot_that_changed_nothing_is_not_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The boot loader starts the old kernel: another reboot would not help, a newer kernel may."""
    path = str(tmp_path / "hardhost" / "reboot.json")
    found = kernels.found()
    assert not kernels.rebooted_in_vain(found, "a boot", path)
    kernels.begin_reboot(found, "a boot", path)
    assert not kernels.rebooted_in_vain(found, "a boot", path), "it has not been rebooted yet"
    assert kernels.rebooted_in_vain(found, "the next boot", path)
    assert not kernels.rebooted_in_vain({**found, "newest": "3"}, "the next boot", path)
    monkeypatch.setattr(kernels, "rebooted_in_vain", lambda *_: True)
    left = surface.reboot_allowed(facts(), {}, reboot("now"))
    assert left["decision"] == "report"
    assert "the kernel 1 runs, 2 is installed; a reboot for it has not" in left["reason"]
    held = surface.reboot_allowed(facts(), {}, reboot("report"))
    assert held["decision"] == "pending"


def test_a_host_that_came_back_is_judged(due: None, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {"boot": "a", "offset": 1.0}
    now = {"boot": "a", "offset": 1.0, "kernel": "1"}
    assert "same boot" in host_health.wrong_boot(before, now)
    assert "the kernel 1 runs" in host_health.wrong_boot(before, {**now, "boot": "b"})
    monkeypatch.setattr(kernels, "outdated", lambda _found: "")
    assert host_health.wrong_boot(before, {**now, "boot": "b"}) == ""
    assert "clock" in host_health.wrong_boot(before, {**now, "boot": "b", "offset": 4000.0})
    late = {"boot": "a", "offset": 3990.0}
    assert host_health.wrong_boot(late, {**now, "boot": "b", "offset": 4000.0}) == ""


def dump(text: str) -> str:
    """What `apt-config dump` says of the drop-in's lines."""
    lines, name = [], ""
    for line in text.splitlines():
        if line.endswith("{"):
            name = line[:-2]
        elif line.startswith("    "):
            lines.append(f'{name}:: "{line.strip()[1:-2]}";')
        elif line.endswith('";'):
            lines.append(line)
    return "\n".join(lines) + "\n"


def test_the_drop_in_is_what_is_wanted() -> None:
    assert automatic.wrong(dump(automatic.text())) == []


def test_what_a_configuration_lacks_is_said() -> None:
    found = dump(automatic.text())
    off = found + 'APT::Periodic::Unattended-Upgrade "0";\n'
    assert automatic.wrong(off) == ["APT::Periodic::Unattended-Upgrade is 0, not 1"]
    without = "".join(line + "\n" for line in found.splitlines() if "containerd" not in line)
    assert automatic.wrong(without) == [
        "the engine's packages are not excluded: containerd, containerd.io"
    ]
    assert len(automatic.wrong("")) == 3


def test_every_package_of_the_engine_is_excluded_and_no_other() -> None:
    import re  # noqa: PLC0415 - as the tool does it

    for name in packages.ENGINE:
        assert any(re.match(one, name) for one in automatic.patterns()), name
    for other in ("dockerfile-lint", "docker.iox", "containerd-dev", "runcible", "libc6"):
        assert not any(re.match(one, other) for one in automatic.patterns()), other


LOOK = "pkgs that look like they should be upgraded:"  # 2.9 and 2.12


@pytest.mark.parametrize(
    ("said", "chosen"),
    [
        (f"x\n{LOOK} demo\nlibssl3\nFetched 0 B in 0s (0 B/s)\n", ["demo", "libssl3"]),
        (f"{LOOK} \nFetched 0 B in 0s (0 B/s)   \nfetch.run() result: 0\n", []),
        ("Lock could not be acquired\n", None),
    ],
)
def test_the_dry_run_says_what_it_would_do(said: str, chosen: list[str] | None) -> None:
    assert automatic.chosen(said) == chosen


@pytest.mark.parametrize(
    ("line", "mends"),
    [
        ("", False),
        ('Unattended-Upgrade::AutoFixInterruptedDpkg "true";', True),
        ('Unattended-Upgrade::AutoFixInterruptedDpkg "false";', False),
    ],
)
def test_who_orders_an_interrupted_dpkg_to_be_mended(line: str, mends: bool) -> None:
    assert automatic.mends('APT "";\n' + line + "\n") is mends


class Containers:
    """An engine of which some containers start only once another one runs."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, needs: dict[str, str]) -> None:
        self.running: list[str] = []
        self.needs = needs
        monkeypatch.setattr(host_health.docker, "request", self.request)
        monkeypatch.setattr(host_health, "runs", lambda one: one["id"] in self.running)
        monkeypatch.setattr(host_health, "GRACE", 0)

    def request(self, _method: str, path: str, _body: bytes, **_more: Any) -> None:
        name = path.split("/")[2]
        if self.needs.get(name, name) not in [name, *self.running]:
            raise host_health.docker.ApiError(f"cannot join network of {self.needs[name]}")
        self.running.append(name)


def ran(*names: str) -> list[dict[str, Any]]:
    return [{"id": one, "name": one, "swarm": False, "auto_remove": False} for one in names]


def test_a_container_that_needs_another_one_comes_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    Containers(monkeypatch, {"app": "vpn"})
    assert host_health.bring_back(ran("app", "db", "vpn"), 1) == ["app", "db", "vpn"]


def test_one_container_that_does_not_start_keeps_no_other_down(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = Containers(monkeypatch, {"app": "gone", "web": "app"})
    with pytest.raises(host_health.Worse, match=r"app does not start.*; container web does not"):
        host_health.bring_back(ran("app", "db", "web"), 1)
    assert engine.running == ["db"]
