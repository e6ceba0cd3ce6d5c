"""What becomes of each control on a host: one fact after the other, by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import hardhost_decisions as decisions
from ansible.module_utils.hardhost_permissions import worded

from tests.unit.roles.hosts import TODAY, Json, control, decided, facts, icc

NOFILE = {
    "default-ulimits": {
        "nofile": {"Name": "nofile", "Soft": {"from_input": "soft"}, "Hard": {"from_input": "hard"}}
    }
}
SECCOMP = {"seccomp-profile": {"from_input": "profile", "never": ["unconfined"]}}


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

    def test_a_precondition_is_asked_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It may ask the package manager, or somebody at the other end of the network."""
        asked: list[str] = []
        known = {"slow": lambda _facts, _inputs, one: asked.append(one["id"])}
        monkeypatch.setattr(decisions, "PRECONDITIONS", known)
        assert decided(icc(preconditions=["slow"]))["decision"] == "apply"
        assert asked == ["docker_daemon/icc"]

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
        found = decided(
            control("a/b", SECCOMP), facts({"seccomp-profile": "unconfined"}), {"profile": ""}
        )
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
        assert (found["decision"], found["reason"]) == (
            "manual",
            "target is not given: where the logs go",
        )
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
        host = facts(
            engine={"installed": False, "running": False, "version": "", "candidate": "20.10.24"}
        )
        assert decided(icc(engine=">=23.0"), host)["decision"] == "not_applicable"
        assert decided(icc(engine=">=20.10"), host)["decision"] == "apply"

    def test_the_platform(self) -> None:
        assert decided(icc(platforms=["debian"]))["decision"] == "apply"
        found = decided(icc(platforms=["redhat"]))
        assert (found["decision"], found["reason"]) == (
            "not_applicable",
            "for redhat, this is Debian GNU/Linux 13",
        )

    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        one = files({str(tmp_path / "none"): "0644"})
        assert decided(one)["decision"] == "not_applicable"
        (tmp_path / "none").touch()
        assert decided(one)["decision"] == "apply"


def files(rules: dict[str, str], **changed: Any) -> Json:
    paths = {
        subject: {"owner": "root", "group": "root", "mode": mode} for subject, mode in rules.items()
    }
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
        running = {"running": ["dockerd", "--seccomp-profile=/x.json"]}
        allowed = facts(flags={"seccomp-profile": "/x.json"}, arguments=running)
        assert decided(one, allowed)["decision"] == "apply"

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


class TestEngine:
    def test_what_is_missing_is_a_change(self) -> None:
        one = control(
            "docker_engine/engine_present", settings={"docker_engine_present": {"installed": True}}
        )
        assert decided(one)["changes"] == []
        host = facts(engine={"client": ""})
        assert [change["what"] for change in decided(one, host)["changes"]] == ["client installed"]


class TestGivingWay:
    LOGS = control("docker_daemon/log_destination", {"log-driver": "journald"})
    FILES = control(
        "docker_daemon/log_rotation",
        {"log-opts": {"max-size": "10m"}},
        unless=["docker_daemon/log_destination"],
    )

    def decisions(self, **logs: Any) -> Json:
        both = [{**self.LOGS, **logs}, self.FILES]
        found: Json = decisions.decide(both, facts(), {}, [], TODAY)
        return {name.split("/")[1]: one["decision"] for name, one in found.items()}

    def test_where_the_other_is_applied_it_is_not_applicable(self) -> None:
        assert self.decisions() == {"log_destination": "apply", "log_rotation": "not_applicable"}

    def test_where_the_other_is_only_reported_it_is_applied(self) -> None:
        expected = {"log_destination": "report", "log_rotation": "apply"}
        assert self.decisions(mode="report") == expected

    def test_where_the_other_lacks_its_input_it_is_applied(self) -> None:
        expected = {"log_destination": "manual", "log_rotation": "apply"}
        assert self.decisions(needs={"driver": "which"}) == expected


class TestAppliedByAnInput:
    ONE = control("a/b", {"iptables": {"never": [False]}}, mode="report", applied_by="manage")

    @pytest.mark.parametrize(
        ("value", "decision"), [(True, "apply"), (False, "report"), (None, "report")]
    )
    def test_the_input_orders_it(self, value: object, decision: str) -> None:
        found = decided(self.ONE, facts({"iptables": False}), {"manage": value})
        assert found["decision"] == decision
        assert bool(found["changes"]) == (decision == "apply")

    def test_a_precondition_that_reports_counts_before_a_flag(self) -> None:
        one = control("a/b", {"hosts": {"without": ["tcp://*"]}}, preconditions=["no_mutual_tls"])
        flags = {"hosts": ["fd://", "tcp://0.0.0.0:2376"]}
        assert decided(one, facts(flags=flags))["decision"] == "pending"
        assert decided(one, facts(flags={**flags, "tlsverify": True}))["decision"] == "report"


@pytest.mark.parametrize(
    ("driver", "wanted"), [("syslog", {"syslog-address": "udp://x:1"}), ("journald", {})]
)
def test_a_leaf_may_depend_on_another_input(driver: str, wanted: Json) -> None:
    wish = {"from_input": "target", "when": {"driver": "syslog"}}
    found = decided(
        control("a/b", {"icc": False, "log-opts": {"syslog-address": wish}}),
        inputs={"driver": driver, "target": "udp://x:1"},
    )
    assert found["settings"]["docker_daemon_options"].get("log-opts", {}) == wanted
