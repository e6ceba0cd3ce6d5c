"""Two hosts, one with each engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hosts import trust_lab
from tests.hosts.container_host import Host


@pytest.fixture(scope="session")
def trust(nodes: list[Host], memory: Path) -> trust_lab.Trust:
    return trust_lab.made(nodes, memory / "project")
