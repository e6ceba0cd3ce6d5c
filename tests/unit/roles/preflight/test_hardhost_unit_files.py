"""Files of a unit are read in systemd's order, also as they would be with other bytes."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible.module_utils import hardhost_drop_ins as drop_ins
from ansible.module_utils import hardhost_unit as units
from ansible.module_utils import hardhost_unit_files as unit_files

UNIT = "[Unit]\nAfter=a\n[Service]\n# no\nExecStart=/usr/sbin/dockerd -H fd:// \\\n  $DOCKER_OPTS\n"


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """The host's own directory, and that of packages."""
    own, packaged = tmp_path / "etc", tmp_path / "lib"
    for folder in (own, packaged):
        (folder / "docker.service.d").mkdir(parents=True)
    (packaged / "docker.service").write_text(UNIT)
    monkeypatch.setattr(unit_files, "DIRECTORIES", (str(own), str(packaged)))
    return own, packaged


def command(replaced: dict[str, bytes | None] | None = None) -> list[str]:
    found = unit_files.assignments("docker.service", "Service", "ExecStart", replaced)
    return [" ".join(one.split()) for one in found]


def test_the_packaged_unit(folders: tuple[Path, Path]) -> None:
    assert command() == ["/usr/sbin/dockerd -H fd:// $DOCKER_OPTS"]
    assert unit_files.assignments("docker.service", "Unit", "ExecStart") == []


def test_an_empty_assignment_forgets_and_names_decide_the_order(folders: tuple[Path, Path]) -> None:
    own, packaged = folders
    (own / "docker.service.d/b.conf").write_text("[Service]\nExecStart=\nExecStart=/b\n")
    (packaged / "docker.service.d/a.conf").write_text("[Service]\nExecStart=\nExecStart=/a\n")
    assert command() == ["/b"]
    (packaged / "docker.service.d/c.conf").write_text("[Service]\nExecStart=/c\n")
    assert command() == ["/b", "/c"]


def test_the_hosts_own_file_hides_a_packaged_one_of_its_name(folders: tuple[Path, Path]) -> None:
    own, packaged = folders
    (packaged / "docker.service.d/a.conf").write_text("[Service]\nExecStart=\nExecStart=/a\n")
    (own / "docker.service.d/a.conf").write_text("[Service]\n")
    assert command() == ["/usr/sbin/dockerd -H fd:// $DOCKER_OPTS"]


def test_what_it_would_be_with_other_bytes(folders: tuple[Path, Path]) -> None:
    path = folders[0] / "docker.service.d/z.conf"
    other = b"[Service]\nExecStart=\nExecStart=/other\n"
    assert command({str(path): other}) == ["/other"]
    path.write_bytes(other)
    assert command({str(path): None}) == ["/usr/sbin/dockerd -H fd:// $DOCKER_OPTS"]


def test_variables_are_filled_in(folders: tuple[Path, Path]) -> None:
    found = drop_ins.command({"Environment": 'DOCKER_OPTS="-H tcp://127.0.0.1:1"'})
    assert units.flags(found) == {"hosts": ["fd://", "tcp://127.0.0.1:1"]}
