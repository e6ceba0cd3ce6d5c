"""A new host for each case, with containers that serve, and the project that is run on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hosts import container_host
from tests.hosts.container_host import Host
from tests.hosts.project import Project, render


@pytest.fixture
def fresh(node: Host) -> Host:
    """The host made anew: what one case did to it must not help or hurt the next."""
    return container_host.up(node.name, node.os)


@pytest.fixture
def project(fresh: Host, memory: Path) -> Project:
    """`development` for this host, with a deadline for the restart that a test can wait for."""
    made = render("development", memory / fresh.name, [fresh])
    made.give(docker_restart_timeout=30)
    return made
