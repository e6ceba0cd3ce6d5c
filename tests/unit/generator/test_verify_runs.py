"""The programs verify starts: tried with the real ansible and pytest, without a host."""

from __future__ import annotations

import py_compile
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from generator import runs
from generator.commands.verify import without_byte_code
from generator.errors import HardhostError

# Nothing listens on port 1, and no other way of reaching the host is tried.
INVENTORY = """
all:
  children:
    production:
      children:
        databases:
          hosts:
            db1: {ansible_connection: local}
            db2: {ansible_host: 127.0.0.1, ansible_port: 1, ansible_connection: ssh}
            db3: {ansible_connection: local}
    bastions: {hosts: {bastion: {}}}
"""
PREFLIGHT = """
- hosts: production
  gather_facts: false
  tasks:
    - ansible.builtin.raw: "true"
    - ansible.builtin.fail: {msg: "left alone: snap"}
      when: inventory_hostname == 'db3'
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "ansible.cfg").write_text("[defaults]\n")
    (tmp_path / "inventory.yml").write_text(INVENTORY)
    (tmp_path / "preflight.yml").write_text(PREFLIGHT)
    return tmp_path


@pytest.mark.parametrize(
    ("limit", "expected"), [(None, ["db1", "db2", "db3"]), ("db2:bastion", ["db2"])]
)
def test_the_hosts_of_a_group_are_those_of_its_children(
    project: Path, limit: str | None, expected: list[str]
) -> None:
    listed = runs.list_inventory(project, project / "inventory.yml", limit)
    assert runs.group_hosts(listed, "production") == expected


def test_groups_that_hold_each_other_end() -> None:
    inventory = {"a": {"children": ["b"]}, "b": {"children": ["a"], "hosts": ["db1"]}}
    assert runs.group_hosts(inventory, "a") == ["db1"]


def test_preflight_tells_why_hosts_dropped_out(project: Path) -> None:
    outcome = runs.preflight(project, project / "inventory.yml", None)
    assert outcome.unreachable.keys() == {"db2"}
    assert "Connection refused" in outcome.unreachable["db2"]
    assert outcome.failed == {"db3": "left alone: snap"}


def test_a_playbook_that_cannot_run_is_an_error_with_ansibles_words(project: Path) -> None:
    (project / "preflight.yml").write_text("- hosts: [production\n")
    with pytest.raises(HardhostError, match=r"(?s)preflight\.yml did not run.*YAML"):
        runs.preflight(project, project / "inventory.yml", None)


def test_checks_that_do_not_run_are_a_problem_of_every_host(project: Path) -> None:
    (project / "tests" / "host").mkdir(parents=True)
    (project / "tests" / "host" / "pytest.ini").write_text("[pytest]\n")
    found = runs.check(project, project / "inventory.yml", {}, ["db1", "db3"], probe=False)
    assert found.keys() == {"db1", "db3"}
    assert all("the checks did not run" in one["problem"] for one in found.values())


PLANTED = "import pathlib; pathlib.Path(__file__).parent.joinpath('ran').touch()\n"


def test_no_module_is_taken_from_the_projects_directory(project: Path) -> None:
    """Nor by a program that these programs start there."""
    for name in ("ansible", "pytest", "json", "sitecustomize"):
        (project / f"{name}.py").write_text(PLANTED)
    listed = runs.list_inventory(project, project / "inventory.yml", "db1")
    assert runs.group_hosts(listed, "production") == ["db1"]
    runs.preflight(project, project / "inventory.yml", "db1")
    child = (
        f"import subprocess; subprocess.run(['{sys.executable}'], input=b'import json', check=True)"
    )
    (project / "tests" / "host").mkdir(parents=True)
    (project / "tests" / "host" / "pytest.ini").write_text("[pytest]\n")
    (project / "tests" / "host" / "conftest.py").write_text(f"{child}\nimport ours\n")
    (project / "tests" / "host" / "ours.py").write_text("raise RuntimeError('ours was imported')\n")
    found = runs.check(project, project / "inventory.yml", {}, ["db1"], probe=False)
    assert "ours was imported" in found["db1"]["problem"]
    assert not (project / "ran").exists()


def test_byte_code_beside_a_source_is_not_believed(project: Path) -> None:
    """Such byte code says of itself that nobody needs to compare it with its source."""
    directory = project / "tests" / "host"
    directory.mkdir(parents=True)
    (directory / "pytest.ini").write_text("[pytest]\n")
    (directory / "conftest.py").write_text("import ours\n")
    (directory / "ours.py").write_text("raise RuntimeError('somebody else wrote this')\n")
    unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
    py_compile.compile(str(directory / "ours.py"), invalidation_mode=unchecked)
    (directory / "ours.py").write_text("raise RuntimeError('as rendered')\n")
    by_hand = subprocess.run(
        [sys.executable, "-c", "import ours"], cwd=directory, capture_output=True, check=False
    )
    assert b"RuntimeError: somebody else wrote this" in by_hand.stderr, "the positive control"
    assert list(without_byte_code(project)) == []
    found = runs.check(project, project / "inventory.yml", {}, ["db1"], probe=False)
    assert "RuntimeError: as rendered" in found["db1"]["problem"]


def test_no_byte_code_is_left_in_the_project(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    directory = project / "tests" / "host"
    directory.mkdir(parents=True)
    (directory / "pytest.ini").write_text("[pytest]\n")
    (directory / "conftest.py").write_text("import ours\n")
    (directory / "ours.py").write_text("")
    runs.check(project, project / "inventory.yml", {}, ["db1"], probe=False)
    assert not list(project.rglob("*.pyc"))


def test_results_are_gathered_from_all_processes(project: Path) -> None:
    directory = project / "tests" / "host"
    directory.mkdir(parents=True)
    (directory / "pytest.ini").write_text("[pytest]\n")
    (directory / "conftest.py").write_text(
        "import json, pathlib\n"
        "def pytest_addoption(parser):\n"
        "    parser.addoption('--hardhost-project')\n"
        "    parser.addoption('--hardhost-probe', action='store_true')\n"
        "    parser.addoption('--hardhost-results', type=pathlib.Path)\n"
        "    parser.addoption('--hardhost-at-once')\n"
        "    parser.addoption('--hardhost-inventory', type=pathlib.Path)\n"
        "def pytest_sessionfinish(session):\n"
        "    names = session.config.option.hosts.split(',')\n"
        "    probe = session.config.option.hardhost_probe\n"
        "    listed = json.loads(session.config.option.hardhost_inventory.read_text())\n"
        "    found = [{'host': name, 'probe': probe, 'listed': listed} for name in names]\n"
        "    session.config.option.hardhost_results.write_text(json.dumps(found))\n"
    )
    hosts = [f"db{number}" for number in range(1, 130)]
    listed = {"production": {"hosts": hosts}, "text": "x" * 100_000}
    found = runs.check(project, project / "inventory.yml", listed, hosts, probe=True)
    assert sorted(found) == sorted(hosts)
    assert all(one["probe"] is True and one["listed"] == listed for one in found.values())


@pytest.mark.parametrize(
    ("hosts", "processes", "sizes"),
    [(1, 2, [1]), (3, 2, [2, 1]), (120, 2, [50, 50, 20]), (8, 16, [1] * 8)],
)
def test_hosts_are_spread_over_processes(hosts: int, processes: int, sizes: list[int]) -> None:
    parts = runs._parts([f"db{number}" for number in range(hosts)], processes)
    assert [len(part) for part in parts] == sizes


@pytest.mark.parametrize(
    ("hosts", "processors", "config", "forks", "expected"),
    [
        (1, 4, "forks = 20", None, [20]),
        (3, 2, "forks = 20 ; as preflight", None, [10, 10]),
        (120, 2, "forks = 20", None, [10, 10, 10]),
        (40, 32, "forks = 20", None, [1] * 20),
        (8, 2, "", None, [2, 2]),
        (8, 2, "forks = 20", "4", [2, 2]),
    ],
)
def test_all_processes_together_take_as_many_hosts_at_once_as_ansible(
    hosts: int,
    processors: int,
    config: str,
    forks: str | None,
    expected: list[int],
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Behind one bastion, sshd turns away whom it has no room for."""
    (project / "ansible.cfg").write_text(f"[defaults]\n{config}\n")
    monkeypatch.delenv("ANSIBLE_CONFIG", raising=False)
    monkeypatch.delenv("ANSIBLE_FORKS", raising=False)
    if forks:
        monkeypatch.setenv("ANSIBLE_FORKS", forks)
    monkeypatch.setattr(runs.os, "cpu_count", lambda: processors)
    seen = []

    def started(*words: Any, probe: bool) -> list[dict[str, Any]]:
        _project, _inventory, _listed, part, at_once = words
        seen.append(at_once)
        return [{"host": host} for host in part]

    monkeypatch.setattr(runs, "_pytest", started)
    names = [f"db{number}" for number in range(hosts)]
    assert runs.check(project, project, {}, names, probe=False).keys() == set(names)
    assert seen == expected


def test_the_checks_alone_take_as_many_as_the_rendered_configuration_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("ANSIBLE_CONFIG", raising=False)
    monkeypatch.delenv("ANSIBLE_FORKS", raising=False)
    root = Path(runs.__file__).resolve().parents[1]
    forks = runs._forks(root / "generator" / "templates")
    assert f"\nAT_ONCE = {forks} " in (root / "tests" / "host" / "conftest.py").read_text()
