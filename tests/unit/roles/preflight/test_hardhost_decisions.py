"""What becomes of each control on a host: one fact after the other, by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import hardhost_decisions as decisions
from ansible.module_utils.hardhost_permissions import worded

from tests.unit.roles.hosts import Json, container, control, daemon_json, facts

TODAY = "2026-11-21"
NOFILE = {
    "default-ulimits": {
        "nofile": {"Name": "nofile", "Soft": {"from_input": "soft"}, "Hard": {"from_input": "hard"}}
    }
}
SECCOMP = {"seccomp-profile": {"from_input": "profile", "never": ["unconfined"]}}


def decided(one: Json, host: Json | None = None, inputs: Json | None = None, **more: Any) -> Json:
    """The decision for a single control."""
    found: Json = decisions.decide(
        [one], host or facts(), inputs or {}, more.get("exceptions", []), more.get("today", TODAY)
    )
    return found[one["id"]]


def icc(**changed: Any) -> Json:
    return control("docker_daemon/icc", {"icc": False}, **changed)


class TestApplied:
    def test_what_differs_is_a_change(self) -> None:
        assert decided(icc()) == {
            "decision": "apply",
            "reason": "",
            "remedy": "",
            "changes": [{"what": "daemon.json: icc", "before": None, "after": False}],
            "settings": {"docker_daemon_options": {"icc": False}},
        }

    def test_what_is_so_already_is_none(self) -> None:
        assert decided(icc(), facts({"icc": False}))["changes"] == []

    def test_a_foreign_secret_is_not_shown(self) -> None:
        one = control("a/b", {"log-opts": {"splunk-token": "ours"}})
        found = decided(one, facts({"log-opts": {"splunk-token": "theirs"}}))
        assert found["changes"][0]["before"] == "(hidden)"
        assert found["changes"][0]["after"] == "(hidden)"

    def test_a_control_that_only_verifies_is_reported(self) -> None:
        found = decided(icc(mode="report"))
        assert (found["decision"], found["changes"]) == ("report", [])

    def test_in_order_of_ids_and_nothing_else(self) -> None:
        found = decisions.decide(
            [control("b/b", {"debug": False}), icc(mode="report"), control("a/a", {"ipv6": False})],
            facts(), {}, [], TODAY,
        )  # fmt: skip
        assert [one["id"] for one in decisions.applied(found, facts())] == ["a/a", "b/b"]


class TestInputs:
    def test_the_value_of_the_input_is_wanted(self) -> None:
        found = decided(control("a/b", NOFILE), inputs={"soft": 10, "hard": 20})
        limit = {"Name": "nofile", "Soft": 10, "Hard": 20}
        assert found["settings"]["docker_daemon_options"]["default-ulimits"]["nofile"] == limit

    @pytest.mark.parametrize("value", ["", None])
    def test_an_empty_input_sets_nothing(self, value: str | None) -> None:
        one = control("a/b", {"log-opts": {"tag": {"from_input": "tag"}}, "icc": False})
        found = decided(one, inputs={"tag": value})
        assert found["settings"]["docker_daemon_options"] == {"icc": False}

    @pytest.mark.parametrize("value", [0, False])
    def test_zero_and_false_are_values(self, value: object) -> None:
        found = decided(control("a/b", {"mtu": {"from_input": "mtu"}}), inputs={"mtu": value})
        assert found["settings"]["docker_daemon_options"] == {"mtu": value}

    def test_a_forbidden_value_stays_forbidden_without_the_input(self) -> None:
        found = decided(control("a/b", SECCOMP), facts({"seccomp-profile": "unconfined"}), {"profile": ""})
        assert found["changes"] == [
            {"what": "daemon.json: seccomp-profile", "before": "unconfined", "after": None}
        ]

    def test_the_plan_stays_as_it_was(self) -> None:
        one = control("a/b", NOFILE)
        before = json.dumps(one)
        decided(one, inputs={"soft": 1, "hard": 2})
        assert json.dumps(one) == before

    def test_a_missing_input_makes_it_manual(self) -> None:
        one = icc(needs={"target": "where the logs go"})
        found = decided(one, inputs={"target": ""})
        assert (found["decision"], found["reason"]) == ("manual", "target is not given: where the logs go")
        assert decided(one, inputs={"target": "tcp://logs"})["decision"] == "apply"


class TestGates:
    @pytest.mark.parametrize(
        ("gate", "version", "decision"),
        [
            (">=20.10", "20.10.24+dfsg1", "apply"),
            (">=23.0", "20.10.24+dfsg1", "not_applicable"),
            (">=24.0,<29", "28.5.2", "apply"),
            (">=24.0,<29", "29.0.0", "not_applicable"),
            (">=29.0", "29.7.2", "apply"),
            (">=29.0", "28.5.2+dfsg4", "not_applicable"),
        ],
    )
    def test_the_engines_version(self, gate: str, version: str, decision: str) -> None:
        found = decided(icc(engine=gate), facts(engine={"version": version}))
        assert found["decision"] == decision
        assert found["reason"] in ("", f"needs engine {gate}, this is {version}")

    def test_without_an_engine_the_one_that_would_come_counts(self) -> None:
        host = facts(engine={"installed": False, "running": False, "version": "", "candidate": "20.10.24"})
        assert decided(icc(engine=">=23.0"), host)["decision"] == "not_applicable"
        assert decided(icc(engine=">=20.10"), host)["decision"] == "apply"

    def test_the_platform(self) -> None:
        assert decided(icc(platforms=["debian"]))["decision"] == "apply"
        found = decided(icc(platforms=["redhat"]))
        assert (found["decision"], found["reason"]) == ("not_applicable", "for redhat, this is Debian GNU/Linux 13")

    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        one = files({str(tmp_path / "none"): "0644"})
        assert decided(one)["decision"] == "not_applicable"
        (tmp_path / "none").touch()
        assert decided(one)["decision"] == "apply"


def files(rules: dict[str, str], **changed: Any) -> Json:
    paths = {subject: {"owner": "root", "group": "root", "mode": mode} for subject, mode in rules.items()}
    return control("docker_files/some", settings={"docker_files_paths": paths}, **changed)


class TestFiles:
    def test_a_wide_mode_is_a_change(self, tmp_path: Path) -> None:
        path = tmp_path / "key"
        path.touch()
        path.chmod(0o646)
        status = path.stat()
        before = worded({"uid": status.st_uid, "gid": status.st_gid, "mode": 0o646})
        assert decided(files({str(path): "0640"}))["changes"] == [
            {"what": str(path), "before": before, "after": "root:root 0640"}
        ]

    def test_a_rule_that_cannot_be_obeyed_is_held_back(self, tmp_path: Path) -> None:
        rule = {"owner": "nobody-here", "group": "root", "mode": "0640"}
        found = decided(control("a/b", settings={"docker_files_paths": {str(tmp_path): rule}}))
        assert found["decision"] == "pending"
        assert "nobody-here" in found["reason"]


class TestWaivers:
    WAIVER = {"reason": "the vendor", "owner": "ops@example.org", "expires": TODAY}

    def test_a_waiver_of_the_profile_holds_until_its_day_is_over(self) -> None:
        one = icc(waiver=self.WAIVER)
        found = decided(one)
        assert found["decision"] == "waived"
        assert found["reason"] == "the vendor (ops@example.org, until 2026-11-21)"
        assert decided(one, today="2026-11-22")["decision"] == "apply"

    def test_an_exception_of_the_host_holds_for_its_control_alone(self) -> None:
        exception = {"id": "docker_daemon/icc", **self.WAIVER}
        assert decided(icc(), exceptions=[exception])["decision"] == "waived"
        assert decided(control("a/b", {}), exceptions=[exception])["decision"] == "apply"

    def test_an_expired_exception_does_not_end_the_profiles_waiver(self) -> None:
        exception = {"id": "docker_daemon/icc", **self.WAIVER, "expires": "2026-01-01"}
        assert decided(icc(), exceptions=[exception])["decision"] == "apply"
        assert decided(icc(waiver=self.WAIVER), exceptions=[exception])["decision"] == "waived"

    def test_not_applicable_comes_first_and_waived_before_manual(self) -> None:
        one = icc(waiver=self.WAIVER, needs={"x": "y"})
        assert decided(one)["decision"] == "waived"
        assert decided({**one, "engine": ">=29"})["decision"] == "not_applicable"

    def test_what_is_only_reported_can_be_waived(self) -> None:
        assert decided(icc(mode="report", waiver=self.WAIVER))["decision"] == "waived"


class TestFlags:
    def test_an_equal_flag_is_in_force_and_stays_out_of_the_file(self) -> None:
        host = facts(flags={"icc": False})
        found = decisions.decide([icc()], host, {}, [], TODAY)
        assert found["docker_daemon/icc"]["decision"] == "apply"
        assert found["docker_daemon/icc"]["changes"] == []
        assert decisions.candidate(found, host) == {}
        assert decisions.applied(found, host)[0]["settings"] == {"docker_daemon_options": {}}

    @pytest.mark.parametrize("value", [True, "false"])
    def test_another_value_holds_back(self, value: object) -> None:
        found = decided(icc(), facts(flags={"icc": value}))
        assert found["decision"] == "pending"
        assert found["reason"].startswith("the unit starts dockerd with a flag for icc")
        assert "environment file" in found["remedy"]

    def test_a_flag_that_holds_a_part_only_holds_back(self) -> None:
        one = control("a/b", {"log-opts": {"max-size": "10m", "max-file": "5"}})
        assert decided(one, facts(flags={"log-opts": {"max-size": "10m"}}))["decision"] == "pending"

    def test_a_secret_flag_is_not_shown(self) -> None:
        one = control("a/b", {"http-proxy": "http://proxy:1"})
        found = decided(one, facts(flags={"http-proxy": "http://u:hunter2@proxy:1"}))
        assert "hunter2" not in found["reason"]

    def test_a_forbidden_flag_holds_back_and_an_allowed_one_does_not(self) -> None:
        one = control("a/b", SECCOMP)
        assert decided(one, facts(flags={"seccomp-profile": "unconfined"}))["decision"] == "pending"
        assert decided(one, facts(flags={"seccomp-profile": "/x.json"}))["decision"] == "apply"

    def test_what_is_only_reported_is_never_held_back(self) -> None:
        assert decided(icc(mode="report"), facts(flags={"icc": True}))["decision"] == "report"


class TestProblems:
    def test_a_control_that_would_stop_dockerd_is_held_back_and_the_others_go_on(self) -> None:
        host = facts({"iptables": False})
        controls = [icc(), control("docker_daemon/debug", {"debug": False})]
        found = decisions.decide(controls, host, {}, [], TODAY)
        assert found["docker_daemon/icc"]["decision"] == "pending"
        assert "icc: false needs iptables" in found["docker_daemon/icc"]["reason"]
        assert found["docker_daemon/debug"]["decision"] == "apply"
        assert decisions.candidate(found, host) == {"iptables": False, "debug": False}

    def test_an_old_problem_is_not_blamed_on_a_control(self) -> None:
        assert decided(icc(), facts({"mystery": {}}))["decision"] == "apply"

    def test_a_leaf_below_something_else_is_held_back(self) -> None:
        found = decided(control("a/b", {"log-opts": {"max-size": "1m"}}), facts({"log-opts": "x"}))
        assert found["decision"] == "pending"
        assert "needs an object" in found["reason"]

    def test_both_controls_of_a_bad_pair_are_named_by_their_key(self) -> None:
        """Of `icc` and `iptables` the one goes whose key the problem names; the other stays."""
        controls = [icc(), control("docker_daemon/no_iptables", {"iptables": False})]
        found = decisions.decide(controls, facts(), {}, [], TODAY)
        assert [found[one["id"]]["decision"] for one in controls] == ["pending", "apply"]

    def test_an_input_that_makes_no_sense_is_held_back(self) -> None:
        found = decided(control("a/b", NOFILE), inputs={"soft": 20, "hard": 10})
        assert found["decision"] == "pending"
        assert "Soft 20 is above Hard 10" in found["reason"]


class TestRequires:
    def test_the_other_must_be_applied(self) -> None:
        needing = control("a/a", {"debug": False}, requires=["docker_daemon/icc"])
        found = decisions.decide([needing, icc()], facts(), {}, [], TODAY)
        assert found["a/a"]["decision"] == "apply"
        found = decisions.decide([needing, icc()], facts(flags={"icc": True}), {}, [], TODAY)
        assert found["a/a"]["decision"] == "pending"
        assert found["a/a"]["reason"] == "needs docker_daemon/icc, which is not applied here"

    def test_a_chain_falls_as_a_whole_in_any_order(self) -> None:
        chain = [
            control("a/a", {"debug": False}, requires=["b/b"]),
            control("b/b", {"ipv6": False}, requires=["docker_daemon/icc"]),
            icc(),
        ]
        for controls in (chain, chain[::-1]):
            found = decisions.decide(controls, facts(flags={"icc": True}), {}, [], TODAY)
            assert {one["decision"] for one in found.values()} == {"pending"}


REMAP = {"userns-remap": "default"}


def remap(**changed: Any) -> Json:
    return control("docker_daemon/userns_remap", REMAP, preconditions=["userns_switch"], **changed)


ACCEPT = {"docker_daemon_accept_data_root_change": True}
STOP = {"docker_restart_stop_containers": True}


class TestPreconditions:
    @pytest.mark.parametrize(
        ("changed", "inputs", "text"),
        [
            pytest.param({"user_namespaces": {"maximum": 0}}, {}, "user.max_user_namespaces is 0", id="sysctl 0"),
            pytest.param({"user_namespaces": {"supported": False}}, {}, "user namespaces are off", id="kernel"),
            pytest.param(
                {"flags": {"features": {"containerd-snapshotter": "true"}}}, {}, "containerd snapshotter", id="flag"
            ),
            pytest.param(
                {"containers": [container("tool", running=False, privileged=True)]}, ACCEPT, "tool", id="privileged"
            ),
            pytest.param({"containers": [container("net", network_mode="host")]}, ACCEPT, "net", id="host network"),
            pytest.param({"containers": [container("top", pid_mode="host")]}, ACCEPT, "top", id="host processes"),
            pytest.param({"containers": [container("web")]}, ACCEPT, "containers are running", id="running"),
            pytest.param({"containers": [container("web")]}, STOP, "1 container", id="hidden containers"),
            pytest.param({"images": 2}, {}, "lose from view: 2 images", id="images"),
            pytest.param({"volumes": 1}, {}, "1 volume", id="volumes"),
            pytest.param({"networks": ["shop"]}, {}, "1 network", id="networks"),
            pytest.param({"info": {"Swarm": "active"}}, {}, "swarm state", id="swarm"),
        ],
    )
    def test_the_switch_to_user_namespaces_is_held_back(
        self, changed: Json, inputs: Json, text: str
    ) -> None:
        found = decided(remap(), facts(**changed), inputs)
        assert found["decision"] == "pending"
        assert text in found["reason"]
        assert found["remedy"]

    def test_the_snapshotter_in_the_file_holds_it_back_too(self) -> None:
        found = decided(remap(), facts({"features": {"containerd-snapshotter": True}}))
        assert found["decision"] == "pending"

    @pytest.mark.parametrize(
        ("changed", "inputs"),
        [
            pytest.param({}, {}, id="an empty host"),
            pytest.param({"images": 2, "volumes": 1, "networks": ["x"]}, ACCEPT, id="accepted"),
            pytest.param({"containers": [container("web")]}, {**ACCEPT, **STOP}, id="stop ordered"),
            pytest.param({"containers": [container("old", running=False)]}, ACCEPT, id="stopped containers"),
            pytest.param(
                {"containers": [container("tool", running=False, privileged=True, userns_mode="host")]},
                ACCEPT,
                id="privileged in the host's namespace",
            ),
        ],
    )
    def test_the_switch_happens_where_nothing_is_lost(self, changed: Json, inputs: Json) -> None:
        assert decided(remap(), facts(**changed), inputs)["decision"] == "apply"

    def test_a_daemon_that_runs_with_it_is_not_asked_again(self) -> None:
        host = facts(REMAP, info={"SecurityOptions": ["name=userns"]}, images=5, containers=[container("web")])
        assert decided(remap(), host)["decision"] == "apply"

    def test_live_restore_is_not_for_a_swarm_node(self) -> None:
        one = control("a/b", {"live-restore": True}, preconditions=["not_swarm"])
        assert decided(one, facts(info={"Swarm": "active"}))["decision"] == "not_applicable"
        assert decided({**one, "mode": "report"}, facts(info={"Swarm": "pending"}))["decision"] == "not_applicable"
        assert decided(one)["decision"] == "apply"

    @pytest.mark.parametrize(
        ("host", "decision"),
        [
            pytest.param(facts({"log-driver": "journald"}), "not_applicable", id="file"),
            pytest.param(facts(flags={"log-driver": "syslog"}), "not_applicable", id="flag"),
            pytest.param(facts(info={"LoggingDriver": "gelf"}), "not_applicable", id="daemon"),
            pytest.param(facts({"log-driver": "local"}, info={"LoggingDriver": "gelf"}), "apply", id="local"),
            pytest.param(facts(info={"LoggingDriver": None}), "apply", id="unknown: the engine's default"),
        ],
    )
    def test_size_limits_are_for_drivers_that_write_files(self, host: Json, decision: str) -> None:
        one = control("a/b", {"log-opts": {"max-size": "10m"}}, preconditions=["local_log_driver"])
        assert decided(one, host)["decision"] == decision

    @pytest.mark.parametrize(
        ("limit", "hard", "decision"),
        [(1000, 1000, "apply"), (1000, 1001, "pending"), (None, 10**9, "apply"), (1000, -1, "pending")],
    )
    def test_open_files_stay_within_the_daemons_own_limit(
        self, limit: int | None, hard: int, decision: str
    ) -> None:
        one = control("a/b", NOFILE, preconditions=["nofile_within_daemon_limit"])
        soft = hard if hard < 0 else 1
        found = decided(one, facts(process={"nofile": limit}), {"soft": soft, "hard": hard})
        assert found["decision"] == decision

    def test_a_limit_without_a_number_is_held_back(self) -> None:
        one = control("a/b", NOFILE, preconditions=["nofile_within_daemon_limit"])
        found = decided(one, inputs={"soft": None, "hard": None})
        assert found["decision"] == "pending"
        assert "whole numbers" in found["reason"]

    def test_icc_needs_bridge_netfilter(self) -> None:
        one = icc(preconditions=["bridge_netfilter"])
        assert decided(one, facts(bridge_netfilter={"loadable": False}))["decision"] == "pending"
        assert decided(one)["decision"] == "apply"

    @pytest.mark.parametrize(
        ("content", "decision"), [("{}", "apply"), ("{", "pending"), (None, "pending")]
    )
    def test_the_seccomp_file_must_be_there_and_json(
        self, content: str | None, decision: str, tmp_path: Path
    ) -> None:
        path = tmp_path / "profile.json"
        if content is not None:
            path.write_text(content)
        one = control(
            "a/b", {"seccomp-profile": {"from_input": "docker_daemon_seccomp_profile", "never": ["unconfined"]}},
            preconditions=["seccomp_profile_readable"],
        )  # fmt: skip
        assert decided(one, inputs={"docker_daemon_seccomp_profile": str(path)})["decision"] == decision
        assert decided(one, inputs={"docker_daemon_seccomp_profile": "unconfined"})["decision"] == "pending"
        assert decided(one, inputs={"docker_daemon_seccomp_profile": ""})["decision"] == "apply"

    def test_every_name_in_the_controls_is_registered(self) -> None:
        roles = Path(__file__).parents[4] / "roles"
        text = "".join(path.read_text() for path in roles.glob("*/controls/*.yml"))
        from ansible.module_utils.hardhost_preconditions import PRECONDITIONS  # noqa: PLC0415

        named = [line for line in text.splitlines() if line.startswith("preconditions:")]
        assert named
        for line in named:
            assert set(line.partition("[")[2].rstrip("]").replace(" ", "").split(",")) <= set(PRECONDITIONS)


class TestRefusal:
    @pytest.mark.parametrize(
        ("host", "text"),
        [
            pytest.param(facts(os={"family": "", "pretty": "Alpine"}), "unsupported operating system Alpine", id="os"),
            pytest.param(facts(snap=True), "snap", id="snap"),
            pytest.param(facts(podman=True), "podman", id="podman"),
            pytest.param(facts(info={"SecurityOptions": ["name=rootless"]}), "rootless", id="rootless"),
            pytest.param(facts(engine={"version": "19.03.15"}), "unsupported engine 19.03.15", id="too old"),
            pytest.param(facts(engine={"version": "30.0.0"}), "unsupported engine 30.0.0", id="too new"),
            pytest.param(
                facts(engine={"version": "", "candidate": "19.3", "running": False}), "19.3", id="candidate too old"
            ),
            pytest.param(facts(api_error="timed out"), "does not answer all questions: timed out", id="api"),
            pytest.param({**facts(), "info": {}}, "no answer to /info", id="no info"),
            pytest.param(facts(engine={"running": False}), "its API does not answer", id="deaf daemon"),
            pytest.param(facts(unit={"MainPID": "0"}), "was not started by docker.service", id="started by hand"),
            pytest.param(
                facts({"icc": "no"}, state={"daemon": None}, process={"age": -(2.0**40)}),
                "would not work with /etc/docker/daemon.json as it stands: icc is a str",
                id="a broken file that awaits the next start",
            ),
            pytest.param(facts(state_error="has version 2"), "has version 2", id="state"),
            pytest.param(
                {**facts(), "daemon_json": daemon_json(None, "daemon.json:1: not JSON")}, "not JSON", id="not JSON"
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
                {**facts(engine={"running": False, "version": ""}, process=None), "info": {}}, id="no Docker yet"
            ),
        ],
    )
    def test_other_hosts_are_not(self, host: Json) -> None:
        assert decisions.refusal(host) == ""


class TestRestart:
    def one(self, options: Json, host: Json, inputs: Json | None = None, removed: Any = ()) -> Json:
        found = decisions.decide([control("a/b", options)], host, inputs or {}, [], TODAY)
        answer: Json = decisions.restart(found, host, inputs or {}, removed)
        return answer

    def test_nothing_to_do(self) -> None:
        assert self.one({"icc": False}, facts({"icc": False}))["needed"] == "none"

    def test_a_reload_stops_nobody(self) -> None:
        answer = self.one({"live-restore": True}, facts(containers=[container("web")]))
        assert (answer["needed"], answer["why"], answer["containers"]) == ("reload", ["live-restore"], [])

    def test_without_live_restore_running_containers_forbid_it(self) -> None:
        answer = self.one({"icc": False}, facts(containers=[container("web"), container("old", running=False)]))
        assert (answer["needed"], answer["containers"], answer["allowed"]) == ("restart", ["web"], False)
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

    def test_not_on_a_swarm_node(self) -> None:
        host = facts(containers=[container("web")], info={"LiveRestoreEnabled": True, "Swarm": "active"})
        assert self.one({"icc": False}, host)["allowed"] is False

    def test_not_into_another_data_root(self) -> None:
        host = facts(containers=[container("web")], info={"LiveRestoreEnabled": True})
        answer = self.one(REMAP, host)
        assert (answer["containers"], answer["allowed"]) == (["web"], False)

    @pytest.mark.parametrize(("version", "kept"), [("20.10.24", False), ("26.1.5", True)])
    def test_containers_that_an_old_engine_removes(self, version: str, kept: bool) -> None:
        host = facts(
            containers=[container("job", auto_remove=True), container("web")],
            info={"LiveRestoreEnabled": True}, engine={"version": version},
        )  # fmt: skip
        answer = self.one({"icc": False}, host)
        assert (answer["containers"], answer["allowed"]) == (([], True) if kept else (["job"], False))

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


class TestEngine:
    def test_what_is_missing_is_a_change(self) -> None:
        one = control("docker_engine/engine_present", settings={"docker_engine_present": {"installed": True}})
        assert decided(one)["changes"] == []
        host = facts(engine={"client": ""})
        assert [change["what"] for change in decided(one, host)["changes"]] == ["client installed"]
