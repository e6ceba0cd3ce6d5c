"""What is taken back, and what it becomes, from the state alone."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils import hardhost_state as states
from ansible.module_utils import hardhost_undo as undo
from ansible.module_utils.hardhost_options import ABSENT, OptionsError, merge, parse, word
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.roles.hosts import Json, container, facts

PATH = "/etc/docker/daemon.json"


def present(value: object) -> Json:
    return {"present": True, "value": value}


def recorded(*changes: tuple[str, str, list[str], Json, Json]) -> list[Json]:
    """Changes `(run, control, leaf, before, after)` as the state holds them."""
    state: Json = states.empty()
    for run, control, leaf, before, after in changes:
        states.record(state, run, control, "daemon_json_leaf", PATH, before, after, leaf=leaf)
    return list(state["changes"])


def decision(word_: str, options: Json | None = None) -> Json:
    return {"decision": word_, "settings": {"docker_daemon_options": options or {}}}


ICC = ("r1", "docker_daemon/icc", ["icc"], ABSENT, present(False))
LOG = ("r2", "docker_daemon/log", ["log-opts", "max-size"], present("1g"), present("10m"))


def numbers(found: list[Json]) -> list[int]:
    return [change["number"] for change in found]


class TestChosen:
    @pytest.mark.parametrize(
        ("word_", "taken"),
        [
            ("apply", False),
            ("pending", False),
            ("report", True),
            ("waived", True),
            ("not_applicable", True),
            ("manual", True),
        ],
    )
    def test_a_converge_takes_back_what_it_no_longer_applies(self, word_: str, taken: bool) -> None:
        found = undo.chosen(
            recorded(ICC), "removed", {"docker_daemon/icc": decision(word_, {"icc": False})}
        )
        assert bool(found) == taken

    def test_a_control_that_left_the_plan_is_taken_back(self) -> None:
        assert numbers(undo.chosen(recorded(ICC, LOG), "removed", {})) == [1, 2]

    def test_a_leaf_that_its_control_no_longer_wants_is_taken_back(self) -> None:
        kept = {"docker_daemon/icc": decision("apply", {"icc": False})}
        other = {"docker_daemon/icc": decision("apply", {"ipv6": False})}
        assert undo.chosen(recorded(ICC), "removed", kept) == []
        assert numbers(undo.chosen(recorded(ICC), "removed", other)) == [1]

    def test_a_control_that_is_held_back_keeps_all_its_leaves(self) -> None:
        held = {"docker_daemon/icc": decision("pending", {"ipv6": False})}
        assert undo.chosen(recorded(ICC), "removed", held) == []

    def test_packages_are_not_taken_back_by_a_converge(self) -> None:
        state: Json = states.empty()
        states.record(
            state,
            "r1",
            "docker_engine/engine_present",
            "package",
            "docker.io",
            ABSENT,
            present("docker.io"),
        )
        assert undo.chosen(state["changes"], "removed", {}) == []
        assert numbers(undo.chosen(state["changes"], "all", {})) == [1]

    def test_the_other_scopes(self) -> None:
        changes = recorded(ICC, LOG)
        assert numbers(undo.chosen(changes, "all", {})) == [1, 2]
        assert numbers(undo.chosen(changes, "run", {})) == [2]
        assert numbers(undo.chosen(changes, "run", {}, run="r1")) == [1]
        assert numbers(undo.chosen(changes, "controls", {}, ["docker_daemon/icc"])) == [1]
        assert undo.chosen([], "run", {}) == []


class TestRuns:
    AGAIN = ("r3", "docker_daemon/icc", ["ip"], ABSENT, present("127.0.0.1"))

    def test_the_last_is_the_last_that_recorded_something(self) -> None:
        """Whatever the controllers' clocks have put into their names."""
        assert undo.last_run(recorded(LOG, ICC)) == "r1"
        assert undo.last_run([]) == ""

    def test_those_of_what_is_taken_back(self) -> None:
        changes = recorded(ICC, LOG, self.AGAIN)
        assert undo.runs(changes, undo.targets(changes)) == ["r1", "r2", "r3"]
        assert undo.runs(changes, undo.targets(changes[1:2])) == ["r2"]

    def test_what_a_later_run_has_built_upon_stays(self) -> None:
        changes = recorded(ICC, LOG, self.AGAIN)
        first = undo.targets(undo.chosen(changes, "run", {}, run="r1"))
        (why,) = undo.built_upon(first, changes, "run").values()
        assert why == "run r3 has changed docker_daemon/icc since; take that one back first"
        for run in ("r2", "r3"):
            later = undo.targets(undo.chosen(changes, "run", {}, run=run))
            assert undo.built_upon(later, changes, "run") == {}
        assert undo.built_upon(first, changes, "controls") == {}


class TestTargets:
    def test_the_oldest_before_and_the_newest_after_count(self) -> None:
        again = ("r3", "docker_daemon/icc", ["icc"], present(True), present(False))
        (target,) = undo.targets(recorded(ICC, again))
        assert (target["original"], target["ours"]) == (ABSENT, present(False))
        assert (target["numbers"], target["controls"]) == ([1, 2], ["docker_daemon/icc"])

    def test_the_newest_comes_first(self) -> None:
        assert [one["leaf"] for one in undo.targets(recorded(ICC, LOG))] == [
            ("log-opts", "max-size"),
            ("icc",),
        ]

    def test_lines_of_one_file_stay_apart(self) -> None:
        state: Json = states.empty()
        for line in ("a:1:2", "b:3:4"):
            states.record(state, "r1", "a/b", "line", "/etc/subuid", ABSENT, present(line))
        assert [one["ours"]["value"] for one in undo.targets(state["changes"])] == [
            "b:3:4",
            "a:1:2",
        ]


class TestOptionsBack:
    def back(self, options: Json, *changes: Any) -> tuple[Json, int, list[str]]:
        result, done, conflicts = undo.options_back(options, undo.targets(recorded(*changes)))
        return result, len(done), conflicts

    def test_ours_becomes_the_original(self) -> None:
        options = {"log-opts": {"max-size": "10m", "tag": "x"}, "icc": False}
        expected = {"log-opts": {"max-size": "1g", "tag": "x"}}
        assert self.back(options, ICC, LOG) == (expected, 2, [])

    def test_what_is_back_already_is_done(self) -> None:
        assert self.back({"log-opts": {"max-size": "1g"}}, ICC, LOG) == (
            {"log-opts": {"max-size": "1g"}},
            2,
            [],
        )

    def test_what_somebody_changed_since_stays_and_is_said(self) -> None:
        options, done, conflicts = self.back({"icc": True}, ICC)
        assert (options, done) == ({"icc": True}, 0)
        assert conflicts == [f"{PATH}: icc is now True; it was absent, and we had set False"]

    def test_an_update_that_was_killed_is_ours(self) -> None:
        """10m was in force, 20m was recorded, and the run was killed before it wrote."""
        update = ("r3", "docker_daemon/log", LOG[2], present("10m"), present("20m"))
        expected = {"log-opts": {"max-size": "1g"}}
        assert self.back({"log-opts": {"max-size": "10m"}}, LOG, update) == (expected, 1, [])
        (conflict,) = self.back({"log-opts": {"max-size": "30m"}}, LOG, update)[2]
        assert "is now '30m'; it was '1g', and we had set '20m'" in conflict

    def test_a_conflict_tells_no_secret(self) -> None:
        change = ("r1", "a/b", ["http-proxy"], present("http://u:hunter2@p"), present("http://p"))
        _options, _done, conflicts = self.back({"http-proxy": "http://u:hunter3@p"}, change)
        assert "hunter" not in conflicts[0]


values = st.recursive(
    st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, min_size=1, max_size=3),
    max_leaves=6,
)


@given(
    st.dictionaries(st.sampled_from("abcd"), values),
    st.dictionaries(st.sampled_from("abcd"), values),
)
def test_rollback_gives_the_original_bytes(original: Json, wanted: Json) -> None:
    """Whatever a converge did to daemon.json, undoing it gives the old file byte for byte."""
    data = word(original, b'{\n\t"x": 1}')
    try:
        options, edits = merge(
            original, [{"id": "a/b", "settings": {"docker_daemon_options": wanted}}]
        )
    except OptionsError:
        return  # a leaf below something that is no object: nothing was done
    changes = recorded(*[("r1", "a/b", one["leaf"], one["before"], one["after"]) for one in edits])
    back, done, conflicts = undo.options_back(options, undo.targets(changes))
    assert not conflicts
    assert sum(len(one["numbers"]) for one in done) == len(edits)
    assert undo.bytes_back(back, word(options, data), data, []) == data


class TestBytesBack:
    OLD = b'{"dns":["1.1.1.1"] ,  "log-opts":{}}'

    def test_the_old_bytes_return(self) -> None:
        assert undo.bytes_back(parse(self.OLD), b'{"dns": ["1.1.1.1"]}', self.OLD, []) == self.OLD

    def test_an_object_that_was_empty_before_is_no_difference(self) -> None:
        assert undo.bytes_back({"dns": ["1.1.1.1"]}, b"{}", self.OLD, []) == self.OLD

    def test_no_file_becomes_no_file(self) -> None:
        assert undo.bytes_back({}, b"{}", None, []) is None

    def test_a_foreign_change_since_is_kept(self) -> None:
        found = undo.bytes_back(
            {"dns": ["9.9.9.9"]}, b'{\n    "icc": false,\n    "dns": ["9.9.9.9"]\n}', self.OLD, []
        )
        assert found is not None
        assert parse(found) == {"dns": ["9.9.9.9"]}
        assert b'\n    "dns"' in found

    def test_while_something_of_ours_is_left_the_file_is_merged(self) -> None:
        found = undo.bytes_back(parse(self.OLD), b'{"icc": false}', self.OLD, [object()])
        assert found != self.OLD


class TestStays:
    SWITCH = ("r1", "a/b", ["userns-remap"], ABSENT, present("default"))
    REMAPPED = {"SecurityOptions": ["name=userns"]}
    ACCEPTED = {"docker_daemon_accept_data_root_change": True}
    RANGE = "dockremap:100000:65536"

    def changes(self) -> list[Json]:
        state: Json = states.empty()
        states.record(state, "r1", "a/b", "user", "/etc/passwd", ABSENT, present("dockremap"))
        states.record(state, "r1", "a/b", "line", "/etc/subuid", ABSENT, present(self.RANGE))
        states.record(
            state,
            "r1",
            "a/b",
            "daemon_json_leaf",
            PATH,
            ABSENT,
            present("default"),
            leaf=["userns-remap"],
        )
        return list(state["changes"])

    def stays(self, host: Json, inputs: Json | None = None) -> dict[str, str]:
        targets = undo.targets(self.changes())
        return {key[0]: why for key, why in undo.stays(targets, host, inputs or {}).items()}

    def test_where_the_switch_never_happened_nothing_stays(self) -> None:
        assert self.stays(facts({"userns-remap": "default"}, images=1)) == {}

    def test_switching_back_hides_images_too(self) -> None:
        found = self.stays(facts({"userns-remap": "default"}, info=self.REMAPPED, images=1))
        assert set(found) == {"daemon_json_leaf", "line", "user"}
        assert "1 image" in found["daemon_json_leaf"]

    def test_accepted_it_is_switched_back(self) -> None:
        host = facts({"userns-remap": "default"}, info=self.REMAPPED, images=1)
        assert self.stays(host, self.ACCEPTED) == {}

    def test_running_containers_hold_it_back(self) -> None:
        host = facts({"userns-remap": "default"}, info=self.REMAPPED, containers=[container("web")])
        assert "web" in self.stays(host, self.ACCEPTED)["daemon_json_leaf"]

    def test_user_and_range_stay_while_their_data_root_exists(self) -> None:
        host = facts(data_roots=["/var/lib/docker/100000.100000"])
        found = self.stays(host)
        assert found == {"line": "/var/lib/docker/100000.100000 exists", "user": "its range stays"}

    def test_another_data_root_keeps_nothing(self) -> None:
        assert self.stays(facts(data_roots=["/var/lib/docker/1000000.1000000"])) == {}

    def test_ranges_stay_while_somebody_else_uses_them(self) -> None:
        targets = [one for one in undo.targets(self.changes()) if one["kind"] != "daemon_json_leaf"]
        found = undo.stays(targets, facts({"userns-remap": "dockremap"}), {})
        assert {key[0] for key in found} == {"line", "user"}

    def test_packages_stay(self) -> None:
        state: Json = states.empty()
        states.record(state, "r1", "a/b", "package", "docker.io", ABSENT, present("docker.io"))
        found = undo.stays(undo.targets(state["changes"]), facts(), {})
        assert list(found.values()) == ["packages are not taken back"]
        assert undo.worded(undo.targets(state["changes"])[0]) == "docker.io: package (a/b)"

    def test_each_kind_has_words(self) -> None:
        words = [undo.worded(one) for one in undo.targets(self.changes())]
        assert words == [
            "/etc/docker/daemon.json: userns-remap (a/b)",
            f"/etc/subuid: {self.RANGE} (a/b)",
            "/etc/passwd: dockremap (a/b)",
        ]

    def test_a_line_tells_no_secret(self) -> None:
        state: Json = states.empty()
        line = present("SERVER=https://ours:hunter2@notary.test")
        states.record(state, "r1", "a/b", "line", "/etc/environment", ABSENT, line)
        assert "hunter2" not in undo.worded(undo.targets(state["changes"])[0])
