"""Nothing is applied to a host where it would harm: each precondition, one fact at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.roles.hosts import Json, container, control, decided, facts, icc

NOFILE = {
    "default-ulimits": {
        "nofile": {"Name": "nofile", "Soft": {"from_input": "soft"}, "Hard": {"from_input": "hard"}}
    }
}
REMAP = {"userns-remap": "default"}


def remap(**changed: Any) -> Json:
    return control("docker_daemon/userns_remap", REMAP, preconditions=["userns_switch"], **changed)


ACCEPT = {"docker_daemon_accept_data_root_change": True}
STOP = {"docker_restart_stop_containers": True}


@pytest.mark.parametrize(
    ("changed", "inputs", "text"),
    [
        pytest.param(
            {"user_namespaces": {"maximum": 0}},
            {},
            "user.max_user_namespaces is 0",
            id="sysctl 0",
        ),
        pytest.param(
            {"user_namespaces": {"supported": False}},
            {},
            "user namespaces are off",
            id="kernel",
        ),
        pytest.param(
            {"flags": {"features": {"containerd-snapshotter": "true"}}},
            {},
            "containerd snapshotter",
            id="flag",
        ),
        pytest.param(
            {"containers": [container("tool", running=False, privileged=True)]},
            ACCEPT,
            "tool",
            id="privileged",
        ),
        pytest.param(
            {"containers": [container("net", network_mode="host")]},
            ACCEPT,
            "net",
            id="host network",
        ),
        pytest.param(
            {"containers": [container("top", pid_mode="host")]},
            ACCEPT,
            "top",
            id="host processes",
        ),
        pytest.param(
            {"containers": [container("web")]}, ACCEPT, "containers are running", id="running"
        ),
        pytest.param(
            {"containers": [container("web")]}, STOP, "1 container", id="hidden containers"
        ),
        pytest.param({"images": 2}, {}, "lose from view: 2 images", id="images"),
        pytest.param({"volumes": 1}, {}, "1 volume", id="volumes"),
        pytest.param({"networks": ["shop"]}, {}, "1 network", id="networks"),
        pytest.param({"info": {"Swarm": "active"}}, {}, "swarm state", id="swarm"),
    ],
)
def test_the_switch_to_user_namespaces_is_held_back(changed: Json, inputs: Json, text: str) -> None:
    found = decided(remap(), facts(**changed), inputs)
    assert found["decision"] == "pending"
    assert text in found["reason"]
    assert found["remedy"]


def test_the_snapshotter_in_the_file_holds_it_back_too() -> None:
    found = decided(remap(), facts({"features": {"containerd-snapshotter": True}}))
    assert found["decision"] == "pending"


@pytest.mark.parametrize(
    ("changed", "inputs"),
    [
        pytest.param({}, {}, id="an empty host"),
        pytest.param({"images": 2, "volumes": 1, "networks": ["x"]}, ACCEPT, id="accepted"),
        pytest.param({"containers": [container("web")]}, {**ACCEPT, **STOP}, id="stop ordered"),
        pytest.param(
            {"containers": [container("old", running=False)]}, ACCEPT, id="stopped containers"
        ),
        pytest.param(
            {"containers": [container("tool", running=False, privileged=True, userns_mode="host")]},
            ACCEPT,
            id="privileged in the host's namespace",
        ),
    ],
)
def test_the_switch_happens_where_nothing_is_lost(changed: Json, inputs: Json) -> None:
    assert decided(remap(), facts(**changed), inputs)["decision"] == "apply"


def test_a_daemon_that_runs_with_it_is_not_asked_again() -> None:
    host = facts(
        REMAP,
        info={"SecurityOptions": ["name=userns"]},
        images=5,
        containers=[container("web")],
    )
    assert decided(remap(), host)["decision"] == "apply"


def test_live_restore_is_not_for_a_swarm_node() -> None:
    one = control("a/b", {"live-restore": True}, preconditions=["not_swarm"])
    assert decided(one, facts(info={"Swarm": "active"}))["decision"] == "not_applicable"
    assert (
        decided({**one, "mode": "report"}, facts(info={"Swarm": "pending"}))["decision"]
        == "not_applicable"
    )
    assert decided(one)["decision"] == "apply"


@pytest.mark.parametrize(
    ("host", "decision"),
    [
        pytest.param(facts({"log-driver": "journald"}), "not_applicable", id="file"),
        pytest.param(facts(flags={"log-driver": "syslog"}), "not_applicable", id="flag"),
        pytest.param(facts(info={"LoggingDriver": "gelf"}), "not_applicable", id="daemon"),
        pytest.param(
            facts({"log-driver": "local"}, info={"LoggingDriver": "gelf"}), "apply", id="local"
        ),
        pytest.param(
            facts(info={"LoggingDriver": None}), "apply", id="unknown: the engine's default"
        ),
    ],
)
def test_size_limits_are_for_drivers_that_write_files(host: Json, decision: str) -> None:
    one = control("a/b", {"log-opts": {"max-size": "10m"}}, preconditions=["local_log_driver"])
    assert decided(one, host)["decision"] == decision


@pytest.mark.parametrize(
    ("limit", "hard", "decision"),
    [
        (1000, 1000, "apply"),
        (1000, 1001, "pending"),
        (None, 10**9, "apply"),
        (1000, -1, "pending"),
    ],
)
def test_open_files_stay_within_the_daemons_own_limit(
    limit: int | None, hard: int, decision: str
) -> None:
    one = control("a/b", NOFILE, preconditions=["nofile_within_daemon_limit"])
    soft = hard if hard < 0 else 1
    found = decided(one, facts(process={"nofile": limit}), {"soft": soft, "hard": hard})
    assert found["decision"] == decision


def test_a_limit_without_a_number_is_held_back() -> None:
    one = control("a/b", NOFILE, preconditions=["nofile_within_daemon_limit"])
    found = decided(one, inputs={"soft": None, "hard": None})
    assert found["decision"] == "pending"
    assert "whole numbers" in found["reason"]


def test_icc_needs_bridge_netfilter() -> None:
    one = icc(preconditions=["bridge_netfilter"])
    assert decided(one, facts(bridge_netfilter={"loadable": False}))["decision"] == "pending"
    assert decided(one)["decision"] == "apply"


@pytest.mark.parametrize(
    ("content", "decision"), [("{}", "apply"), ("{", "pending"), (None, "pending")]
)
def test_the_seccomp_file_must_be_there_and_json(
    content: str | None, decision: str, tmp_path: Path
) -> None:
    path = tmp_path / "profile.json"
    if content is not None:
        path.write_text(content)
    one = control(
        "a/b",
        {
            "seccomp-profile": {
                "never": ["unconfined"],
                "from_input": "docker_daemon_seccomp_profile",
            }
        },
        preconditions=["seccomp_profile_readable"],
    )
    assert decided(one, inputs={"docker_daemon_seccomp_profile": str(path)})["decision"] == decision
    assert (
        decided(one, inputs={"docker_daemon_seccomp_profile": "unconfined"})["decision"]
        == "pending"
    )
    assert decided(one, inputs={"docker_daemon_seccomp_profile": ""})["decision"] == "apply"
