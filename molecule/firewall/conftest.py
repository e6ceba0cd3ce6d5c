"""The project of one profile, for two hosts with a client beside each."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hosts.container_host import Host
from tests.hosts.inventory import inventory
from tests.hosts.project import Project, hardhost

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def project(nodes: list[Host], memory: Path) -> Project:
    directory = memory / "project"
    done = hardhost(
        "render", "firewall", "--profiles", str(HERE / "profiles"), "-o", str(directory)
    )
    assert done.code == 0, done.text
    file = directory / "inventory.yml"
    file.write_text(inventory(nodes, ["firewall"]))
    return Project(directory, file)
