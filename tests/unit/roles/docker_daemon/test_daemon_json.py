"""daemon.json is merged, recorded and written so that everything can be taken back."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import hardhost_facts
from ansible.module_utils import hardhost_files as files
from ansible.module_utils import hardhost_state as states

from tests.recorded.inputs import Recorded, recorded
from tests.unit.roles.hosts import Json, control, facts, module

daemon_json = module("docker_daemon", "daemon_json")
ICC = control("docker_daemon/icc", {"icc": False})
REMAP = control("docker_daemon/userns_remap", {"userns-remap": "default"})
OLD_ENGINE = {"version": "20.10.24+dfsg1"}  # has no --validate
OWNED = [one for one in recorded() if one.described]
root = pytest.mark.skipif(os.geteuid() != 0, reason="files are given to root")


class TestPlan:
    def test_foreign_keys_and_format_stay(self) -> None:
        host = facts({"dns": ["1.1.1.1"]})
        host["daemon_json"]["data"] = b'{\n\t"dns": [\n\t\t"1.1.1.1"\n\t]\n}'
        data, edits = daemon_json.plan(host, [ICC])
        assert data == b'{\n\t"dns": [\n\t\t"1.1.1.1"\n\t],\n\t"icc": false\n}'
        assert [edit["leaf"] for edit in edits] == [["icc"]]

    def test_without_an_edit_the_bytes_are_the_same(self) -> None:
        host = facts({"icc": False})
        host["daemon_json"]["data"] = b'{ "icc" : false }'
        assert daemon_json.plan(host, [ICC]) == (b'{ "icc" : false }', [])

    @pytest.mark.parametrize(
        ("host", "text"),
        [
            (facts({"iptables": False}), "icc: false needs iptables"),
            (facts(flags={"icc": True}), "also given as a flag"),
        ],
    )
    def test_what_dockerd_would_not_start_with_is_refused(self, host: Json, text: str) -> None:
        with pytest.raises(daemon_json.Refused, match=text):
            daemon_json.plan(host, [ICC])

    def test_a_file_that_cannot_be_read_is_refused(self) -> None:
        host = facts()
        host["daemon_json"]["error"] = "/etc/docker/daemon.json:1: not JSON"
        with pytest.raises(daemon_json.Refused, match="not JSON"):
            daemon_json.plan(host, [ICC])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("-H fd:// -D", ["-H", "fd://", "-D"]),
        ("--config-file /x.json -D", ["-D"]),
        ("--config-file=/x.json -D", ["-D"]),
        ("-D --config-file /x.json", ["-D"]),
    ],
)
def test_the_file_that_is_checked_is_ours(arguments: str, words: list[str]) -> None:
    given = facts(arguments={"configured": ["dockerd", *arguments.split()]})
    assert daemon_json.flag_words(given) == words


class TestRanges:
    def needed(self, options: Json | None, one: Json = REMAP, **changed: Any) -> Json | None:
        host = facts(options, **changed)
        _data, edits = daemon_json.plan(host, [one])
        found: Json | None = daemon_json.ranges(host, edits)
        return found

    def test_user_and_ranges_come_before_the_option(self) -> None:
        found = self.needed({})
        assert found is not None
        assert daemon_json.incomplete(found)
        assert found["control"] == "docker_daemon/userns_remap"
        assert [one["after"] for one in daemon_json.shown_ranges(found)] == [
            "dockremap\n", "dockremap:100000:65536\n", "dockremap:100000:65536\n"
        ]  # fmt: skip

    def test_what_is_there_is_not_made(self) -> None:
        there = {
            "users": {"dockremap": 99},
            "subuid": [["dockremap", 7, 65536]],
            "subgid": [["dockremap", 7, 65536]],
        }
        found = self.needed({}, identities=there)
        assert found is not None
        assert not daemon_json.incomplete(found)
        assert daemon_json.shown_ranges(found) == []

    @pytest.mark.parametrize("options", [{"userns-remap": "default"}, None])
    def test_another_edit_needs_none(self, options: Json | None) -> None:
        assert self.needed(options, ICC) is None

    def test_validation_sees_no_user_that_is_not_there_yet(self) -> None:
        assert json.loads(
            daemon_json.without_user(b'{"userns-remap": "default", "icc": false}')
        ) == {"icc": False}


@root
class TestWrite:
    def written(self, path: Path, options: Json | None, *controls: Json) -> Json:
        """Apply controls to a real file; the state afterwards."""
        host = facts(options, engine=OLD_ENGINE)
        host["daemon_json"]["path"] = str(path)
        if options is not None:
            path.write_bytes(host["daemon_json"]["data"])
        data, edits = daemon_json.plan(host, list(controls))
        daemon_json.write(host, data, edits, "r1", "ops@bastion")
        found: Json = states.load()
        return found

    def test_the_old_bytes_are_kept_and_the_change_is_recorded(
        self, tmp_path: Path, state_directory: Path
    ) -> None:
        path = tmp_path / "daemon.json"
        state = self.written(path, {"dns": ["1.1.1.1"]}, ICC)
        kept = state["files"][str(path)]
        assert json.loads(states.kept(kept["before"]["blob"])) == {"dns": ["1.1.1.1"]}
        assert json.loads(path.read_bytes()) == {"dns": ["1.1.1.1"], "icc": False}
        (change,) = state["changes"]
        assert (change["control"], change["leaf"], change["kind"]) == (
            "docker_daemon/icc",
            ["icc"],
            "daemon_json_leaf",
        )
        assert path.stat().st_mode & 0o7777 == 0o644
        assert state_directory.stat().st_mode & 0o7777 == 0o700

    @pytest.mark.parametrize("one", OWNED, ids=lambda one: one.name)
    def test_owner_and_mode_stay_and_are_recorded(
        self, one: Recorded, tmp_path: Path, state_directory: Path
    ) -> None:
        assert one.data is not None
        assert one.described is not None
        path = tmp_path / "daemon.json"
        path.write_bytes(one.data)
        os.chown(path, one.described["uid"], one.described["gid"])
        path.chmod(one.described["mode"])
        host = facts(json.loads(one.data), engine=OLD_ENGINE)
        given = files.describe(str(path))
        host["daemon_json"] |= {"path": str(path), "data": one.data, "described": given}
        daemon_json.write(host, *daemon_json.plan(host, [ICC]), "r1", "ops@bastion")
        kept = states.load()["files"][str(path)]["before"]
        assert given.items() <= kept.items()
        found = files.describe(str(path))
        assert {name: found[name] for name in one.described} == one.described
        assert path.read_bytes() != one.data

    def test_a_missing_directory_is_made_and_recorded(
        self, tmp_path: Path, state_directory: Path
    ) -> None:
        path = tmp_path / "docker" / "daemon.json"
        state = self.written(path, None, ICC)
        assert [(change["kind"], change["target"]) for change in state["changes"]] == [
            ("directory", str(path.parent)), ("daemon_json_leaf", str(path))
        ]  # fmt: skip
        assert state["files"][str(path)]["before"] == {"present": False}

    def test_the_first_original_stays_the_original(
        self, tmp_path: Path, state_directory: Path
    ) -> None:
        path = tmp_path / "daemon.json"
        first = self.written(path, {"dns": []}, ICC)["files"][str(path)]["before"]
        again = self.written(path, {"dns": [], "icc": False}, control("a/b", {"ipv6": False}))
        assert again["files"][str(path)]["before"] == first

    def test_a_file_that_changed_meanwhile_is_left_alone(
        self, tmp_path: Path, state_directory: Path
    ) -> None:
        path = tmp_path / "daemon.json"
        host = facts({"dns": []}, engine=OLD_ENGINE)
        host["daemon_json"]["path"] = str(path)
        path.write_bytes(b'{"dns": ["9.9.9.9"]}')
        data, edits = daemon_json.plan(host, [ICC])
        with pytest.raises(daemon_json.Refused, match="changed by somebody else"):
            daemon_json.write(host, data, edits, "r1", "ops@bastion")
        assert path.read_bytes() == b'{"dns": ["9.9.9.9"]}'
        assert states.load()["changes"] == []

    def test_check_mode_leaves_no_trace(
        self, tmp_path: Path, state_directory: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        host = facts({"http-proxy": "http://u:hunter2@p"}, engine=OLD_ENGINE)
        monkeypatch.setattr(hardhost_facts, "collect_local", lambda: host)
        given = {
            "controls": [ICC, control("a/b", {"debug": {"never": [True]}})],
            "run": "r1",
            "holder": "x",
        }
        found = daemon_json.apply(given, True)
        assert found["changed"]
        assert found["controls"] == {"docker_daemon/icc": "applied", "a/b": "unchanged"}
        assert '"icc": false' in found["diff"][0]["after"]
        assert "hunter2" not in json.dumps(found)
        assert not state_directory.exists()
