"""The facts that leave a host hold no secret, and a role that has nothing to do is not called."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import pytest
from ansible.module_utils import hardhost_facts
from ansible.module_utils import hardhost_state as states
from ansible.module_utils.hardhost_options import ABSENT

from tests.unit.roles.hosts import TODAY, Json, container, control, facts, module

docker_host_facts = module("preflight", "docker_host_facts")


def test_no_secret_leaves_the_host() -> None:
    host = facts(
        {"http-proxy": "http://u:hunter2@p", "log-opts": {"splunk-token": "hunter2"}},
        flags={"https-proxy": "http://u:hunter2@p"},
        unit={
            "Environment": "HTTP_PROXY=http://u:hunter2@p",
            "ActiveState": "active",
            "DropInPaths": "",
        },
        process={"arguments": ["dockerd", "--log-opt=splunk-token=hunter2"]},
        arguments={"configured": ["dockerd", "--https-proxy=http://u:hunter2@p"]},
        api_error="dial http://u:hunter2@p: refused",
        containers=[container("web")],
    )
    shown = hardhost_facts.public(host)
    assert "hunter2" not in json.dumps(shown)
    assert shown["containers"] == host["containers"]
    assert shown["engine"] == host["engine"]


def test_facts_are_plain_data() -> None:
    assert json.loads(json.dumps(hardhost_facts.public(facts({"icc": False}))))["daemon_json"][
        "options"
    ] == {"icc": False}


def test_only_roles_with_something_to_change_are_called() -> None:
    controls = [
        {"id": "a/one", "settings": {}},
        {"id": "a/two", "settings": {}},
        {"id": "b/one", "settings": {}},
    ]
    found = {one["id"]: {"changes": []} for one in controls}
    assert docker_host_facts.to_do(found, controls, []) == {}
    found["a/two"]["changes"] = [{"what": "x"}]
    assert docker_host_facts.to_do(found, controls, []) == {"a": controls[:2]}
    assert set(docker_host_facts.to_do(found, controls, [object()])) == {"a", "b"}


def test_somebody_who_is_not_root_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker_host_facts.os, "geteuid", lambda: 1000)
    assert "become" in docker_host_facts.answer({"controls": [control("a/b")]})["refused"]


GONE = {"present": True, "value": "/srv/moved/seccomp.json"}


@pytest.mark.parametrize(
    ("parameters", "refused", "run"),
    [
        ({"scope": "removed"}, "as it stands", ""),
        ({"scope": "all"}, "", ""),
        ({"scope": "run"}, "", "r2"),
        ({"scope": "run", "scope_run": "r1"}, "after this rollback", ""),
        ({"scope": "controls", "scope_controls": ["a/b"]}, "", ""),
        ({"scope": "controls", "scope_controls": ["a/c"]}, "after this rollback", ""),
    ],
)
def test_a_rollback_may_take_back_what_keeps_dockerd_down(
    parameters: Json, refused: str, run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    state: Json = states.empty()
    for name, control_, leaf, after in (
        ("r1", "a/c", "icc", {"present": True, "value": False}),
        ("r2", "a/b", "seccomp-profile", GONE),
    ):
        before = ("daemon_json_leaf", "/etc/docker/daemon.json", ABSENT)
        states.record(state, name, control_, *before, after, leaf=[leaf])
    options = {"icc": False, "seccomp-profile": GONE["value"]}
    host = facts(options, engine={"running": False}, process=None, state=state)
    monkeypatch.setattr(docker_host_facts.os, "geteuid", lambda: 0)
    monkeypatch.setattr(docker_host_facts, "wait_for_daemon", lambda: None)
    monkeypatch.setattr(hardhost_facts, "collect", lambda: {**host, "info": {}})
    given = {"controls": [], "inputs": {}, "texts": {}, "exceptions": [], "today": TODAY}
    found = docker_host_facts.answer({**given, "scope_controls": [], "scope_run": "", **parameters})
    assert refused in found["refused"]
    assert bool(found["refused"]) == bool(refused)
    assert found["undo_run"] == run
    assert found["recorded"] == {"run": "r2", "controls": ["a/b", "a/c"]}
    if not refused:
        assert "/etc/docker/daemon.json: seccomp-profile (a/b)" in found["undo"]
        assert found["undo_runs"][-1] == "r2"


def test_identities_are_read_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "subuid"
    path.write_text(
        "# a comment\nalice:100000:65536\n\n1001:165536:65536 \nbroken:x:1\nbob:1:2:3\n"
    )
    assert hardhost_facts._ranges(str(path)) == [["alice", 100000, 65536], ["1001", 165536, 65536]]
    path.write_text("root:x:0:0:root:/root:/bin/sh\n+nis::::\nalice:x:1000:1000::/:/bin/sh\n")
    assert hardhost_facts._numbers(str(path)) == {"root": 0, "alice": 1000}
    assert hardhost_facts._ranges(str(tmp_path / "none")) == []


def test_a_daemon_json_that_is_a_directory_is_an_error_with_its_path(tmp_path: Path) -> None:
    assert hardhost_facts._daemon_json(str(tmp_path))["error"] == f"{tmp_path}: Is a directory"


@pytest.mark.parametrize(
    ("text", "family"),
    [
        ('ID=debian\nVERSION_ID="12"\n', "debian"),
        ("ID=linuxmint\nID_LIKE='ubuntu debian'\n", "debian"),
        ('ID="rocky"\nID_LIKE="rhel centos fedora"\n', "redhat"),
        ("ID=alpine\n", ""),
        ("", ""),
    ],
)
def test_the_family_of_the_operating_system(
    text: str, family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardhost_facts.files, "read", lambda _path: text.encode())
    assert hardhost_facts._os()["family"] == family


@pytest.mark.skipif(os.geteuid() != 0, reason="others are told so first")
def test_a_path_and_a_text_refuse_the_host_before_it_is_read() -> None:
    texts = {"docker_daemon_tls_key_pem": base64.b64encode(b"hunter2").decode()}
    inputs = {"docker_daemon_tls_key": "/srv/tls/server.key"}
    found = docker_host_facts.answer({"controls": [], "inputs": inputs, "texts": texts})
    assert "docker_daemon_tls_key and docker_daemon_tls_key_pem are both given" in found["refused"]
    assert "hunter2" not in json.dumps(found)


def test_what_is_secret_is_no_public_fact() -> None:
    assert "hunter2" not in str(hardhost_facts.public({**facts(), "texts": {"key": b"hunter2"}}))


def test_the_engine_is_the_one_that_the_unit_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An old one may be left in a directory that comes first."""
    for folder in ("local", "packaged"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "dockerd").write_text("")
        (tmp_path / folder / "dockerd").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/local:{tmp_path}/packaged")
    named = str(tmp_path / "packaged/dockerd")
    assert hardhost_facts._binary([named, "-H", "fd://"]) == named
    first = str(tmp_path / "local/dockerd")
    for configured in ([], [str(tmp_path / "gone/dockerd")], ["/usr/local/bin/wrapper"]):
        assert hardhost_facts._binary(configured) == first


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("0123456789abcdef0123456789abcdef\n", True),
        ("", False),
        ("uninitialized\n", False),
        (None, False),
    ],
    ids=["known", "empty", "first boot", "missing"],
)
def test_a_machine_is_told_by_its_id_but_not_with_it(
    tmp_path: Path, text: str | None, known: bool
) -> None:
    if text is not None:
        (tmp_path / "machine-id").write_text(text)
    found = hardhost_facts._machine_id(str(tmp_path / "machine-id"))
    assert bool(found) == known
    assert "0123456789abcdef" not in found


def test_artifacts_tell_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.environ["PATH"])  # collect() sets its own
    monkeypatch.setattr(hardhost_facts, "_machine_id", lambda: "this one")
    assert hardhost_facts.public(hardhost_facts.collect())["machine_id"] == "this one"
