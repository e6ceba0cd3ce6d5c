"""Each shipped profile as a project: the same twice, whole, and something Ansible accepts."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from generator.content import shipped_root

Run = Callable[..., subprocess.CompletedProcess[str]]
Project = Callable[[str], Path]

PROFILES = sorted(path.stem for path in (shipped_root() / "profiles").glob("*.yml"))
PLAYBOOKS = ("preflight.yml", "site.yml", "rollback.yml")


def contents(directory: Path) -> dict[str, bytes]:
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("profile", PROFILES)
def test_rendering_twice_gives_the_same_bytes(
    run: Run, project: Project, profile: str, tmp_path: Path
) -> None:
    done = run(
        sys.executable, "-m", "generator", "render", profile, "-o", tmp_path / "x", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "x") == contents(project(profile))


@pytest.mark.parametrize("profile", PROFILES)
def test_the_manifest_holds_for_every_file(run: Run, project: Project, profile: str) -> None:
    directory = project(profile)
    done = run("sha256sum", "-c", "--strict", "--quiet", "MANIFEST.sha256", cwd=directory)
    assert done.returncode == 0, done.stdout + done.stderr
    listed = (directory / "MANIFEST.sha256").read_text().splitlines()
    assert len(listed) == len(contents(directory)) - 1
    assert listed == sorted(listed, key=lambda line: line.split("  ")[1])


@pytest.mark.parametrize("profile", PROFILES)
def test_no_file_knows_this_machine(project: Project, profile: str) -> None:
    for name, content in contents(project(profile)).items():
        assert str(shipped_root()).encode() not in content, name
        assert str(project(profile)).encode() not in content, name


@pytest.mark.parametrize("profile", PROFILES)
def test_a_role_is_there_exactly_if_the_plan_needs_it(project: Project, profile: str) -> None:
    plan = json.loads((project(profile) / "plan.json").read_text())
    needed = {control["role"] for control in plan["controls"]}
    needed |= {"preflight", "undo", "docker_restart"}
    assert {path.name for path in (project(profile) / "roles").iterdir()} == needed
    assert not list((project(profile) / "roles").glob("*/controls"))
    checks = {path.stem for path in (project(profile) / "tests/host/checks").glob("[a-z]*.py")}
    assert checks == {control["check"] for control in plan["controls"]}


@pytest.mark.parametrize("profile", PROFILES)
def test_every_role_finds_the_files_it_names(project: Project, profile: str) -> None:
    for tasks in (project(profile) / "roles").glob("*/tasks/*.yml"):
        for task in yaml.safe_load(tasks.read_text()):
            for key in ("ansible.builtin.include_tasks", "ansible.builtin.import_tasks"):
                if key in task:
                    assert (tasks.parent / task[key]).is_file()


@pytest.mark.parametrize("profile", PROFILES)
def test_ansible_core_alone_accepts_the_playbooks(run: Run, project: Project, profile: str) -> None:
    words = ["ansible-playbook", "--syntax-check", "-i", "inventory.example", *PLAYBOOKS]
    done = run(*words, cwd=project(profile))
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr


@pytest.mark.parametrize("profile", ["baseline", "production", "strict"])
def test_ansible_lint_has_nothing_to_say(run: Run, project: Project, profile: str) -> None:
    words = ["ansible-lint", "--offline", "--profile", "production", "--strict", "--nocolor", "-q"]
    done = run(*words, cwd=project(profile))
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_example_inventory_has_hosts_in_every_group_and_a_bastion_in_none(
    run: Run, project: Project
) -> None:
    done = run("ansible-inventory", "-i", "inventory.example", "--list", cwd=project("production"))
    assert done.returncode == 0, done.stderr
    groups = json.loads(done.stdout)
    hosts = {name: groups[name]["hosts"] for name in ("development", "staging", "production")}
    assert all(hosts.values())
    targets = {host for each in hosts.values() for host in each}
    assert [
        host for host in groups["_meta"]["hostvars"] if "bastion" in host and host in targets
    ] == []


def test_every_task_that_would_run_belongs_to_the_group(run: Run, project: Project) -> None:
    words = ["ansible-playbook", "site.yml", "-i", "inventory.example", "--list-hosts"]
    done = run(*words, cwd=project("production"))
    assert done.returncode == 0, done.stderr
    assert "pattern: ['production']" in done.stdout
    assert "bastion" not in done.stdout


def test_a_directory_above_the_project_does_not_change_its_checks(
    run: Run, project: Project
) -> None:
    """The proof is collected with the rendered project's own pytest configuration."""
    words = [
        "pytest",
        "tests/host",
        "--collect-only",
        "-q",
        "--ansible-inventory",
        "inventory.example",
    ]
    done = run(sys.executable, "-m", *words, cwd=project("production"))
    assert "rootdir" not in done.stderr
    assert "docker_daemon/icc" in done.stdout, done.stdout + done.stderr
