"""What the action `preflight` refuses on the controller, by the real ansible: no host is asked anything."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from generator.journal import UNFINISHED

Run = Callable[..., subprocess.CompletedProcess[str]]

# Nothing listens on port 1: a play that goes on to the host says that it cannot be reached.
INVENTORY = """
[production]
db1 ansible_host=127.0.0.1 ansible_port=1 ansible_connection=ssh
"""
SECRET = "t0psecret"


@pytest.fixture
def production(project: Callable[[str], Path], tmp_path: Path) -> Path:
    directory = Path(shutil.copytree(project("production"), tmp_path / "production"))
    (directory / "inventory").write_text(INVENTORY)
    return directory


@pytest.mark.parametrize("playbook", ["site.yml", "preflight.yml", "rollback.yml"])
def test_a_half_written_project_is_not_used(run: Run, production: Path, playbook: str) -> None:
    words = ["ansible-playbook", "-i", "inventory", playbook]
    assert "unreachable=1    failed=0" in run(*words, cwd=production).stdout, "the positive control"
    (production / UNFINISHED).mkdir()
    done = run(*words, cwd=production)
    assert done.returncode != 0
    assert f"{production} is half written" in done.stdout
    assert "unreachable=0    failed=1" in done.stdout
    assert not (production / "artifacts").exists()


def test_a_secret_among_the_inputs_is_refused_and_told_nowhere(run: Run, production: Path) -> None:
    address = f"docker_daemon_log_target: https://{SECRET}@logs.example.org\n"
    (production / "group_vars").mkdir()
    (production / "group_vars/production.yml").write_text(address)
    done = run("ansible-playbook", "-i", "inventory", "site.yml", "-vvv", cwd=production)
    assert "docker_daemon_log_target holds a password or token" in done.stdout
    assert "unreachable=0    failed=1" in done.stdout
    [artifact] = (production / "artifacts").glob("*.json")
    assert SECRET not in done.stdout + done.stderr + artifact.read_text()
