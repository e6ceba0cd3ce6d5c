"""The drop-in for mutual TLS: what it says, what it costs, and the modes of the files."""

from __future__ import annotations

import base64
import os
import socket
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import hardhost_drop_ins as drop_ins
from ansible.module_utils import hardhost_facts
from ansible.module_utils import hardhost_given as given_files
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
    monkeypatch.setattr(given_files, "DIRECTORY", str(tmp_path / "hardhost-tls"))
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


def now() -> Json:
    return {**facts(unit=UNIT), "state": states.load()}


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch, state_directory: Path) -> list[Any]:
    """The programs that the module calls; certificates have tests of their own."""
    found: list[Any] = []
    monkeypatch.setattr(hardhost_facts, "collect_local", now)
    monkeypatch.setattr(docker_listen.certificates, "wrong", lambda *_what: "")
    monkeypatch.setattr(docker_listen.programs, "run", lambda words, **_how: found.append(words))
    return found


@needs_root
@pytest.mark.parametrize("check", [True, False])
def test_it_is_recorded_and_written_and_nothing_in_check_mode(
    check: bool, path: Path, tls: Json, called: list[Any], state_directory: Path
) -> None:
    parameters = {"controls": [given(tls)], "run": "r1", "holder": "ops@bastion", "texts": {}}
    answer = docker_listen.apply(parameters, check)
    assert answer["changed"]
    assert "--tlsverify" in str(answer["diff"])
    assert (path.exists(), state_directory.exists()) == (not check, not check)
    if not check:
        assert called == [["systemctl", "daemon-reload"]]
        assert {one["target"] for one in states.load()["changes"]} >= {str(path), tls["key"]}
        assert Path(tls["key"]).stat().st_mode & 0o777 == 0o400
        assert drop_ins.pending(now())
        assert not docker_listen.apply(parameters, False)["changed"]


TEXTS = {
    "docker_daemon_tls_certificate_pem": "a certificate",
    "docker_daemon_tls_key_pem": "oldkey",
}


def with_texts(tls: Json, **texts: str) -> Json:
    """The module's parameters as preflight's decision makes them."""
    sent = {name: base64.b64encode(text.encode()).decode() for name, text in texts.items()}
    known = given_files.decoded(sent)
    paths = {f"docker_daemon_tls_{part}": tls[part] for part in ("ca", "certificate", "key")}
    paths = {name: one for name, one in paths.items() if f"{name}_pem" not in texts}
    inputs, problem = surface.given(paths, known)
    assert problem == ""
    parts = {name.rpartition("_")[2]: one for name, one in inputs.items()}
    return {"controls": [given({**tls, **parts})], "run": "r1", "holder": "me", "texts": sent}


def key_of(parameters: Json) -> Path:
    return Path(parameters["controls"][0]["settings"]["docker_daemon_tls"]["key"])


def test_a_path_and_a_text_for_one_part_is_an_error() -> None:
    paths = {"docker_daemon_tls_key": "/k", "docker_daemon_tls_ca": "/ca"}
    inputs, problem = surface.given(paths, {"docker_daemon_tls_key_pem": b"secret"})
    assert problem.startswith("docker_daemon_tls_key and docker_daemon_tls_key_pem are both given")
    assert (inputs, "secret" in problem) == (paths, False)


@needs_root
def test_texts_are_announced_by_their_digests_and_shown_in_no_difference(
    path: Path, tls: Json, called: list[Any]
) -> None:
    parameters = with_texts(tls, **TEXTS)
    host = {**facts(unit=UNIT), "texts": given_files.decoded(parameters["texts"])}
    control = parameters["controls"][0]
    announced = {one["what"]: one["after"] for one in surface.changes(control, host, {})}
    assert announced[str(key_of(parameters))].startswith("0:0 0400, sha256 ")
    answer = docker_listen.apply(parameters, True)
    assert not key_of(parameters).exists()
    said = str((answer, announced))
    assert ("oldkey" in said, "a certificate" in said, "(hidden)" in said) == (False, False, True)


@needs_root
def test_another_key_is_another_file_and_the_old_one_waits_for_the_restart(
    path: Path, tls: Json, called: list[Any], state_directory: Path
) -> None:
    first = with_texts(tls, **TEXTS)
    second = with_texts(tls, **{**TEXTS, "docker_daemon_tls_key_pem": "newkey"})
    assert docker_listen.apply(first, False)["changed"]
    assert not docker_listen.apply(first, False)["changed"]
    assert str(key_of(first)) in path.read_text()
    assert docker_listen.apply(second, False)["changed"]
    assert str(key_of(second)) in path.read_text()
    assert (key_of(first).read_text(), key_of(second).read_text()) == ("oldkey\n", "newkey\n")
    assert [one["target"] for one in states.load()["undone"]] == [str(key_of(first))]
    kept = [file.read_bytes() for file in state_directory.rglob("*") if file.is_file()]
    assert kept
    assert not [data for data in kept if b"oldkey" in data or b"newkey" in data]


@needs_root
def test_a_text_that_is_another_each_time_is_refused(
    path: Path, tls: Json, called: list[Any]
) -> None:
    judged = with_texts(tls, **TEXTS)
    other = with_texts(tls, **{**TEXTS, "docker_daemon_tls_key_pem": "newkey"})
    with pytest.raises(docker_listen.Refused, match="another text than when the host was read"):
        docker_listen.apply({**judged, "texts": other["texts"]}, False)
    assert not path.exists()


def test_whether_the_collector_of_logs_answers_is_looked_at() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        target = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        options = {"log-driver": "syslog", "log-opts": {"syslog-address": target}}
        given = {"docker_daemon/log_destination": {"docker_daemon_options": options}}
        assert surface.observe(facts(), {}, given) == {"log_target": ""}
    assert "does not answer" in surface.observe(facts(), {}, given)["log_target"]
    options = {"log-driver": "journald", "log-opts": {"max-size": {"without": ["*"]}}}
    given = {"docker_daemon/log_destination": {"docker_daemon_options": options}}
    assert surface.observe(facts(), {}, given) == {"log_target": ""}
    assert surface.observe(facts(), {}, {"docker_daemon/icc": {}}) == {}
