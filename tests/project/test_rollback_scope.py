"""What `rollback.yml` takes back, the same on all hosts of the play. By Ansible itself.

The playbook and the role `preflight` are the rendered ones; what a host answers is written into its module, and the roles that change
hosts say only what they are asked for.
"""

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
Rollback = Callable[..., subprocess.CompletedProcess[str]]

PROFILE = "production"
NEW, OLD = "20261121T180000Z-ab12cd34", "20261001T180000Z-00000000"
# A module cannot tell which host it is on but by an input: this one is free text.
NAME = "docker_daemon_log_max_size"
MODULE = '''"""A host whose state is told to it."""
from ansible.module_utils.basic import AnsibleModule
STATES = %r
keys = {"controls": "list", "inputs": "dict", "texts": "dict", "exceptions": "list", "today": "str"}
keys.update(scope="str", scope_controls="list", scope_run="str")
module = AnsibleModule({key: {"type": kind} for key, kind in keys.items()}, supports_check_mode=True)
given = module.params
held = STATES[given["inputs"]["docker_daemon_log_max_size"]]
run = given["scope_run"] or held["run"] if given["scope"] == "run" else ""
facts = {"engine": {"version": "26.1.5"}, "os": {"pretty": "Debian"}, "containers": []}
module.exit_json(
    changed=False, refused=held["refused"], decisions={}, restart={}, undo=[], left=[], apply={}, facts=facts,
    undo_run=run, undo_runs=[], recorded=held if held["known"] else None,
)
'''  # fmt: skip
ASKED = [
    {
        "name": "Say what is asked for",
        "ansible.builtin.debug": {
            "msg": "asked: {{ inventory_hostname }} {{ undo_scope }} "
            "{{ undo_controls | join(',') }} {{ undo_scope_run }}"
        },
    }
]


# Nobody listens there.
UNREACHABLE = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}


def held(run: str = "", refused: str = "", *, known: bool = True) -> dict[str, Any]:
    """What a host answers of its state."""
    controls = ["docker_daemon/gone"] if run else []
    return {"run": run, "controls": controls, "refused": refused, "known": known}


@pytest.fixture(scope="module")
def directory(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = Path(shutil.copytree(project(PROFILE), tmp_path_factory.mktemp("scope") / "project"))
    for role in (made / "roles").iterdir():
        if role.name != "preflight":
            shutil.rmtree(role)
            (role / "tasks").mkdir(parents=True)
            content = ASKED if role.name == "undo" else []
            (role / "tasks/main.yml").write_text(yaml.safe_dump(content))
    return made


@pytest.fixture
def rollback(run: Run, directory: Path) -> Rollback:
    def played(states: dict[str, dict[str, Any]], **given: Any) -> subprocess.CompletedProcess[str]:
        module = directory / "roles/preflight/library/docker_host_facts.py"
        module.write_text(MODULE % (states,))
        common: dict[str, Any] = {"ansible_connection": "local", "ansible_become": False}
        common["ansible_python_interpreter"] = sys.executable
        hosts = {host: {NAME: host, **one.get("variables", {})} for host, one in states.items()}
        group = {PROFILE: {"hosts": hosts, "vars": common}}
        (directory / "inventory.yml").write_text(yaml.safe_dump({"all": {"children": group}}))
        words = ["ansible-playbook", "-i", "inventory.yml", "rollback.yml"]
        return run(*words, "-e", json.dumps(given), cwd=directory)

    return played


def asked(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """Per host, what the role `undo` was asked for."""
    found = dict(re.findall(r"asked: (\w+) ([^']*)'", done.stdout))
    return {host: " ".join(text.split()) for host, text in found.items()}


def worded(done: subprocess.CompletedProcess[str]) -> str:
    return " ".join((done.stdout + done.stderr).split())


def test_hosts_with_different_last_runs_are_left_as_they_are(rollback: Rollback) -> None:
    done = rollback({"h1": held(NEW), "h2": held(OLD)}, hardhost_rollback_scope="run")
    assert done.returncode != 0
    assert f"not the same on all hosts: {NEW} (h1), {OLD} (h2)" in worded(done)
    assert asked(done) == {}, done.stdout


@pytest.mark.parametrize("scope", [{}, {"hardhost_rollback_scope": "run"}])
def test_a_run_that_is_named_is_asked_for_everywhere(
    rollback: Rollback, scope: dict[str, str]
) -> None:
    done = rollback({"h1": held(NEW), "h2": held(OLD)}, hardhost_rollback_run=NEW, **scope)
    assert done.returncode == 0, done.stdout
    assert asked(done) == dict.fromkeys(("h1", "h2"), f"run {NEW}")
    assert f"nothing is left to take back of run {NEW}" in worded(done)


def test_the_run_that_was_announced_is_asked_for(rollback: Rollback) -> None:
    """Another run may have come to the host since."""
    done = rollback({"h1": held(NEW), "h2": held()}, hardhost_rollback_scope="run")
    assert done.returncode == 0, done.stdout
    assert asked(done) == {"h1": f"run {NEW}", "h2": "run"}


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (held(NEW, "left alone for a reason"), f"{NEW} (h2), {OLD} (h1)"),
        (held(refused="not root", known=False), f"{OLD} (h1), not known (h2)"),
        (held(NEW) | {"variables": UNREACHABLE}, f"{OLD} (h1), not known (h2)"),
    ],
)
def test_a_host_that_is_left_alone_counts_too(
    rollback: Rollback, other: dict[str, Any], words: str
) -> None:
    done = rollback({"h1": held(OLD), "h2": other}, hardhost_rollback_scope="run")
    assert words in worded(done)
    assert asked(done) == {}, done.stdout


@pytest.mark.parametrize("scope", [{}, {"hardhost_rollback_scope": "all"}])
def test_everything_is_taken_back_whatever_the_runs(
    rollback: Rollback, scope: dict[str, str]
) -> None:
    done = rollback({"h1": held(NEW), "h2": held(OLD)}, **scope)
    assert done.returncode == 0, done.stdout
    assert asked(done) == {"h1": "all", "h2": "all"}


@pytest.mark.parametrize("scope", ["last", "Run"])
def test_a_scope_that_is_none_is_refused(rollback: Rollback, scope: str) -> None:
    done = rollback({"h1": held(NEW)}, hardhost_rollback_scope=scope)
    assert done.returncode != 0
    assert f"preflight_scope must be one of: removed, all, run, controls, got: {scope}" in worded(
        done
    )
    assert asked(done) == {}


@pytest.mark.parametrize("scope", [{}, {"hardhost_rollback_scope": "controls"}])
def test_controls_that_are_named_are_asked_for_alone(
    rollback: Rollback, scope: dict[str, str]
) -> None:
    """One that has left the profile too, also of a host that has nothing of it."""
    controls = ["docker_daemon/icc", "docker_daemon/gone"]
    done = rollback({"h1": held(NEW), "h2": held()}, hardhost_rollback_controls=controls, **scope)
    assert done.returncode == 0, done.stdout
    assert asked(done) == dict.fromkeys(("h1", "h2"), "controls " + ",".join(controls))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"hardhost_rollback_controls": []}, "names no control"),
        ({"hardhost_rollback_controls": ""}, "names no control"),
        (
            {"hardhost_rollback_controls": "docker_daemon/icc,docker_daemon/icx"},
            "'docker_daemon/icx': no such control",
        ),
        (
            {"hardhost_rollback_controls": ["docker_daemon/icc"], "hardhost_rollback_scope": "all"},
            "is for the scope controls, and the scope is all",
        ),
        (
            {
                "hardhost_rollback_controls": ["docker_daemon/icc"],
                "hardhost_rollback_scope": "removed",
            },
            "is for the scope controls, and the scope is removed",
        ),
    ],
)
def test_a_list_that_names_nothing_takes_nothing_back(
    rollback: Rollback, given: dict[str, Any], words: str
) -> None:
    done = rollback({"h1": held(NEW), "h2": held(NEW)}, **given)
    assert done.returncode != 0
    assert "nothing is taken back: " in worded(done)
    assert words in worded(done)
    assert asked(done) == {}, done.stdout
