"""Hosts with a small signed repository of their own, and the project that patches from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hosts.container_host import Host
from tests.hosts.inventory import inventory
from tests.hosts.package_lab import Lab, prepared
from tests.hosts.project import Project, hardhost

PROFILES = Path(__file__).parent / "profiles"


@pytest.fixture(scope="session")
def labs(nodes: list[Host]) -> list[Lab]:
    return [prepared(node) for node in nodes]


@pytest.fixture
def lab(node: Host, labs: list[Lab]) -> Lab:
    return next(one for one in labs if one.host.name == node.name)


@pytest.fixture(scope="session")
def project(nodes: list[Host], memory: Path) -> Project:
    directory = memory / "project"
    done = hardhost("render", "patching", "--profiles", str(PROFILES), "-o", str(directory))
    assert done.code == 0, done.text
    file = directory / "inventory.yml"
    file.write_text(inventory(nodes, ["patching"]))
    made = Project(directory, file)
    made.give(preflight_package_lock_timeout=5)
    return made
