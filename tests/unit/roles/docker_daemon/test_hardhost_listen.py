"""The drop-in for mutual TLS: what it says, what it costs, and the modes of the files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import hardhost_drop_ins as drop_ins
from ansible.module_utils import hardhost_facts
from ansible.module_utils import hardhost_listen as listen
from ansible.module_utils import hardhost_state as states
from ansible.module_utils import hardhost_surface_docker_daemon as surface
from ansible.module_utils import hardhost_unit as units
from ansible.module_utils import hardhost_unit_files as unit_files

from tests.unit.roles.hosts import Json, facts, module

docker_listen = module("docker_daemon", "docker_listen")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="files are given to root")
CONTROL = "docker_daemon/tls_mutual"
UNIT = {"Environment": "", "EnvironmentFiles": ""}


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state_directory: Path) -> Path:
    """Where the drop-in goes on a host whose unit is as Debian packages it."""
    folder = tmp_path / "system"
    (folder / "docker.service.d").mkdir(parents=True)
    (folder / "docker.service").write_text(
        "[Service]\nExecStart=/usr/sbin/dockerd -H fd:// $DOCKER_OPTS\n"
    )
    found = folder / "docker.service.d/zz-hardhost-listen.conf"
    monkeypatch.setattr(unit_files, "DIRECTORIES", (str(folder),))
    monkeypatch.setattr(drop_ins, "LISTEN", str(found))
    monkeypatch.setattr(drop_ins, "CARRIED", (str(found),))
    return found


@pytest.fixture
def tls(tmp_path: Path) -> Json:
    """Three files of the host, open to be read."""
    found: Json = {"address": "127.0.0.1:2376", "names": ["docker.test"]}
    for part in ("ca", "certificate", "key"):
        file = tmp_path / f"{part}.pem"
        file.touch()
        file.chmod(0o644 if part != "key" else 0o600)
        found[part] = str(file)
    return found


def text(tls: Json) -> str:
    data: bytes = listen.wanted(CONTROL, tls, UNIT)["data"]
    return data.decode()


def test_the_packaged_command_is_kept_and_added_to(path: Path, tls: Json) -> None:
    line = text(tls).splitlines()[-1]
    assert line.startswith(
        "ExecStart=/usr/sbin/dockerd -H fd:// $DOCKER_OPTS -H tcp://127.0.0.1:2376 --tlsverify"
    )
    assert f"--tlskey={tls['key']}" in line


def test_the_local_socket_is_named_where_the_unit_names_none(path: Path, tls: Json) -> None:
    (path.parent.parent / "docker.service").write_text("[Service]\nExecStart=/usr/bin/dockerd\n")
    assert "-H unix:///var/run/docker.sock -H tcp://" in text(tls)


def test_what_is_written_asks_for_nothing_more(path: Path, tls: Json) -> None:
    path.write_text(text(tls))
    assert path.read_text() == text(tls)


@pytest.mark.parametrize("key", ["hosts", "tlsverify", "tlscacert"])
def test_listeners_in_daemon_json_are_in_the_way(key: str, path: Path) -> None:
    assert key in listen.in_the_way(facts({key: True}))


def test_two_commands_are_in_the_way(path: Path) -> None:
    assert listen.in_the_way(facts()) == ""
    (path.parent / "a.conf").write_text("[Service]\nExecStart=/bin/true\n")
    assert "no single ExecStart" in listen.in_the_way(facts())


def test_another_authority_is_not_what_was_wanted(path: Path, tls: Json) -> None:
    command = text(tls).splitlines()[-1].partition("=")[2]
    assert listen._mutual(units.flags(command.split()), tls)
    other = command.replace(tls["ca"], "/srv/other.pem")
    assert not listen._mutual(units.flags(other.split()), tls)
    assert not listen._mutual(units.flags(command.replace("--tlsverify ", "").split()), tls)


@needs_root
def test_modes_of_what_links_lead_to(tls: Json, tmp_path: Path) -> None:
    link = tmp_path / "live.pem"
    link.symlink_to(tls["key"])
    found = {one["path"]: one["after"]["mode"] for one in listen.closed({**tls, "key": str(link)})}
    assert found == {tls["key"]: 0o400, tls["ca"]: 0o444, tls["certificate"]: 0o444}


@needs_root
def test_one_file_for_two_parts_is_changed_step_by_step(tls: Json) -> None:
    one = tls["key"]
    first, *rest = listen.closed({**tls, "ca": one, "certificate": one})
    assert (first["before"]["mode"], first["after"]["mode"], rest) == (0o600, 0o400, [])


def given(tls: Json) -> Json:
    return {"id": CONTROL, "settings": {"docker_daemon_tls": tls}}


@needs_root
def test_the_drop_in_is_announced_as_a_restart(path: Path, tls: Json) -> None:
    found = surface.changes(given(tls), facts(unit=UNIT), {})
    assert [one["what"] for one in found if "restart" in one] == [str(path)]
    assert len(found) == 4


@needs_root
@pytest.mark.parametrize("check", [True, False])
def test_it_is_recorded_and_written_and_nothing_in_check_mode(
    check: bool, path: Path, tls: Json, monkeypatch: pytest.MonkeyPatch, state_directory: Path
) -> None:
    def found() -> Json:
        return {**facts(unit=UNIT), "state": states.load()}

    called: list[Any] = []
    monkeypatch.setattr(hardhost_facts, "collect_local", found)
    monkeypatch.setattr(docker_listen.certificates, "wrong", lambda _tls: "")
    monkeypatch.setattr(docker_listen.programs, "run", lambda words, **_how: called.append(words))
    parameters = {"controls": [given(tls)], "run": "r1", "holder": "ops@bastion"}
    assert docker_listen.apply(parameters, check)["changed"]
    assert (path.exists(), state_directory.exists()) == (not check, not check)
    if not check:
        assert called == [["systemctl", "daemon-reload"]]
        assert {one["target"] for one in states.load()["changes"]} >= {str(path), tls["key"]}
        assert Path(tls["key"]).stat().st_mode & 0o777 == 0o400
        assert drop_ins.pending(found())
        assert not docker_listen.apply(parameters, False)["changed"]
