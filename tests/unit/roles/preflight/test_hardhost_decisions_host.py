"""Which hosts are left alone altogether, and what a converge means for the running daemon."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils import hardhost_decisions as decisions
from ansible.module_utils import hardhost_state as states
from ansible.module_utils import hardhost_undo as undo
from ansible.module_utils.hardhost_options import ABSENT

from tests.unit.roles.hosts import TODAY, Json, container, control, daemon_json, facts

REMAP = {"userns-remap": "default"}
STOP = {"docker_restart_stop_containers": True}
STORAGE = {"storage-driver": "overlay2", "features": {"containerd-snapshotter": False}}
CONTAINERD = [["driver-type", "io.containerd.snapshotter.v1"]]


class TestRefusal:
    @pytest.mark.parametrize(
        ("host", "text"),
        [
            pytest.param(
                facts(os={"family": "", "pretty": "Alpine"}),
                "unsupported operating system Alpine",
                id="os",
            ),
            pytest.param(facts(snap=True), "snap", id="snap"),
            pytest.param(facts(podman=True), "podman", id="podman"),
            pytest.param(
                facts(info={"SecurityOptions": ["name=rootless"]}), "rootless", id="rootless"
            ),
            pytest.param(
                facts(engine={"version": "19.03.15"}), "unsupported engine 19.03.15", id="too old"
            ),
            pytest.param(
                facts(engine={"version": "30.0.0"}), "unsupported engine 30.0.0", id="too new"
            ),
            pytest.param(
                facts(engine={"version": "", "candidate": "19.3", "running": False}),
                "19.3",
                id="candidate too old",
            ),
            pytest.param(
                facts(api_error="timed out"), "does not answer all questions: timed out", id="api"
            ),
            pytest.param({**facts(), "info": {}}, "no answer to /info", id="no info"),
            pytest.param(
                facts(engine={"running": False}), "its API does not answer", id="deaf daemon"
            ),
            pytest.param(
                facts(unit={"MainPID": "0"}),
                "was not started by docker.service",
                id="started by hand",
            ),
            pytest.param(
                facts({"icc": "no"}, state={"daemon": None}, process={"age": 2.0**40}),
                "would not work with /etc/docker/daemon.json as it stands: icc is a str",
                id="a broken file that awaits the next start",
            ),
            pytest.param(facts(state_error="has version 2"), "has version 2", id="state"),
            pytest.param(
                {**facts(), "daemon_json": daemon_json(None, "daemon.json:1: not JSON")},
                "not JSON",
                id="not JSON",
            ),
        ],
    )
    def test_a_host_is_left_alone_where_nothing_is_safe(self, host: Json, text: str) -> None:
        assert text in decisions.refusal(host)

    @pytest.mark.parametrize(
        "host",
        [
            pytest.param(facts(), id="running"),
            pytest.param(facts(engine={"version": "20.10.24+dfsg1"}), id="Debian 12"),
            pytest.param(facts(engine={"version": "29.7.2"}), id="newest"),
            pytest.param(facts({"mystery": {}}), id="an old oddity"),
            pytest.param(
                {**facts(engine={"running": False, "version": ""}, process=None), "info": {}},
                id="no Docker yet",
            ),
        ],
    )
    def test_other_hosts_are_not(self, host: Json) -> None:
        assert decisions.refusal(host) == ""


def down(options: Json, *ours: str) -> Json:
    """A host whose dockerd does not come up with these options; `ours` are keys of a run."""
    state: Json = states.empty()
    for key in ours:
        after = {"present": True, "value": options[key]}
        leaf = ("daemon_json_leaf", daemon_json(None)["path"], ABSENT, after)
        states.record(state, "r1", f"docker_daemon/{key}", *leaf, leaf=[key])
    stopped = facts(options, engine={"running": False}, process=None, state=state)
    return {**stopped, "info": {}}


class TestRefusalOfARollback:
    GONE = {"seccomp-profile": "/srv/moved/seccomp.json"}
    TLS = {"tls": True, "tlscert": "/srv/moved/cert.pem", "tlskey": "/srv/moved/key.pem"}

    def refused(self, host: Json, *keys: str) -> str:
        controls = [f"docker_daemon/{key}" for key in keys]
        changes = undo.chosen(host["state"]["changes"], "controls", {}, controls)
        text: str = decisions.refusal(host, undo.targets(changes))
        return text

    @pytest.mark.parametrize("options", [GONE, TLS])
    def test_not_for_what_it_takes_back(self, options: Json) -> None:
        host = down({"icc": False, **options}, *options)
        assert "as it stands" in decisions.refusal(host), "a converge would not mend it"
        assert self.refused(host, *options) == ""

    def test_for_what_it_leaves_of_ours(self) -> None:
        text = self.refused(down({"icc": False, **self.GONE}, "icc", *self.GONE), "icc")
        assert "as it would be after this rollback: seccomp-profile /srv/moved" in text

    def test_for_what_is_somebody_elses(self) -> None:
        host = down({"icc": False, "mtu": "1400", **self.GONE}, "icc", *self.GONE)
        text = self.refused(host, "icc", *self.GONE)
        assert "mtu is a str" in text
        assert "seccomp" not in text

    def test_for_what_was_changed_since(self) -> None:
        host = down(self.GONE, *self.GONE)
        host["daemon_json"] = daemon_json({"seccomp-profile": "/srv/theirs.json"})
        assert "seccomp-profile /srv/theirs.json" in self.refused(host, *self.GONE)

    @pytest.mark.parametrize("version", ["19.03.15", "30.0.1"])
    def test_not_for_the_engine(self, version: str) -> None:
        host = facts(engine={"version": version})
        assert "unsupported engine" in decisions.refusal(host)
        assert decisions.refusal(host, []) == ""

    def test_for_everything_else(self) -> None:
        assert "snap" in decisions.refusal(facts(snap=True), [])
        broken = {**facts(), "daemon_json": daemon_json(None, "daemon.json:1: not JSON")}
        assert "not JSON" in decisions.refusal(broken, [])


class TestRestart:
    def one(self, options: Json, host: Json, inputs: Json | None = None, removed: Any = ()) -> Json:
        found = decisions.decide([control("a/b", options)], host, inputs or {}, [], TODAY)
        answer: Json = decisions.restart(found, host, inputs or {}, removed)
        return answer

    def test_nothing_to_do(self) -> None:
        assert self.one({"icc": False}, facts({"icc": False}))["needed"] == "none"

    def test_a_reload_stops_nobody(self) -> None:
        answer = self.one({"live-restore": True}, facts(containers=[container("web")]))
        assert (answer["needed"], answer["why"], answer["containers"]) == (
            "reload",
            ["live-restore"],
            [],
        )

    def test_without_live_restore_running_containers_forbid_it(self) -> None:
        answer = self.one(
            {"icc": False}, facts(containers=[container("web"), container("old", running=False)])
        )
        assert (answer["needed"], answer["containers"], answer["allowed"]) == (
            "restart",
            ["web"],
            False,
        )
        assert "docker_restart_stop_containers" in answer["reason"]

    def test_an_order_allows_it(self) -> None:
        answer = self.one({"icc": False}, facts(containers=[container("web")]), STOP)
        assert (answer["containers"], answer["allowed"], answer["reason"]) == (["web"], True, "")

    @pytest.mark.parametrize(
        ("options", "info"),
        [
            pytest.param({"icc": False}, {"LiveRestoreEnabled": True}, id="on already"),
            pytest.param({"icc": False, "live-restore": True}, {}, id="switched on first"),
        ],
    )
    def test_live_restore_keeps_them(self, options: Json, info: Json) -> None:
        answer = self.one(options, facts(containers=[container("web")], info=info))
        assert (answer["needed"], answer["containers"], answer["allowed"]) == ("restart", [], True)

    @pytest.mark.parametrize(
        "options", [{"live-restore": True}, {"icc": False, "live-restore": True}]
    )
    def test_not_where_a_reload_would_switch_authorization_off(self, options: Json) -> None:
        """live-restore comes with the restart: containers stop for it where that is ordered."""
        host = facts(containers=[container("web")], flags={"authorization-plugins": ["opa"]})
        host["arguments"]["running"].append("--authorization-plugin=opa")
        answer = self.one(options, host)
        assert (answer["needed"], answer["containers"], answer["allowed"]) == (
            "restart",
            ["web"],
            False,
        )
        assert "authorization plugins" in answer["reason"]
        assert self.one(options, host, STOP)["allowed"] is True
        host["info"]["LiveRestoreEnabled"] = True
        assert self.one({"icc": False}, host)["containers"] == []

    def test_not_on_a_swarm_node(self) -> None:
        host = facts(
            containers=[container("web")], info={"LiveRestoreEnabled": True, "Swarm": "active"}
        )
        assert self.one({"icc": False}, host)["allowed"] is False

    def test_not_into_another_data_root(self) -> None:
        host = facts(containers=[container("web")], info={"LiveRestoreEnabled": True})
        answer = self.one(REMAP, host)
        assert (answer["containers"], answer["allowed"]) == (["web"], False)

    @pytest.mark.parametrize(
        ("before", "after", "info", "kept"),
        [
            ({}, STORAGE, {}, True),
            (STORAGE, {}, {}, True),  # its data root holds it
            (STORAGE, {"storage-driver": "btrfs"}, {}, False),
            ({}, STORAGE, {"Driver": "overlayfs", "DriverStatus": CONTAINERD}, False),
            ({}, {"storage-driver": "btrfs"}, {"Driver": "btrfs"}, True),
            (
                {},
                {"storage-driver": "btrfs"},
                {"Driver": "btrfs", "DriverStatus": CONTAINERD},
                False,
            ),
            ({"storage-driver": "vfs"}, {}, {"Driver": "vfs"}, False),
            ({}, {"storage-driver": "zfs"}, {"Driver": "zfs"}, False),
            ({}, {**STORAGE, "features": {"containerd-snapshotter": True}}, {}, False),
            ({}, {**STORAGE, "data-root": "/srv/docker"}, {}, False),
            ({}, STORAGE, {"Driver": None}, False),
        ],
    )
    def test_the_storage_driver_in_force_moves_nothing(
        self, before: Json, after: Json, info: Json, kept: bool
    ) -> None:
        known = {"LiveRestoreEnabled": True, "Driver": "overlay2", **info}
        host = facts(before, containers=[container("web")], info=known)
        reason, stopped = decisions.withheld(host, after, ordered=False)
        assert ([one["name"] for one in stopped], not reason) == (
            ([], True) if kept else (["web"], False)
        )
        assert decisions.moves(host, after) is not kept

    @pytest.mark.parametrize(("version", "kept"), [("20.10.24", False), ("26.1.5", True)])
    def test_containers_that_an_old_engine_removes(self, version: str, kept: bool) -> None:
        host = facts(
            containers=[container("job", auto_remove=True), container("web")],
            info={"LiveRestoreEnabled": True}, engine={"version": version},
        )  # fmt: skip
        answer = self.one({"icc": False}, host)
        assert (answer["containers"], answer["allowed"]) == (
            ([], True) if kept else (["job"], False)
        )

    @pytest.mark.parametrize("inputs", [{}, STOP])
    def test_a_unit_that_changed_since_the_start_is_nobodys_order(self, inputs: Json) -> None:
        answer = self.one({"icc": False}, facts(flags={"mtu": 1400}), inputs)
        assert answer["allowed"] is False
        assert "the unit's flags were changed since dockerd was started (mtu)" in answer["reason"]

    def test_what_undo_takes_back_counts(self) -> None:
        host = facts({"icc": False})
        answer = decisions.restart({}, host, {}, [(("icc",), {"present": False})])
        assert (answer["needed"], answer["why"]) == ("restart", ["icc"])

    def test_a_restart_that_an_earlier_run_owes(self) -> None:
        host = facts({"icc": False})
        host["daemon_json"]["described"]["mtime_ns"] = 2**62
        assert self.one({"icc": False}, host)["needed"] == "restart"

    def test_where_nothing_runs_nothing_is_restarted(self) -> None:
        host = facts(engine={"running": False}, process=None)
        assert self.one({"icc": False}, host)["needed"] == "none"
