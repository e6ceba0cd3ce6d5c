"""What a host is drained for that only an upgrade of the engine brings up: the role's own tasks, by Ansible itself."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

Run = Callable[..., subprocess.CompletedProcess[str]]
Project = Callable[[str], Path]

# Each reading of the host is the next of the test's.
PREFLIGHT = [
    {
        "name": "Count",
        "ansible.builtin.set_fact": {"reading": "{{ reading | default(-1) | int + 1 }}"},
    },
    {
        "name": "Read",
        "ansible.builtin.set_fact": {
            "hardhost_restart": "{{ readings[reading | int] }}",
            "hardhost_decisions": {},
            "hardhost_inputs": {},
            "hardhost_host": {"os": {}},
            "hardhost_run": "this",
            "hardhost_holder": "ops",
        },
    },
]
UPGRADED = '#!/usr/bin/python\n# WANT_JSON\nprint(\'{"again": true, "said": ["upgraded"]}\')\n'
PLAY: dict[str, Any] = {
    "hosts": "localhost",
    "gather_facts": False,
    "vars": {
        "ansible_python_interpreter": sys.executable,
        "docker_engine_controls": [{"id": "docker_engine/engine_updated"}],
    },
    "tasks": [
        {
            "name": "Read",
            "tags": ["always"],
            "ansible.builtin.include_role": {"name": "preflight", "apply": {"tags": ["always"]}},
        },
        {
            "name": "Upgrade",
            "tags": ["docker_engine"],
            "ansible.builtin.include_role": {
                "name": "docker_engine",
                "tasks_from": "upgrade.yml",
                "apply": {"tags": ["docker_engine"]},
            },
        },
    ],
}
NONE = {"needed": "none", "allowed": True}
CLOSED = {"needed": "restart", "allowed": False}
OPEN = {"needed": "restart", "allowed": True}


@pytest.fixture(scope="module")
def directory(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = Path(shutil.copytree(project("production"), tmp_path_factory.mktemp("late") / "project"))
    (made / "roles/preflight/tasks/main.yml").write_text(yaml.safe_dump(PREFLIGHT))
    (made / "roles/docker_engine/library/engine_packages.py").write_text(UPGRADED)
    (made / "late.yml").write_text(yaml.safe_dump([PLAY]))
    for what in ("drain", "undrain"):
        tell = {"name": "Tell", "ansible.builtin.debug": {"msg": what}}
        (made / f"{what}.yml").write_text(yaml.safe_dump([tell]))
    return made


@pytest.mark.parametrize(
    ("readings", "told"),
    [
        ([NONE, OPEN, OPEN], ["drain", "upgraded"]),
        ([OPEN, OPEN, OPEN], ["upgraded"]),
        ([NONE, CLOSED, CLOSED], ["upgraded"]),
        ([NONE, CLOSED, OPEN], ["upgraded", "drain"]),
        ([NONE, OPEN, CLOSED], ["drain", "upgraded", "undrain"]),
    ],
)
def test_whoever_is_to_be_restarted_in_the_end_is_drained(
    run: Run, directory: Path, readings: list[dict[str, Any]], told: list[str]
) -> None:
    """Drained by the play before where that was announced; the window may open or close between two readings."""
    assert late(run, directory, readings, "--tags", "docker_engine,docker_restart") == told


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["--tags", "docker_engine"], id="not chosen"),
        pytest.param(["--skip-tags", "docker_restart"], id="left out"),
    ],
)
@pytest.mark.parametrize("readings", [[NONE, OPEN, OPEN], [OPEN, CLOSED, CLOSED]])
def test_without_docker_restart_nobody_is_drained(
    run: Run, directory: Path, readings: list[dict[str, Any]], words: list[str]
) -> None:
    """Nothing would be restarted, and nobody undrained: the play's own tasks are left out by the same words."""
    assert late(run, directory, readings, *words) == ["upgraded"]


def late(run: Run, directory: Path, readings: list[dict[str, Any]], *chosen: str) -> list[str]:
    """What happened, in order, from the first reading that follows packages."""
    given = {f"hardhost_{one}_tasks": str(directory / f"{one}.yml") for one in ("drain", "undrain")}
    words = ["ansible-playbook", "-i", "localhost,", "-c", "local", "late.yml", *chosen]
    done = run(*words, "-e", json.dumps({**given, "readings": readings}), cwd=directory)
    assert done.returncode == 0, done.stdout + done.stderr
    text = done.stdout.partition("TASK [Read the host again]")[2]
    return re.findall(r"(?:msg: |- )(drain|undrain|upgraded)$", text, re.M)
