"""A script goes to a host as text and its answer comes back; here the host is this machine."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import remote
import testinfra
from testinfra.utils import ansible_runner

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """This machine; without root, sudo is one that lets the tests be who they are."""
    for name, text in (
        ("sudo", 'shift\nexec "$@"\n'),
        ("python3", f'exec "{sys.executable}" "$@"\n'),
    ):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return testinfra.get_host("local://")


def test_a_script_gets_its_argument_and_answers(connection: Any) -> None:
    assert remote.call(connection, ROOT, "sockets", "decode", "0100007F:0947") == [
        "127.0.0.1",
        2375,
    ]


def test_a_script_can_use_what_the_projects_modules_share(connection: Any) -> None:
    """`reading` imports most of them."""
    assert remote.call(connection, ROOT, "reading", "_text", "/proc/sys/kernel/ostype") == "Linux"


def test_the_interpreter_is_the_inventorys_or_one_that_ansible_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On RHEL 8 python3 is 3.6, which runs no module."""

    class Backend:
        variables: dict[str, Any] = {}

        def get_connection_type(self) -> str:
            return "ansible"

        def get_variables(self) -> dict[str, Any]:
            return self.variables

    class Connection:
        backend = Backend()

    def chosen() -> str:
        words = ["/bin/sh", "-c", remote._python(Connection())]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    monkeypatch.setenv("PATH", str(tmp_path))
    for name, code in (("python3", 1), ("python3.12", 127), ("python3.9", 0), ("python3.8", 0)):
        (tmp_path / name).write_text(f"#!/bin/sh\nexit {code}\n")
        (tmp_path / name).chmod(0o755)
    assert chosen() == "python3.9"
    Backend.variables = {"ansible_python_interpreter": "auto_silent"}
    assert chosen() == "python3.9"
    Backend.variables = {"ansible_python_interpreter": "/opt/a b/python"}
    assert chosen() == "/opt/a b/python"


def test_a_script_that_fails_says_why_with_its_last_line(connection: Any) -> None:
    with pytest.raises(remote.RemoteError, match=r"could not be read \(exit code 1\): ValueError"):
        remote.call(connection, ROOT, "sockets", "decode", "nonsense:0001")


def test_what_is_too_long_for_a_command_line_goes_in_parts_and_leaves_nothing(
    connection: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A policy of hundreds of images, certificates that do not compress."""
    monkeypatch.setattr(remote, "PARTS", str(tmp_path / "a folder"))
    text = "/proc/sys/kernel/ostype" + "\0" + random.Random(1).randbytes(300_000).hex()
    with pytest.raises(remote.RemoteError, match="embedded null byte"):
        remote.call(connection, ROOT, "reading", "_text", text)
    assert (tmp_path / "a folder").stat().st_mode & 0o077 == 0
    assert list((tmp_path / "a folder").iterdir()) == []


def test_a_command_line_holds_everything_with_room_to_spare(
    connection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Linux takes 128 KiB as one argument; the probe image travels in it too, and not in parts."""
    seen: list[str] = []

    def run(_connection: Any, command: str) -> tuple[int, str, str]:
        seen.append(command)
        return 0, "hardhost:null", ""

    monkeypatch.setattr(remote, "run", run)
    image = (ROOT / "roles/docker_restart/files/probe-amd64.tar").read_bytes()
    remote.call(connection, ROOT, "probes", "run", {"image": image.hex(), "controls": {}})
    (command,) = seen
    assert 1000 < len(command) < remote.LARGEST


def test_output_in_any_encoding_is_read(connection: Any) -> None:
    """A banner of sshd in Latin-1, for instance."""
    command = r"printf 'gr\374n'; printf 'gr\374n' >&2"
    assert remote.run(connection, command) == (0, "gr\ufffdn", "gr\ufffdn")


def commands(directory: Path, monkeypatch: pytest.MonkeyPatch, **scripts: str) -> None:
    """Programs that are found before all others; `ansible` and its like are this Python's."""
    for name, text in scripts.items():
        (directory / name).write_text(f"#!/bin/sh\n{text}\n")
        (directory / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}:{Path(sys.executable).parent}:/usr/bin:/bin")


@pytest.mark.parametrize("way", ["ssh", "ansible"])
def test_whatever_fails_on_the_way_is_an_error_in_few_words(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands(tmp_path, monkeypatch, ssh=r"printf 'gr\374n\nno route\n' >&2; exit 255")
    inventory = tmp_path / "inventory.yml"
    inventory.write_text("all: {hosts: {db1: {ansible_connection: ssh}}}")
    options: dict[str, Any] = {"ansible_inventory": str(inventory)}
    host = testinfra.get_host("ansible://db1", **options, force_ansible=way == "ansible")
    with pytest.raises(remote.RemoteError, match=r"\Acannot be reached: (.*ssh: )?.*no route\Z"):
        remote.run(host, "true")


KEX = "kex_exchange_identification: Connection closed by remote host"


@pytest.mark.parametrize(
    ("way", "said", "attempts"),
    [
        ("ssh", f"{KEX}\nConnection closed by UNKNOWN port 65535", 2),
        ("ssh", "Connection reset by 192.0.2.1 port 22", 2),
        ("ansible", f"{KEX}\nConnection closed by 192.0.2.1 port 22", 2),
        ("ssh", "ssh: connect to host db1 port 22: Connection refused", 1),
        ("ssh", "client_loop: send disconnect: Connection reset by peer", 1),
        ("ssh", "Connection to db1 closed by remote host.", 1),
    ],
    ids=["jump", "reset", "ansible", "refused", "later", "at the end"],
)
def test_whom_sshd_turns_away_for_now_tries_again(
    way: str, said: str, attempts: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nobody else: what ends later may have run already."""
    (tmp_path / "said").write_text(said + "\n")
    commands(tmp_path, monkeypatch, ssh=f"cd {tmp_path}; echo >> asked; cat said >&2; exit 255")
    (tmp_path / "inventory.yml").write_text("all: {hosts: {db1: {}}}")
    inventory: dict[str, Any] = {"ansible_inventory": str(tmp_path / "inventory.yml")}
    host = testinfra.get_host("ansible://db1", **inventory, force_ansible=way == "ansible")
    with pytest.raises(remote.RemoteError, match=re.escape(said.splitlines()[-1])):
        remote.run(host, "true", (0,))
    assert len((tmp_path / "asked").read_text()) == attempts


def test_who_is_let_in_later_gets_an_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = f"if mkdir {tmp_path}/first 2>/dev/null; then echo '{KEX}' >&2; exit 255; fi; echo in"
    commands(tmp_path, monkeypatch, ssh=busy)
    assert remote.run(testinfra.get_host("ssh://db1"), "true", (0,)) == (0, "in\n", "")


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"ansible_host": "gw", "ansible_port": 2201}, ("Port=2201", "gw")),
        ({"ansible_host": "gw", "ansible_ssh_port": 2201}, ("Port=2201", "gw")),
        ({"ansible_host": "{{ ip }}", "ip": "192.0.2.7"}, ("192.0.2.7",)),
    ],
    ids=["plain", "old", "template"],
)
def test_the_way_to_a_host_is_the_one_that_ansible_takes(
    variables: dict[str, Any],
    words: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    commands(tmp_path, monkeypatch, ssh=f'echo "$@" >> {tmp_path}/asked; exit 255')
    (tmp_path / "inventory.json").write_text(json.dumps({"all": {"hosts": {"db1": variables}}}))
    inventory: dict[str, Any] = {"ansible_inventory": str(tmp_path / "inventory.json")}
    with pytest.raises(remote.RemoteError):
        remote.run(testinfra.get_host("ansible://db1", **inventory), "true")
    assert set(words) <= set((tmp_path / "asked").read_text().split())


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, False),
        ({"ansible_host": "192.0.2.7", "ansible_port": 22, "ansible_become": True}, False),
        ({"ansible_ssh_common_args": "-J gw -o ProxyCommand='nc %h %p'"}, False),
        ({"motd": "{{ greeting }}", "ansible_ssh_host": ""}, False),
        ({"ansible_user": "{{ deploy_user }}"}, True),
        ({"ansible_port": "{% if old %}2222{% else %}22{% endif %}"}, True),
        ({"ansible_ssh_private_key_file": {"__ansible_vault": "$ANSIBLE_VAULT;1.1"}}, True),
        ({"ansible_host": None}, True),
        *(({name: "x"}, True) for name in remote.LEFT),
    ],
)
def test_what_testinfra_does_not_take_from_the_inventory_goes_through_ansible(
    variables: dict[str, Any], expected: bool
) -> None:
    class Backend:
        host, force_ansible = "db1", False
        ansible_runner = SimpleNamespace(get_host=lambda _name: "over ssh")

        def get_connection_type(self) -> str:
            return "ansible"

        def get_variables(self) -> dict[str, Any]:
            return variables

    assert remote._needs_ansible(SimpleNamespace(backend=Backend())) is expected


def test_testinfra_takes_what_we_think_it_does() -> None:
    text = Path(ansible_runner.__file__).read_text()
    taken = set(re.findall(r'"(ansible_\w+)"', text)) - {"ansible_ssh_pass"}
    assert taken == set(remote.TAKEN)


def test_a_program_that_is_missing_here_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = testinfra.get_host("ansible://db1", force_ansible=True)
    monkeypatch.setattr(type(host.backend), "get_variables", lambda _backend: {})
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(remote.RemoteError, match=r"FileNotFoundError: .*ansible"):
        remote.run(host, "true")


@pytest.mark.parametrize(
    ("code", "errors", "words"),
    [
        (142, "", "did not answer within"),
        (1, "sudo: a password is required\n", "cannot become root: sudo: a password"),
        (127, "sh: python3: not found\n", "exit code 127"),
        (1, "", "no message"),
    ],
)
def test_failures_are_worded_for_the_operator(code: int, errors: str, words: str) -> None:
    assert words in remote._explained(code, errors)
