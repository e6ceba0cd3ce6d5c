"""Hosts with containers that serve, the project's modules on them, and how long the loops are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hosts import container_host
from tests.hosts.container_host import Host
from tests.hosts.project import Project, render
from tests.hosts.serving import Serving, serving
from tests.hosts.steps import EVERY_POINT, ORIGINAL, Steps, put_daemon_json


@pytest.fixture(scope="session")
def every_point() -> bool:
    """`make test-all` loops over all points; `make test` takes a few of each loop."""
    return EVERY_POINT


@pytest.fixture(scope="session")
def old(nodes: list[Host], memory: Path) -> Steps:
    """Debian 12, whose engine has no --validate."""
    return prepared(nodes, "safety12", memory)


@pytest.fixture(scope="session")
def new(nodes: list[Host], memory: Path) -> Steps:
    return prepared(nodes, "safety13", memory)


def prepared(nodes: list[Host], name: str, memory: Path) -> Steps:
    host = next(one for one in nodes if one.name == name)
    steps = Steps(host, render("development", memory / name, [host]))
    steps.install()
    return steps


@pytest.fixture
def project(node: Host, memory: Path) -> Project:
    """`development` for whole playbooks, with a deadline for restarts that a test can wait for."""
    made = render("development", memory / f"{node.name}-plays", [node])
    made.give(docker_restart_timeout=30)
    return made


@pytest.fixture
def fresh(node: Host) -> Host:
    """The host made anew: what one case did to it must not help or hurt the next."""
    return container_host.up(node.name, node.os)


@pytest.fixture
def served(old: Steps) -> Iterator[Serving]:
    # What a case that failed has left must not fail the next one.
    old.host.sh("docker rm -f web worker; rm -rf /var/lib/hardhost /run/dying.json", check=False)
    put_daemon_json(old.host, ORIGINAL)
    with serving(old.host) as found:
        yield found
