"""One virtual machine whose files are labelled, and a project that takes it to enforcing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hosts.container_host import Host
from tests.hosts.inventory import inventory
from tests.hosts.project import Project, hardhost

# One profile for both kinds of machine.
PROFILES = Path(__file__).parents[1] / "vm_apparmor/profiles"


@pytest.fixture(scope="session")
def host(nodes: list[Host]) -> Host:
    return nodes[0]


@pytest.fixture(scope="session")
def selinux(nodes: list[Host], memory: Path) -> Project:
    directory = memory / "project"
    done = hardhost("render", "both", "--profiles", str(PROFILES), "-o", str(directory))
    assert done.code == 0, done.text
    file = directory / "inventory.yml"
    file.write_text(inventory(nodes, ["vm"]))
    made = Project(directory, file)
    made.give(
        # Each run logs in anew: that it still can is what the last step waits for.
        ansible_ssh_args="-o ControlMaster=auto -o ControlPersist=1s",
    )
    return made
