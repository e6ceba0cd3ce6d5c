"""Somebody else has the package manager's lock while a part of the engine is to be installed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hosts.project import Project, excepted, render
from tests.hosts.serving import Serving
from tests.hosts.steps import LONG, ORIGINAL, Steps, untouched

LOCK = "/var/lib/dpkg/lock-frontend"
# As apt and unattended-upgrades hold it.
HOLDER = (
    f"import fcntl, time; f = open('{LOCK}', 'w'); fcntl.lockf(f, fcntl.LOCK_EX); time.sleep(600)"
)
PUT_BACK = """
systemctl stop held
[ -e /usr/bin/docker ] || cp -a /usr/bin/docker.kept /usr/bin/docker
rm -f /usr/bin/docker.kept /etc/apt/sources.list.d/*
"""
ASK = f"import fcntl; fcntl.lockf(open('{LOCK}', 'w'), fcntl.LOCK_EX | fcntl.LOCK_NB)"


@pytest.fixture
def clientless(new: Steps) -> Iterator[Serving]:
    """A host whose containers serve, without the docker command."""
    with untouched(new) as found:
        new.host.sh("cp -a /usr/bin/docker /usr/bin/docker.kept && dpkg --purge docker-cli")
        new.host.sh("cp /root/sources/* /etc/apt/sources.list.d/")
        yield found
        new.host.sh(PUT_BACK, check=False)


def hold(served: Serving) -> None:
    """Have a process of the host's own take the lock."""
    served.host.sh(f'systemd-run --quiet --collect --unit=held python3 -c "{HOLDER}"')
    served.host.sh(f'while python3 -c "{ASK}" 2>/run/asked; do sleep 0.1; done')
    assert held(served), served.host.out("cat /run/asked")


def held(served: Serving) -> bool:
    return served.host.sh("systemctl is-active --quiet held", check=False).returncode == 0


@LONG
def test_the_lock_of_the_package_manager(clientless: Serving, memory: Path) -> None:
    """Who holds it ends the run, said and harmless; the next one may follow at once."""
    host = clientless.host
    project: Project = render("development", memory / "packages", [host])
    project.give(**excepted(project, patched=False), preflight_package_lock_timeout=5)
    hold(clientless)
    stopped = project.play()
    stopped.assert_failed(host, saying=f"{LOCK} is held by python3 (process ")
    assert host.sh("cat /etc/docker/daemon.json").stdout == ORIGINAL
    for connection in clientless.connections:
        connection.answers()
    host.sh("systemctl stop held")
    project.play().assert_converged(host)
    clientless.assert_unbroken()
    project.play("site", "--check").assert_unchanged(host)
    back = project.play("rollback")
    back.assert_converged(host)
    said = " ".join(back.text.split())
    assert re.search(
        r"docker-cli: \S+ \(docker_engine/engine_present\): packages are not taken", said
    )
    assert host.out("docker version")
    clientless.assert_old_file()
