"""Each check: what passes, what fails, what is pending, and that the reason names the cause."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from verdict import ObservedHost, Verdict

Reading = dict[str, Any]


def run(name: str, reading: Reading, settings: dict[str, Any] | None = None) -> Verdict:
    control = {"id": "role/name", "check": name}
    artifact = {"decisions": {"role/name": {"settings": settings or {}}}}
    check = importlib.import_module(f"checks.{name}").check
    verdict: Verdict = check(ObservedHost("db1", reading), control, artifact)
    return verdict


def options(**given: Any) -> dict[str, Any]:
    return {"docker_daemon_options": {key.replace("_", "-"): value for key, value in given.items()}}


class TestDaemonOption:
    def test_all_leaves_must_hold(self, reading: Reading) -> None:
        wanted = options(log_opts={"max-size": "10m", "max-file": "5"})
        reading["file"]["options"]["log-opts"] = {"max-size": "10m"}
        reading["file"]["read"]["log-opts"] = {"max-size": "10m"}
        verdict = run("daemon_option", reading, wanted)
        assert verdict.status == "fail"
        assert "log-opts.max-file is not set" in verdict.reason
        reading["file"]["options"]["log-opts"]["max-file"] = "5"
        reading["file"]["read"]["log-opts"]["max-file"] = "5"
        assert run("daemon_option", reading, wanted).status == "pass"

    def test_a_control_that_sets_nothing_proves_nothing(self, reading: Reading) -> None:
        assert run("daemon_option", reading).status == "fail"

    def test_debug_defeats_the_log_level(self, reading: Reading) -> None:
        assert run("daemon_option", reading, options(log_level="info")).status == "pass"
        reading["info"]["Debug"] = True
        verdict = run("daemon_option", reading, options(log_level="info"))
        assert verdict.status == "fail"
        assert "debug is on" in verdict.reason

    def test_another_log_driver_defeats_size_limits(self, reading: Reading) -> None:
        for where in ("options", "read"):
            reading["file"][where]["log-opts"] = {"max-size": "10m"}
        reading["info"]["LoggingDriver"] = "journald"
        verdict = run("daemon_option", reading, options(log_opts={"max-size": "10m"}))
        assert verdict.status == "fail"
        assert "journald" in verdict.reason

    @pytest.mark.parametrize(("limit", "status"), [(100, "fail"), (200, "pass"), (None, "pass")])
    def test_the_daemons_own_limit_defeats_a_higher_one(
        self, reading: Reading, limit: int | None, status: str
    ) -> None:
        wanted = {"nofile": {"Name": "nofile", "Soft": 100, "Hard": 200}}
        for where in ("options", "read"):
            reading["file"][where]["default-ulimits"] = wanted
        reading["daemon"]["nofile"] = limit
        assert run("daemon_option", reading, options(default_ulimits=wanted)).status == status

    def test_a_profile_changed_after_the_start_is_not_in_force(self, reading: Reading) -> None:
        wanted = options(seccomp_profile={"never": ["unconfined"]})
        assert run("daemon_option", reading, wanted).status == "pass"
        reading["profile_newer"] = True
        assert run("daemon_option", reading, wanted).status == "fail"

    def test_a_kernel_without_seccomp_fails(self, reading: Reading) -> None:
        reading["info"]["SecurityOptions"] = []
        for where in ("options", "read"):
            reading["file"][where]["seccomp-profile"] = "builtin"
        wanted = options(seccomp_profile={"never": ["unconfined"]})
        assert run("daemon_option", reading, wanted).status == "fail"


class TestIcc:
    def test_off_in_api_file_and_kernel(self, reading: Reading) -> None:
        assert run("icc", reading).status == "pass"

    def test_no_default_bridge_leaves_nothing_to_isolate(self, reading: Reading) -> None:
        reading["bridge"] = {}
        assert run("icc", reading).status == "pass"

    @pytest.mark.parametrize(
        ("kernel", "words"),
        [
            ({"isolates_bridge": False}, "no rule"),
            ({"bridge_nf_call_iptables": "0"}, "does not see bridged packets"),
            ({"bridge_nf_call_iptables": ""}, "does not see bridged packets"),
        ],
    )
    def test_the_kernel_must_do_it(
        self, reading: Reading, kernel: dict[str, Any], words: str
    ) -> None:
        reading["kernel"] |= kernel
        verdict = run("icc", reading)
        assert verdict.status == "fail"
        assert words in verdict.reason

    def test_lost_with_the_next_start(self, reading: Reading) -> None:
        del reading["file"]["options"]["icc"]
        assert run("icc", reading).status == "fail"

    def test_containers_that_ran_on_hold_the_old_bridge(
        self, reading: Reading, container: dict[str, Any]
    ) -> None:
        reading["bridge"]["com.docker.network.bridge.enable_icc"] = "true"
        assert run("icc", reading).status == "fail"
        reading["containers"] = [container]
        verdict = run("icc", reading)
        assert verdict.status == "pending"
        assert "web" in verdict.reason

    def test_written_but_not_restarted(self, reading: Reading) -> None:
        reading["bridge"]["com.docker.network.bridge.enable_icc"] = "true"
        reading["file"]["read"] = None
        assert run("icc", reading).status == "pending"

    def test_on_is_a_failure(self, reading: Reading) -> None:
        reading["bridge"]["com.docker.network.bridge.enable_icc"] = "true"
        reading["file"]["options"] = reading["file"]["read"] = {}
        assert run("icc", reading).status == "fail"


class TestUsernsRemap:
    WANTED = options(userns_remap="default")

    def test_in_force(self, reading: Reading) -> None:
        verdict = run("userns_remap", reading, self.WANTED)
        assert verdict.status == "pass"
        assert "100000:100000" in verdict.reason

    def test_not_in_force(self, reading: Reading) -> None:
        reading["info"]["SecurityOptions"] = []
        assert run("userns_remap", reading, self.WANTED).status == "fail"
        reading["file"]["read"] = {}
        assert run("userns_remap", reading, self.WANTED).status == "pending"

    def test_lost_with_the_next_start(self, reading: Reading) -> None:
        del reading["file"]["options"]["userns-remap"]
        assert run("userns_remap", reading, self.WANTED).status == "fail"

    @pytest.mark.parametrize("root", ["/var/lib/docker", "/var/lib/docker/0.0", None])
    def test_the_data_root_tells_the_ids(self, reading: Reading, root: str | None) -> None:
        reading["info"]["DockerRootDir"] = root
        assert run("userns_remap", reading, self.WANTED).status == "fail"

    @pytest.mark.parametrize(
        ("table", "ranges", "words"),
        [
            ("subuid", [["alice", 100000, 65536]], "alice"),
            ("subgid", [["alice", 165000, 10]], "alice (165000 to 165009)"),
            ("subuid", [["alice", 90000, 10001]], "alice"),
        ],
    )
    def test_ids_that_somebody_else_has_too(
        self, reading: Reading, table: str, ranges: list[Any], words: str
    ) -> None:
        reading["identities"][table] += ranges
        verdict = run("userns_remap", reading, self.WANTED)
        assert verdict.status == "fail"
        assert words in verdict.reason

    def test_neighbouring_ids_are_nobodys_business(self, reading: Reading) -> None:
        reading["identities"]["subuid"] += [["alice", 165536, 65536], ["bob", 34464, 65536]]
        assert run("userns_remap", reading, self.WANTED).status == "pass"

    def test_a_range_that_is_gone(self, reading: Reading) -> None:
        reading["identities"]["subuid"] = []
        assert run("userns_remap", reading, self.WANTED).status == "fail"

    def test_containers_started_before_are_pending_and_chosen_ones_named(
        self, reading: Reading, container: dict[str, Any]
    ) -> None:
        reading["containers"] = [container | {"root_is": 0, "userns_mode": "host", "name": "ci"}]
        verdict = run("userns_remap", reading, self.WANTED)
        assert (verdict.status, "ci" in verdict.reason) == ("pass", True)
        reading["containers"] = [container | {"root_is": 0}]
        assert run("userns_remap", reading, self.WANTED).status == "pending"


class TestNoNewPrivileges:
    def test_in_force(self, reading: Reading, container: dict[str, Any]) -> None:
        reading["containers"] = [container]
        assert run("no_new_privileges", reading).status == "pass"

    def test_engines_from_24_on_must_show_it(self, reading: Reading) -> None:
        reading["info"]["SecurityOptions"] = []
        assert run("no_new_privileges", reading).status == "fail"
        reading["engine"]["version"] = "20.10.24+dfsg1"
        assert run("no_new_privileges", reading).status == "pass"

    def test_older_containers_are_pending_by_name(
        self, reading: Reading, container: dict[str, Any]
    ) -> None:
        older = container | {"no_new_privileges": False}
        reading["containers"] = [older, older | {"name": "stopped", "running": False}, container]
        verdict = run("no_new_privileges", reading)
        assert verdict.status == "pending"
        assert "stopped, web" in verdict.reason

    def test_containers_that_opted_out_are_named(
        self, reading: Reading, container: dict[str, Any]
    ) -> None:
        chosen = {"no_new_privileges": False, "security_options": ["no-new-privileges:false"]}
        reading["containers"] = [container | chosen]
        verdict = run("no_new_privileges", reading)
        assert (verdict.status, "web" in verdict.reason) == ("pass", True)

    def test_not_restarted(self, reading: Reading) -> None:
        reading["file"]["read"] = None
        assert run("no_new_privileges", reading).status == "pending"

    def test_not_set(self, reading: Reading) -> None:
        reading["file"]["options"] = reading["file"]["read"] = {}
        assert run("no_new_privileges", reading).status == "fail"


class TestNoPlainTcp:
    def test_no_listener(self, reading: Reading) -> None:
        assert run("no_plain_tcp", reading).status == "pass"

    @pytest.mark.parametrize("answers", ["plain", "tls"])
    def test_a_listener_that_serves_strangers(self, reading: Reading, answers: str) -> None:
        reading["listeners"] = [{"address": "::", "port": 2375, "answers": answers}]
        verdict = run("no_plain_tcp", reading)
        assert verdict.status == "fail"
        assert "[::]:2375" in verdict.reason

    def test_a_listener_that_serves_no_stranger(self, reading: Reading) -> None:
        reading["listeners"] = [{"address": "0.0.0.0", "port": 2376, "answers": ""}]
        assert run("no_plain_tcp", reading).status == "pass"


class TestPathPermissions:
    RULE = {"docker_files_paths": {"/x": {"owner": "root", "group": "root", "mode": "0640"}}}

    @pytest.mark.parametrize(
        ("owner", "group", "mode", "status"),
        [
            ("root", "root", 0o640, "pass"),
            ("root", "root", 0o600, "pass"),
            ("root", "root", 0o000, "pass"),
            ("root", "root", 0o644, "fail"),
            ("root", "root", 0o700, "fail"),
            ("root", "root", 0o4640, "fail"),
            ("root", "docker", 0o640, "fail"),
            ("nobody", "root", 0o600, "fail"),
        ],
    )
    def test_the_mode_is_the_most_that_is_allowed(
        self, reading: Reading, owner: str, group: str, mode: int, status: str
    ) -> None:
        path = {"path": "/x", "owner": owner, "group": group, "mode": mode}
        reading["subjects"] = {"/x": [path]}
        verdict = run("path_permissions", reading, self.RULE)
        assert verdict.status == status
        assert f"{owner}:{group} {mode:04o}" in verdict.reason

    def test_one_wrong_path_of_several_fails(self, reading: Reading) -> None:
        right = {"path": "/a", "owner": "root", "group": "root", "mode": 0o640}
        reading["subjects"] = {"/x": [right, right | {"path": "/b", "mode": 0o666}]}
        verdict = run("path_permissions", reading, self.RULE)
        assert verdict.status == "fail"
        assert "/b" in verdict.reason
        assert "/a" not in verdict.reason

    def test_what_has_gone_since_preflight_is_not_passed(self, reading: Reading) -> None:
        reading["subjects"] = {"/x": []}
        assert run("path_permissions", reading, self.RULE).status == "pending"


class TestEnginePresent:
    def test_present(self, reading: Reading) -> None:
        verdict = run("engine_present", reading)
        assert verdict.status == "pass"
        assert "26.1.5" in verdict.reason

    @pytest.mark.parametrize(
        ("key", "value"), [("installed", False), ("client", ""), ("running", False)]
    )
    def test_absent(self, reading: Reading, key: str, value: Any) -> None:
        reading["engine"][key] = value
        assert run("engine_present", reading).status == "fail"

    def test_an_api_that_does_not_answer(self, reading: Reading) -> None:
        reading["info"] = {}
        assert run("engine_present", reading).status == "fail"


class TestPublishOnLoopback:
    OPTION = "com.docker.network.bridge.host_binding_ipv4"
    WANTED = options(ip="127.0.0.1")

    def given(self, reading: Reading, address: str) -> None:
        reading["bridge"][self.OPTION] = address
        for where in ("options", "read"):
            reading["file"][where]["ip"] = "127.0.0.1"

    def test_in_force(self, reading: Reading) -> None:
        self.given(reading, "127.0.0.1")
        assert run("publish_on_loopback", reading, self.WANTED).status == "pass"

    def test_not_given(self, reading: Reading) -> None:
        assert run("publish_on_loopback", reading, self.WANTED).status == "fail"

    def test_not_restarted(self, reading: Reading) -> None:
        self.given(reading, "0.0.0.0")
        del reading["file"]["read"]["ip"]
        assert run("publish_on_loopback", reading, self.WANTED).status == "pending"

    def test_containers_that_ran_on(self, reading: Reading, container: dict[str, Any]) -> None:
        self.given(reading, "0.0.0.0")
        assert run("publish_on_loopback", reading, self.WANTED).status == "fail"
        reading["containers"] = [container]
        verdict = run("publish_on_loopback", reading, self.WANTED)
        assert verdict.status == "pending"
        assert "web" in verdict.reason


class TestInsecureRegistries:
    WANTED = options(insecure_registries={"without": ["*", "!127.*"]})

    @pytest.mark.parametrize(
        ("trusted", "status"), [(["127.0.0.0/8"], "pass"), (["10.0.0.0/8"], "fail")]
    )
    def test_what_the_daemon_says(self, reading: Reading, trusted: list[str], status: str) -> None:
        reading["info"]["InsecureRegistries"] = trusted
        assert run("insecure_registries", reading, self.WANTED).status == status

    def test_what_the_next_start_brings(self, reading: Reading) -> None:
        reading["info"]["InsecureRegistries"] = ["127.0.0.0/8"]
        reading["file"]["options"]["insecure-registries"] = ["registry.example"]
        assert "the next start" in run("insecure_registries", reading, self.WANTED).reason


def test_a_proxy_that_runs_on_defeats_the_option(reading: Reading) -> None:
    for where in ("options", "read"):
        reading["file"][where]["userland-proxy"] = False
    assert run("daemon_option", reading, options(userland_proxy=False)).status == "pass"
    reading["kernel"]["docker_proxies"] = 2
    assert run("daemon_option", reading, options(userland_proxy=False)).status == "fail"


def test_rules_that_are_gone_defeat_the_option(reading: Reading) -> None:
    wanted = options(iptables={"never": [False]})
    assert run("daemon_option", reading, wanted).status == "pass"
    reading["kernel"]["docker_rules"] = False
    assert run("daemon_option", reading, wanted).status == "fail"


ROUTING = {"allow_direct_routing": {"never": [True]}, "ip_forward_no_drop": {"never": [True]}}


@pytest.mark.parametrize(
    ("kernel", "status", "words"),
    [
        ({}, "pass", "the policy of FORWARD is DROP"),
        ({"forward_policy": "ACCEPT"}, "pass", "the policy of FORWARD is ACCEPT"),
        ({"forward_policy": ""}, "pass", "not told by iptables"),
        ({"docker_rules": False}, "pass", "DROP"),
        ({"docker_rules": False, "forward_policy": "ACCEPT"}, "fail", "no rules of Docker"),
        (
            {"docker_rules": False, "forward_policy": "ACCEPT", "forwards": False},
            "pass",
            "ACCEPT",
        ),
    ],
)
def test_the_policy_of_forward_is_named_and_decides_where_docker_has_no_rules(
    reading: Reading, kernel: dict[str, Any], status: str, words: str
) -> None:
    reading["kernel"].update(kernel)
    verdict = run("daemon_option", reading, options(**ROUTING))
    assert (verdict.status, words in verdict.reason) == (status, True), verdict.reason


def test_another_driver_is_what_log_destination_wants(reading: Reading) -> None:
    reading["info"]["LoggingDriver"] = "journald"
    for where in ("options", "read"):
        reading["file"][where]["log-driver"] = "journald"
    wanted = options(log_driver="journald", log_opts={"max-size": {"without": ["*"]}})
    assert run("daemon_option", reading, wanted).status == "pass"
    reading["surfaces"] = {"docker_daemon": {"log_target": "it does not answer"}}
    assert "no container starts" in run("daemon_option", reading, wanted).reason
    reading["surfaces"] = {"docker_daemon": {"log_target": ""}}
    assert run("daemon_option", reading, wanted).status == "pass"
    reading["file"]["options"]["log-opts"] = {"max-size": "1m"}
    assert run("daemon_option", reading, wanted).status == "fail"
