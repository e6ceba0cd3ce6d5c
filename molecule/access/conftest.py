"""The hosts with a group that has a past, and the project of one profile for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hosts.container_host import Host
from tests.hosts.inventory import inventory
from tests.hosts.project import Project, hardhost

HERE = Path(__file__).parent
# `leaver` is in the group and not wanted, `deploy` is wanted and not in it.
PAST = """
id deploy >/dev/null 2>&1 || useradd --no-create-home deploy
id leaver >/dev/null 2>&1 || useradd --no-create-home --groups docker leaver
"""


@pytest.fixture(scope="session")
def project(nodes: list[Host], memory: Path) -> Project:
    directory = memory / "project"
    done = hardhost("render", "access", "--profiles", str(HERE / "profiles"), "-o", str(directory))
    assert done.code == 0, done.text
    file = directory / "inventory.yml"
    file.write_text(inventory(nodes, ["access"]))
    made = Project(directory, file)
    for node in nodes:
        node.sh(PAST)
    made.give(docker_access_members=["deploy"])
    return made
