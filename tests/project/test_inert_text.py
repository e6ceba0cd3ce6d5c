"""`{{ lookup('pipe', 'id') }}` as a value stays that text: nothing on the controller runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]

EVIL = "{{ lookup('pipe', 'id') }}"
PLAY = """---
- name: Tell what a role would see
  hosts: localhost
  gather_facts: false
  vars_files: [roles/docker_daemon/defaults/main.yml]
  tasks:
    - name: Write it down
      ansible.builtin.copy:
        content: "{{ docker_daemon_log_max_size }}"
        dest: "{{ playbook_dir }}/seen"
        mode: "0600"
"""


@pytest.fixture(scope="module")
def evil_project(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of a profile with a template in every place that takes free text."""
    root = tmp_path_factory.mktemp("evil")
    (root / "profiles").mkdir()
    (root / "profiles/evil.yml").write_text(
        f"""title: "{EVIL}"
description: "{EVIL}"
extends: production
inputs:
  docker_daemon_log_max_size: "{EVIL}"
except:
  docker_daemon/icc: {{reason: "{EVIL}", owner: "{EVIL}", expires: 2099-01-01}}
"""
    )
    words = ["render", "evil", "--profiles", "profiles", "-o", "project"]
    done = run(sys.executable, "-m", "generator", *words, cwd=root)
    assert done.returncode == 0, done.stderr
    return root / "project"


def seen(run: Run, project: Path) -> str:
    (project / "tell.yml").write_text(PLAY)
    python = f"ansible_python_interpreter={sys.executable}"
    done = run(
        "ansible-playbook", "-i", "localhost,", "-c", "local", "-e", python, "tell.yml", cwd=project
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return (project / "seen").read_text()


def test_a_role_sees_the_text(run: Run, evil_project: Path) -> None:
    assert seen(run, evil_project) == EVIL


def test_without_our_mark_it_would_be_run(run: Run, evil_project: Path) -> None:
    """The positive control: this test can fail."""
    defaults = evil_project / "roles/docker_daemon/defaults/main.yml"
    text = defaults.read_text()
    assert f'!unsafe "{EVIL}"' in text
    defaults.write_text(text.replace("!unsafe ", ""))
    try:
        assert "uid=" in seen(run, evil_project)
    finally:
        defaults.write_text(text)


def test_the_plan_holds_the_text(evil_project: Path) -> None:
    plan = json.loads((evil_project / "plan.json").read_text())
    assert plan["inputs"]["docker_daemon_log_max_size"]["value"] == EVIL
    assert plan["title"] == EVIL
    waivers = [control["waiver"] for control in plan["controls"] if control["waiver"]]
    assert waivers == [{"reason": EVIL, "owner": EVIL, "expires": "2099-01-01"}]


@pytest.mark.parametrize("name", ["site.yml", "preflight.yml", "rollback.yml", "ansible.cfg"])
def test_no_playbook_holds_it(evil_project: Path, name: str) -> None:
    assert "lookup" not in (evil_project / name).read_text()
