"""Hosts with containers that serve, the project's modules on them, and how long the loops are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hosts import container_host
from tests.hosts.project import render
from tests.hosts.serving import Serving
from tests.hosts.steps import EVERY_POINT, Steps, untouched


@pytest.fixture(scope="session")
def every_point() -> bool:
    """`make safety-loops` loops over all points; the short form takes a few of each loop."""
    return EVERY_POINT


@pytest.fixture(scope="session")
def old(memory: Path) -> Steps:
    """Debian 12, whose engine has no --validate."""
    return prepared("safety12", memory)


@pytest.fixture(scope="session")
def new(memory: Path) -> Steps:
    return prepared("safety13", memory)


def prepared(name: str, memory: Path) -> Steps:
    host = container_host.find(name)
    steps = Steps(host, render("development", memory / name, [host]))
    steps.install()
    return steps


@pytest.fixture
def served(old: Steps) -> Iterator[Serving]:
    with untouched(old) as found:
        yield found
