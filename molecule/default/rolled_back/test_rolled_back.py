"""After the rollback: the host is as it was, but for a written list."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.hosts.container_host import Host
from tests.hosts.observation import differences, observe, unexpected
from tests.hosts.project import Project

Table = Callable[[str, Host], dict[str, Any]]


def test_the_host_is_as_before(node: Host, memory: Path, expectation: Table) -> None:
    before = json.loads((memory / "before.json").read_text())[node.name]
    changed = differences(before, observe(node))
    allowed = list(expectation("left_by_rollback", node))
    assert unexpected(changed, allowed) == {}, json.dumps(changed, indent=1)


@pytest.mark.parametrize("name", ["passwd", "group", "shadow", "gshadow", "subuid", "subgid"])
def test_accounts_differ_by_one_line(name: str, node: Host, memory: Path) -> None:
    """The list allows these files to differ; they do so by the line of dockremap and no other."""
    before = json.loads((memory / "before.json").read_text())[node.name]
    lines = node.sh(f"cat /etc/{name}").stdout.splitlines(keepends=True)
    others = [line for line in lines if not line.startswith(b"dockremap:")]
    assert len(lines) - len(others) == 1
    digest = hashlib.sha256(b"".join(others)).hexdigest()
    assert before["etc"][f"/etc/{name}"].endswith(digest)


def test_what_is_left_is_really_left(node: Host, memory: Path, expectation: Table) -> None:
    """The list says nothing that is not so: an entry that nothing matches is out of date."""
    before = json.loads((memory / "before.json").read_text())[node.name]
    changed = differences(before, observe(node))
    idle = [
        pattern
        for pattern in expectation("left_by_rollback", node)
        if len(unexpected(changed, [pattern])) == len(changed)
    ]
    assert idle == []


def test_a_second_rollback_changes_nothing(project: Project, nodes: list[Host]) -> None:
    before = {node.name: observe(node) for node in nodes}
    project.play("rollback").assert_unchanged(*nodes)
    for node in nodes:
        assert differences(before[node.name], observe(node)) == {}
