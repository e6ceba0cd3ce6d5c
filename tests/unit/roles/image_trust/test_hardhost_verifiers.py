"""A program that decides what is trusted is the one that was given, and nobody but root can replace it."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from ansible.module_utils import hardhost_verifiers as verifiers

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="files of root and of others are made")
NOBODY = 65534


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "folder" / "cosign"
    path.parent.mkdir(mode=0o755)
    path.write_bytes(b"program")
    path.chmod(0o755)
    return path


def given(program: Path, **changed: str) -> dict[str, str]:
    digest = hashlib.sha256(program.read_bytes()).hexdigest()
    return {"path": str(program), "sha256": digest, **changed}


@as_root
def test_the_one_that_was_given_is_taken(program: Path) -> None:
    assert verifiers.program("cosign", given(program)) == (str(program), "")


@pytest.mark.parametrize(
    ("changed", "saying"),
    [
        ({"sha256": ""}, "image_trust_cosign needs an absolute path and the sha256"),
        ({"path": "cosign"}, "needs an absolute path"),
        ({"path": "/nowhere/cosign"}, "No such file"),
    ],
)
def test_without_path_or_checksum_there_is_none(
    program: Path, changed: dict[str, str], saying: str
) -> None:
    path, problem = verifiers.program("cosign", given(program, **changed))
    assert path == ""
    assert saying in problem


@as_root
def test_another_checksum_is_another_program(program: Path) -> None:
    assert "has the checksum" in verifiers.program("notation", given(program, sha256="0" * 64))[1]


@as_root
def test_what_others_can_change_is_not_asked(program: Path) -> None:
    link = program.parent.parent / "link"
    link.symlink_to(program)
    assert verifiers.program("cosign", given(link)) == (str(program), "")
    for path, change in (
        (program, lambda: program.chmod(0o775)),
        (program, lambda: os.chown(program, NOBODY, 0)),
        (program.parent, lambda: program.parent.chmod(0o777)),
        (program.parent, lambda: os.chown(program.parent, NOBODY, 0)),
    ):
        change()
        for name in (program, link):
            problem = verifiers.program("cosign", given(name))[1]
            assert problem == f"{path} can be changed by others than root"
        program.chmod(0o755)
        os.chown(program, 0, 0)
        program.parent.chmod(0o755)
        os.chown(program.parent, 0, 0)
    program.parent.chmod(0o1777)  # as /tmp: what is root's there stays root's
    assert verifiers.program("cosign", given(program))[1] == ""
