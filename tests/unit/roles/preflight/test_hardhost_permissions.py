"""Owner and mode are changed on the file that was looked at, and on no other."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import hardhost_permissions as permissions

from tests.unit.roles.hosts import facts

ROOT = {"owner": "root", "group": "root"}


def content(path: Path) -> dict[str, int]:
    status = path.stat()
    return {"uid": status.st_uid, "gid": status.st_gid, "mode": stat.S_IMODE(status.st_mode)}


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.touch()
    path.chmod(0o644)
    return path


class TestPaths:
    def test_a_path_and_a_glob(self, tmp_path: Path) -> None:
        for name in ("b/x.crt", "a/x.crt", "a/x.key"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).touch()
        assert permissions.paths(f"{tmp_path}/a", facts()) == [f"{tmp_path}/a"]
        assert permissions.paths(f"{tmp_path}/*/*.crt", facts()) == [
            f"{tmp_path}/a/x.crt", f"{tmp_path}/b/x.crt"
        ]  # fmt: skip
        assert permissions.paths(f"{tmp_path}/none", facts()) == []

    def test_the_file_that_systemd_loaded(self, key: Path) -> None:
        assert permissions.paths("unit:docker.service", facts(unit={"FragmentPath": str(key)})) == [
            str(key)
        ]
        assert permissions.paths("unit:docker.service", facts(unit={"FragmentPath": ""})) == []

    def test_the_path_that_the_daemon_was_given(self, key: Path) -> None:
        assert permissions.paths("option:tlskey", facts({"tlskey": str(key)})) == [str(key)]
        assert permissions.paths("option:tlskey", facts(flags={"tlskey": str(key)})) == [str(key)]
        assert permissions.paths("option:tlskey", facts({"tlskey": f"{key}.gone"})) == []
        assert permissions.paths("option:tlskey", facts({"tlskey": ["odd"]})) == []
        assert permissions.paths("option:tlskey", facts()) == []

    def test_a_masked_unit_is_not_the_null_device(self, tmp_path: Path) -> None:
        """Its file is a link to /dev/null, which at 0644 would break every user of the host."""
        masked = tmp_path / "docker.service"
        masked.symlink_to("/dev/null")
        assert (
            permissions.paths("unit:docker.service", facts(unit={"FragmentPath": str(masked)}))
            == []
        )

    def test_sockets_and_pipes_are_left_alone(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        assert permissions.paths(f"{tmp_path}/*", facts()) == []


class TestWanted:
    @pytest.mark.parametrize(
        ("there", "most", "after"),
        [
            (0o644, "0600", 0o600),
            (0o400, "0600", 0o400),
            (0o777, "0755", 0o755),
            (0o444, "0644", 0o444),
            (0o4755, "0755", 0o755),
            (0o066, "0600", 0o000),
            (0o640, "644", 0o640),
        ],
    )
    def test_bits_are_removed_and_never_added(
        self, there: int, most: str, after: int, key: Path
    ) -> None:
        key.chmod(there)
        before, wanted = permissions.wanted(str(key), {**ROOT, "mode": most})
        assert (before["mode"], wanted["mode"]) == (there, after)
        assert (wanted["uid"], wanted["gid"]) == (0, 0)

    def test_a_second_rule_starts_from_the_first(self, key: Path) -> None:
        _before, first = permissions.wanted(str(key), {**ROOT, "mode": "0640"})
        before, second = permissions.wanted(str(key), {**ROOT, "mode": "0604"}, first)
        assert before == first
        assert second["mode"] == 0o600

    @pytest.mark.parametrize(
        "rule",
        [
            {**ROOT, "mode": "rw"},
            {**ROOT, "mode": "0888"},
            {**ROOT, "mode": 420},
            {**ROOT, "mode": ""},
            ROOT,
            "0644",
            {"owner": "root", "mode": "0644"},
            {"owner": "nobody-here", "group": "root", "mode": "0644"},
            {"owner": "root", "group": "nobody-here", "mode": "0644"},
        ],
    )
    def test_a_rule_that_cannot_be_obeyed_is_named(self, rule: Any, key: Path) -> None:
        assert str(key) in permissions.unusable({str(key): rule})
        with pytest.raises(permissions.PermissionsError):
            permissions.wanted(str(key), rule)

    def test_a_rule_that_can_is_not(self, key: Path) -> None:
        assert permissions.unusable({str(key): {**ROOT, "mode": "0644"}}) == ""
        assert permissions.unusable({}) == ""


class TestChange:
    def test_the_mode_is_set(self, key: Path) -> None:
        permissions.change(str(key), {**content(key), "mode": 0o600}, content(key))
        assert content(key)["mode"] == 0o600

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
    def test_the_owner_is_set_and_special_bits_survive_it(self, key: Path) -> None:
        key.chmod(0o2755)
        permissions.change(str(key), {"uid": 65534, "gid": 65534, "mode": 0o2750}, content(key))
        assert content(key) == {"uid": 65534, "gid": 65534, "mode": 0o2750}

    def test_directories_too(self, tmp_path: Path) -> None:
        permissions.change(str(tmp_path), {**content(tmp_path), "mode": 0o711}, content(tmp_path))
        assert content(tmp_path)["mode"] == 0o711

    def test_a_link_in_its_place_is_not_followed(self, key: Path, tmp_path: Path) -> None:
        other = tmp_path / "shadow"
        other.touch()
        other.chmod(0o644)
        before = content(key)
        key.unlink()
        key.symlink_to(other)
        with pytest.raises(OSError, match="symbolic links"):
            permissions.change(str(key), {**before, "mode": 0o600}, before)
        assert content(other)["mode"] == 0o644

    def test_a_link_above_it_is_not_followed(self, tmp_path: Path) -> None:
        (tmp_path / "etc").mkdir()
        (tmp_path / "etc/key").touch()
        (tmp_path / "etc/key").chmod(0o644)
        (tmp_path / "docker").symlink_to(tmp_path / "etc")
        path = tmp_path / "docker/key"
        with pytest.raises(OSError, match="Not a directory"):
            permissions.change(str(path), {**content(path), "mode": 0o600}, content(path))
        assert content(path)["mode"] == 0o644

    def test_a_file_that_changed_meanwhile_is_left_alone(self, key: Path) -> None:
        before = content(key)
        key.chmod(0o666)
        with pytest.raises(permissions.PermissionsError, match="meanwhile"):
            permissions.change(str(key), {**before, "mode": 0o600}, before)
        assert content(key)["mode"] == 0o666

    def test_no_descriptor_is_left_open(self, key: Path) -> None:
        before = len(list(Path("/proc/self/fd").iterdir()))
        for _ in range(5):
            permissions.change(str(key), content(key))
            with pytest.raises(FileNotFoundError):
                permissions.change(f"{key}.none", content(key))
        assert len(list(Path("/proc/self/fd").iterdir())) == before


class TestWorded:
    def test_names_where_there_are_some(self) -> None:
        assert permissions.worded({"uid": 0, "gid": 0, "mode": 0o640}) == "root:root 0640"
        assert permissions.worded({"uid": 4199999, "gid": 0, "mode": 0o4755}) == "4199999:root 4755"

    def test_only_what_differs_is_a_change(self, key: Path, tmp_path: Path) -> None:
        if os.geteuid() != 0:
            pytest.skip("files of root are looked at")
        (tmp_path / "fine").touch()
        (tmp_path / "fine").chmod(0o600)
        rules = {f"{tmp_path}/*": {**ROOT, "mode": "0600"}}
        assert permissions.changes(rules, facts()) == [
            {"what": str(key), "before": "root:root 0644", "after": "root:root 0600"}
        ]
