"""Where a host fails: the others of its batch come to their end, and no further batch begins. By Ansible itself.

The playbooks are the rendered ones; their roles say only that a host has come to them.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

Run = Callable[..., subprocess.CompletedProcess[str]]
Project = Callable[[str], Path]

HOSTS = ("h1", "h2", "h3", "h4", "h5")
PROFILE = "production"
# What the action `preflight` leaves for a host that is not refused.
PREFLIGHT = [
    {
        "name": "Read",
        "ansible.builtin.fail": {"msg": "left alone"},
        "when": "inventory_hostname in refused",
    },
    {
        "name": "Decide",
        "ansible.builtin.set_fact": {
            "hardhost_run": "this",
            "hardhost_apply": {},
            "hardhost_restart": {"needed": "{{ needed }}", "allowed": True},
        },
    },
]
ROLE = [
    {
        "name": "Reach the host",
        "ansible.builtin.command": {"cmd": "true"},
        "vars": {"ansible_connection": "{{ 'gone' if here in lost else 'local' }}"},
        "when": "here in lost",
    },
    {
        "name": "Do the work",
        "ansible.builtin.fail": {"msg": "{{ here }} went wrong"},
        "when": "here in failing",
    },
    {"name": "Come to the end", "ansible.builtin.debug": {"msg": "done: {{ here }}"}},
]
# What the modules of these roles answer, as far as the play goes by it.
ANSWERS = {
    "host_patching": {"__host_patching_result": {"reboot": "{{ due }}"}},
    "docker_restart": {"__docker_restart_result": "{{ restarted }}"},
}
REBOOT = [{"name": "Reboot", "ansible.builtin.debug": {"msg": "booted: {{ inventory_hostname }}"}}]
GONE = '''"""A host that cannot be reached."""
from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.connection.local import Connection as Local
DOCUMENTATION = """
name: gone
short_description: a host that cannot be reached
description: [a host that cannot be reached]
"""
class Connection(Local):
    transport = "gone"
    def exec_command(self, cmd, in_data=None, sudoable=True):
        raise AnsibleConnectionFailure("gone")
'''


@dataclass(frozen=True)
class Played:
    code: int
    text: str

    def roles(self, host: str) -> set[str]:
        """The roles that a host has come to the end of."""
        return set(re.findall(rf"done: (\w+)/{host}\b", self.text))

    def failed(self) -> dict[str, str]:
        """Who the recap says has failed, and how."""
        found = re.findall(
            r"^(h\d) .*unreachable=(\d+) +failed=(\d+)", self.text.partition("PLAY RECAP")[2], re.M
        )
        assert len(found) == len(HOSTS), self.text
        return {
            host: "failed" if failed != "0" else "unreachable"
            for host, unreachable, failed in found
            if (unreachable, failed) != ("0", "0")
        }


Play = Callable[..., Played]
USUAL: dict[str, Any] = {
    "refused": [],
    "failing": [],
    "lost": [],
    "needed": "none",
    "due": "",
    "restarted": {"pending": ""},
}


@pytest.fixture(scope="module")
def directory(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = Path(shutil.copytree(project(PROFILE), tmp_path_factory.mktemp("batches") / "project"))
    for role in (made / "roles").iterdir():
        shutil.rmtree(role)
        tasks = role / "tasks"
        tasks.mkdir(parents=True)
        content = PREFLIGHT if role.name == "preflight" else [*ROLE]
        if role.name in ANSWERS:
            content.append({"name": "Answer", "ansible.builtin.set_fact": ANSWERS[role.name]})
        here = {"here": role.name + "/{{ inventory_hostname }}"}
        worded = [{**task, "vars": {**here, **task.get("vars", {})}} for task in content]
        (tasks / "main.yml").write_text(yaml.safe_dump(worded))
        (tasks / "reboot.yml").write_text(yaml.safe_dump(REBOOT))
    (made / "connection_plugins").mkdir()
    (made / "connection_plugins/gone.py").write_text(GONE)
    given: dict[str, Any] = {"ansible_connection": "local", "ansible_become": False}
    given["ansible_python_interpreter"] = sys.executable
    group = {PROFILE: {"hosts": dict.fromkeys(HOSTS), "vars": given}}
    (made / "inventory.yml").write_text(yaml.safe_dump({"all": {"children": group}}))
    return made


@pytest.fixture
def play(run: Run, directory: Path) -> Play:
    def played(name: str, *options: str, **given: Any) -> Played:
        given = {**USUAL, **given}
        words = ["ansible-playbook", "-i", "inventory.yml", name, "-e", json.dumps(given)]
        done = run(*words, *options, cwd=directory)
        return Played(done.returncode, done.stdout + done.stderr)

    return played


def roles_of(directory: Path, name: str) -> set[str]:
    second = yaml.safe_load((directory / name).read_text())[1]
    return {role["role"] for role in second["roles"]}


PLAYBOOKS = pytest.mark.parametrize("name", ["site.yml", "rollback.yml"])


@PLAYBOOKS
def test_without_a_failure_every_batch_comes_to_its_end(
    play: Play, directory: Path, name: str
) -> None:
    done = play(name, hardhost_serial=[1, "50%"])
    assert (done.code, done.failed()) == (0, {}), done.text
    for host in HOSTS:
        assert done.roles(host) == roles_of(directory, name), done.text


@PLAYBOOKS
@pytest.mark.parametrize(
    ("how", "options"), [("failing", ()), ("failing", ("--check", "--diff")), ("lost", ())]
)
def test_the_batch_of_a_failure_is_the_last(
    play: Play, directory: Path, name: str, how: str, options: tuple[str, ...]
) -> None:
    """Its neighbour comes to the end of all roles, and those that follow have seen none."""
    done = play(name, *options, hardhost_serial=2, **{how: ["undo/h2"]})
    said = "failed" if how == "failing" else "unreachable"
    assert done.code != 0
    assert done.failed() == {"h2": said}, done.text
    assert done.roles("h1") == roles_of(directory, name), done.text
    assert not any(done.roles(host) for host in HOSTS[1:]), done.text
    assert done.text.count("fatal: [") == 1, "told once, and nothing else is"


def test_whoever_is_refused_is_no_part_of_a_batch(play: Play, directory: Path) -> None:
    done = play("site.yml", hardhost_serial=2, refused=["h1", "h4"])
    assert done.code != 0
    assert done.failed() == {"h1": "failed", "h4": "failed"}
    for host in ("h2", "h3", "h5"):
        assert done.roles(host) == roles_of(directory, "site.yml"), done.text


def test_a_failure_counts_beside_a_refusal_and_with_tags(play: Play) -> None:
    options = ("--tags", "docker_daemon")
    done = play(
        "site.yml", *options, hardhost_serial=2, refused=["h1"], failing=["docker_daemon/h3"]
    )
    assert done.code != 0
    assert done.failed() == {"h1": "failed", "h3": "failed"}
    reached = [host for host in HOSTS if done.roles(host)]
    assert reached == ["h2", "h4"], "h1 and h2 are the first batch, h3 and h4 the second"


def test_who_is_left_out_by_the_operators_own_tasks_has_not_failed(
    play: Play, directory: Path
) -> None:
    """`meta: end_host` in what drains a host: it is left alone, and the batches go on."""
    leave = {"ansible.builtin.meta": "end_host", "when": "inventory_hostname == 'h1'"}
    (directory / "drain.yml").write_text(yaml.safe_dump([{"name": "Leave it", **leave}]))
    tasks = str(directory / "drain.yml")
    done = play("site.yml", hardhost_serial=2, needed="restart", hardhost_drain_tasks=tasks)
    assert (done.code, done.failed(), done.roles("h1")) == (0, {}, set()), done.text
    for host in HOSTS[1:]:
        assert done.roles(host) == roles_of(directory, "site.yml"), done.text


@PLAYBOOKS
def test_the_operators_own_tasks_are_reached_with_tags(
    play: Play, directory: Path, name: str
) -> None:
    """They have no tags of their own, and dockerd is restarted between the two."""
    given = {}
    for what in ("drain", "undrain"):
        told = {"msg": what + "ed: {{ inventory_hostname }}"}
        tasks = [{"name": "Tell", "ansible.builtin.debug": told}]
        (directory / f"{what}.yml").write_text(yaml.safe_dump(tasks))
        given[f"hardhost_{what}_tasks"] = str(directory / f"{what}.yml")
    options = ("--tags", "docker_daemon,docker_restart")
    done = play(name, *options, needed="restart", **given)
    assert (done.code, done.failed()) == (0, {}), done.text
    seen = re.findall(r"\b(drained|undrained|done): (?:docker_restart/)?h1\b", done.text)
    assert seen == ["drained", "done", "undrained"], done.text
    untagged = play(name, "--tags", "undo", needed="restart", **given)
    assert "drained: " not in untagged.text, "nothing is restarted without the tag"


def test_in_one_batch_everybody_else_comes_to_the_end(play: Play, directory: Path) -> None:
    done = play("site.yml", hardhost_serial="100%", failing=["undo/h1", "docker_restart/h3"])
    assert done.code != 0
    assert done.failed() == {"h1": "failed", "h3": "failed"}
    for host in ("h2", "h4", "h5"):
        assert done.roles(host) == roles_of(directory, "site.yml"), done.text


def test_where_a_host_may_be_rebooted_one_is_first_unless_told_otherwise(play: Play) -> None:
    done = play("site.yml", failing=["undo/h1"])
    assert done.failed() == {"h1": "failed"}
    assert not any(done.roles(host) for host in HOSTS[1:]), done.text


@pytest.mark.parametrize(
    ("given", "options", "booted"),
    [
        ({}, (), True),
        ({"needed": "restart"}, (), True),
        ({"needed": "restart", "restarted": {"pending": "the window is closed"}}, (), False),
        (
            {"restarted": {"pending": "a role has asked for it, and the window is closed"}},
            (),
            False,
        ),
        ({"restarted": {"skipped": True}}, (), True),
        ({"needed": "restart"}, ("--tags", "host_patching"), False),
    ],
)
def test_no_reboot_into_what_dockerd_has_not_been_tried_with(
    play: Play, given: dict[str, Any], options: tuple[str, ...], booted: bool
) -> None:
    """Nothing would put the old file back where dockerd does not start at the boot."""
    done = play("site.yml", *options, hardhost_serial="100%", due="an old kernel runs", **given)
    assert (done.code, done.failed()) == (0, {}), done.text
    assert done.text.count("booted: ") == (len(HOSTS) if booted else 0), done.text
    assert ("; the reboot waits for a restart of dockerd" in done.text) is not booted
