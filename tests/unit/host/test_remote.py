"""A script goes to a host as text and its answer comes back; here the host is this machine."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import remote
import testinfra

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
