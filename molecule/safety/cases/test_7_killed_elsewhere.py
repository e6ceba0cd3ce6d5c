"""Killed at the user and its ranges, at owners and modes: taken back at once, or gone on with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hosts.observation import differences, observe
from tests.hosts.project import render
from tests.hosts.steps import ORIGINAL, Steps, put_daemon_json

PROFILES = Path(__file__).parents[1] / "profiles"
CLEAN = """
docker rm -f $(docker ps -aq); rm -rf /var/lib/hardhost /run/dying.json
userdel dockremap; sed -i /^dockremap:/d /etc/subuid /etc/subgid
"""
REMAINS = "rm -rf /var/lib/docker/[0-9]*.[0-9]*"
LOOSE = """
mkdir -p /etc/docker/certs.d/registry.test
for name in ca client; do : > /etc/docker/certs.d/registry.test/$name.crt; done
chown -R 65534:4242 /etc/docker/certs.d && chmod -R 0666 /etc/docker/certs.d/registry.test/*.crt
chown 65534 /etc/docker && chmod 0777 /etc/docker
"""


def steps_of(profile: str, new: Steps, memory: Path) -> Steps:
    steps = Steps(new.host, render(profile, memory / profile, [new.host], PROFILES))
    steps.install()
    return steps


@pytest.fixture
def remapped(new: Steps, memory: Path) -> Iterator[Steps]:
    steps = steps_of("remapped", new, memory)
    steps.inputs = {"docker_daemon_accept_data_root_change": True}
    reset(steps)
    yield steps
    reset(steps)
    new.install()


def reset(steps: Steps) -> None:
    """Without the user, its ranges and its data root."""
    steps.host.sh(CLEAN, check=False)
    put_daemon_json(steps.host, ORIGINAL)
    steps.host.sh(REMAINS)


def kept_etc(steps: Steps) -> dict[str, Any]:
    """/etc without the locks and the copies that the system's tools leave there."""
    found = observe(steps.host)["etc"]
    return {name: one for name, one in found.items() if not name.endswith(("-", "/.pwd.lock"))}


def test_killed_around_the_user_and_its_ranges(remapped: Steps, every_point: bool) -> None:
    before = kept_etc(remapped)
    remapped.new_run()
    remapped.write(remapped.read(), die=("daemon_json.py", 0)).ok()
    effects = remapped.effects()
    reset(remapped)
    first = effects.index(next(one for one in effects if one.startswith("run useradd")))
    assert [one.split()[1] for one in effects[first:] if one.startswith("run ")] == [
        *("useradd", "usermod", "usermod")
    ]
    chosen = range(first + 1, len(effects) + 1)
    for number in chosen if every_point else chosen[3:4]:
        print(f"before {effects[number - 1]}", flush=True)
        kill_write(remapped, number)
        remapped.roll_back()
        assert not differences(before, kept_etc(remapped))
        kill_write(remapped, number)
        remapped.converge()
        assert_remapped(remapped)
        assert not remapped.read()["restart"]["work"]
        reset(remapped)


def kill_write(steps: Steps, number: int) -> None:
    """On a host without a past: its effects are the same every time."""
    steps.host.sh("rm -rf /var/lib/hardhost")
    steps.new_run()
    answer = steps.write(steps.read(), die=("daemon_json.py", number))
    assert answer.killed, answer.text
    assert steps.host.out("docker version")
    options = steps.host.sh("cat /etc/docker/daemon.json").stdout
    assert options == ORIGINAL or b"userns-remap" in options


def assert_remapped(steps: Steps) -> None:
    """One user with one range, the same for users and groups, and dockerd uses it."""
    assert any("userns" in one for one in observe(steps.host)["daemon"]["SecurityOptions"])
    lines = steps.host.out("cat /etc/subuid /etc/subgid | grep ^dockremap:").splitlines()
    assert (len(lines), len(set(lines))) == (2, 1), lines
    assert steps.host.out("getent passwd dockremap | wc -l").strip() == "1"


@pytest.fixture
def loose(new: Steps, memory: Path) -> Iterator[Steps]:
    """Anybody may change the directory and the certificates in it."""
    steps = steps_of("files", new, memory)
    steps.host.sh("rm -rf /var/lib/hardhost /run/dying.json")
    put_daemon_json(steps.host, ORIGINAL)
    steps.host.sh(LOOSE)
    yield steps
    steps.host.sh("rm -rf /etc/docker/certs.d; chown root /etc/docker; chmod 0755 /etc/docker")
    new.install()


def test_killed_between_owners_and_modes(loose: Steps, every_point: bool) -> None:
    before = observe(loose.host)["etc"]
    loose.new_run()
    loose.permissions(loose.read(), die=("path_permissions.py", 0)).ok()
    effects = loose.effects()
    assert len([one for one in effects if one.startswith(("chown ", "chmod "))]) == 6, effects
    after = observe(loose.host)["etc"]
    loose.in_a_minute()
    loose.roll_back()
    numbers = range(1, len(effects) + 1)
    middle = effects.index(next(one for one in effects if one.startswith("chmod "))) + 1
    for number in numbers if every_point else [middle]:
        print(f"before {effects[number - 1]}", flush=True)
        kill_permissions(loose, number)
        loose.roll_back()
        assert not differences(before, observe(loose.host)["etc"])
        kill_permissions(loose, number)
        loose.converge()
        assert not differences(after, observe(loose.host)["etc"])
        assert not loose.read()["restart"]["work"]
        loose.roll_back()
        assert not differences(before, observe(loose.host)["etc"])
        assert not loose.roll_back()


def kill_permissions(steps: Steps, number: int) -> None:
    steps.host.sh("rm -rf /var/lib/hardhost")
    steps.new_run()
    answer = steps.permissions(steps.read(), die=("path_permissions.py", number))
    assert answer.killed, answer.text
