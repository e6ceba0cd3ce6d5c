"""What would keep dockerd or containers from starting is known before anything is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import hardhost_problems as problems
from ansible.module_utils.hardhost_keys import DATA_ROOT_KEYS, KEYS
from ansible.module_utils.hardhost_unit import FLAG_KEYS
from hypothesis import given
from hypothesis import strategies as st


def texts(options: dict[str, Any], **context: Any) -> str:
    given_context = {"flags": {}, "engine": "26.1.5", **context}
    return "; ".join(text for _key, text in problems.problems(options, **given_context))


def nofile(**limit: Any) -> dict[str, Any]:
    return {"default-ulimits": {"nofile": limit}}


@pytest.mark.parametrize(
    ("options", "text"),
    [
        pytest.param({"ICC": False}, "ICC is no option of dockerd", id="case counts"),
        pytest.param({"icc-": False}, "did you mean icc?", id="the nearest key is named"),
        pytest.param(
            {"security": {"icc": False}},
            "would be ignored with all that is in it",
            id="nested group",
        ),
        pytest.param(
            {"icc": "false"}, "icc is a str where dockerd reads a bool", id="text for a boolean"
        ),
        pytest.param(
            {"mtu": True}, "mtu is a bool where dockerd reads a int", id="boolean for a number"
        ),
        pytest.param(
            {"dns": "8.8.8.8"}, "dns is a str where dockerd reads a list", id="text for a list"
        ),
        pytest.param({"log-level": "warning"}, "log-level 'warning' is unknown", id="log level"),
        pytest.param(
            {"log-opts": {"max-file": 5}},
            "log-opts max-file must be a string",
            id="number in log-opts",
        ),
        pytest.param(
            {"log-driver": "journald", "log-opts": {"max-size": "10m"}},
            "max-size does not go with log-driver journald",
            id="max-size with journald",
        ),
        pytest.param(
            {"icc": False, "iptables": False},
            "icc: false needs iptables",
            id="icc without iptables",
        ),
        pytest.param(
            {"userns-remap": "default", "features": {"containerd-snapshotter": True}},
            "does not work with the containerd snapshotter",
            id="userns-remap with the snapshotter",
        ),
        pytest.param(
            {"default-runtime": "kata"}, "kata is not among runtimes", id="missing runtime"
        ),
        pytest.param(
            {"seccomp-profile": "/none.json"}, "no readable JSON file", id="missing seccomp file"
        ),
        pytest.param(
            {"seccomp-profile": "default"}, "no readable JSON file", id="seccomp file named default"
        ),
        pytest.param(
            {"seccomp-profile": 1}, "seccomp-profile is a int", id="a number is not opened"
        ),
        pytest.param({"default-ulimits": {"files": {}}}, "no such limit", id="unknown limit"),
        pytest.param(
            nofile(Soft=1, Hard=1), "needs an object with Name", id="limit without a name"
        ),
        pytest.param(
            nofile(Name="nofile", Soft=2, Hard=1), "Soft 2 is above Hard 1", id="soft above hard"
        ),
        pytest.param(
            nofile(Name="nofile", Soft=-1, Hard=1), "Soft -1 is above Hard 1", id="soft unlimited"
        ),
        pytest.param(
            nofile(Name="nofile", Soft="1", Hard=1), "must be whole numbers", id="limit as text"
        ),
        pytest.param({"graph": "/x"}, "graph was removed in engine 24.0", id="removed key"),
        pytest.param(
            {"min-api-version": "1.44"},
            "needs engine 29.0, this is 26.1.5",
            id="key of a later engine",
        ),
    ],
)
def test_what_dockerd_stumbles_over_is_named(options: dict[str, Any], text: str) -> None:
    assert text in texts(options)


@pytest.mark.parametrize(
    ("options", "context", "text"),
    [
        pytest.param(
            {"live-restore": True}, {"swarm": True}, "does not work on a swarm node", id="swarm"
        ),
        pytest.param(
            nofile(Name="nofile", Soft=1, Hard=2000),
            {"nofile": 1000},
            "above the daemon's own limit 1000",
            id="hard",
        ),
        pytest.param(
            nofile(Name="nofile", Soft=-1, Hard=-1),
            {"nofile": 1000},
            "above the daemon's own limit",
            id="unlimited",
        ),
        pytest.param(
            {"icc": False}, {"flags": {"icc": False}}, "also given as a flag", id="equal flag"
        ),
        pytest.param(
            {"icc": False}, {"flags": {"iptables": False}}, "needs iptables", id="a flag counts too"
        ),
        pytest.param(
            {"log-opts": {"max-size": "1m"}},
            {"flags": {"log-driver": "syslog"}},
            "does not go with log-driver syslog",
            id="the driver as a flag",
        ),
    ],
)
def test_the_host_decides_too(options: dict[str, Any], context: dict[str, Any], text: str) -> None:
    assert text in texts(options, **context)
    assert not texts(options)


def test_a_seccomp_file_that_is_no_json_is_named(tmp_path: Path) -> None:
    path = tmp_path / "profile.json"
    path.write_text("{")
    assert "no readable JSON" in texts({"seccomp-profile": str(path)})
    path.write_text("{}")
    assert not texts({"seccomp-profile": str(path)})
    assert "no readable JSON" in texts({"seccomp-profile": str(tmp_path)})


@pytest.mark.parametrize(
    ("options", "context"),
    [
        pytest.param({}, {}, id="empty"),
        pytest.param(
            {
                "icc": False,
                "userns-remap": "default",
                "log-level": "info",
                "no-new-privileges": True,
                "live-restore": True,
                "log-opts": {"max-size": "10m", "max-file": "5"},
                **nofile(Name="nofile", Soft=65536, Hard=524288),
            },
            {"nofile": None},
            id="all that we set",
        ),
        pytest.param(
            {"runtimes": {"k": {"path": "/k"}}, "default-runtime": "k"}, {}, id="own runtime"
        ),
        pytest.param(
            {"runtimes": {"k": {}}},
            {"flags": {"runtimes": {"j": "/j"}}},
            id="runtimes: flag and file",
        ),
        pytest.param(
            {"log-driver": "local", "log-opts": {"max-size": "1m"}}, {}, id="local log driver"
        ),
        pytest.param({"seccomp-profile": "builtin"}, {}, id="built-in seccomp"),
        pytest.param({"seccomp-profile": ""}, {}, id="no seccomp file"),
        pytest.param({"log-level": ""}, {}, id="empty log level"),
        pytest.param(
            nofile(Name="nofile", Soft=-1, Hard=-1), {"nofile": None}, id="unlimited daemon"
        ),
        pytest.param({"min-api-version": "1.44"}, {"engine": "29.1.3"}, id="key of this engine"),
        pytest.param({"min-api-version": "1.44"}, {"engine": ""}, id="unknown engine"),
        pytest.param(
            {"userns-remap": "root", "features": {"containerd-snapshotter": True}},
            {},
            id="remap off",
        ),
    ],
)
def test_what_works_is_no_problem(options: dict[str, Any], context: dict[str, Any]) -> None:
    assert texts(options, **context) == ""


def test_only_what_is_new_counts() -> None:
    there = {"mystery": 1}
    context = {"flags": {}, "engine": "26.1.5"}
    assert problems.new_problems({**there, "icc": False}, there, **context) == []
    assert len(problems.new_problems({**there, "icc": "no"}, there, **context)) == 1


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(sorted(KEYS)) | st.text(max_size=5), anything, max_size=6))
def test_no_content_of_daemon_json_breaks_the_check(options: dict[str, Any]) -> None:
    for key, text in problems.problems(options, flags={}, engine="26.1.5", nofile=1024, swarm=True):
        assert isinstance(key, str)
        assert text


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("20.10.24+dfsg1", (20, 10, 24)),
        ("26.1.5", (26, 1, 5)),
        ("29.0.0-rc.1", (29, 0, 0)),
        ("28.2~deb13u1", (28, 2)),
        ("", ()),
        (None, ()),
    ],
)
def test_versions_are_numbers(text: str | None, numbers: tuple[int, ...]) -> None:
    assert problems.version(text) == numbers


ENGINES = [
    "20.10.24+dfsg1",
    "23.0.6",
    "24.0.9",
    "25.0.17",
    "26.1.5+dfsg1",
    "27.5.1",
    "28.5.2+dfsg4",
    "29.1.3",
    "29.7.2",
]


@pytest.mark.parametrize("engine", ENGINES)
def test_supported_engines_pass_the_widest_gate(engine: str) -> None:
    assert problems.allows(">=20.10,<30", engine)
    assert problems.allows(None, engine)
    assert problems.allows("", engine)


@pytest.mark.parametrize(
    ("gate", "first"),
    [
        (">=20.10", 0),
        (">=23.0", 1),
        (">=24.0", 2),
        (">=25", 3),
        (">=28.0", 6),
        (">=29.0", 7),
        (">29.1.3", 8),
    ],
)
def test_a_gate_divides_the_engines(gate: str, first: int) -> None:
    assert [problems.allows(gate, engine) for engine in ENGINES] == [
        at >= first for at in range(len(ENGINES))
    ]
    below = gate.replace(">=", "<").replace(">", "<=")
    assert [problems.allows(below, engine) for engine in ENGINES] == [
        at < first for at in range(len(ENGINES))
    ]


def test_a_short_version_equals_its_long_form() -> None:
    assert problems.allows("==26.1", "26.1.0")
    assert not problems.allows("==26.1", "26.1.5")


@pytest.mark.parametrize(
    "key", [key for key, facts in KEYS.items() if facts["since"] or facts["removed"]]
)
def test_gated_keys_are_refused_outside_their_gate(key: str) -> None:
    facts = KEYS[key]
    value = {"bool": True, "int": 1, "string": "x", "list": [], "map": {}}[facts["type"]]
    if key == "min-api-version":
        value = "1.44"
    for engine in ENGINES:
        inside = problems.allows(f">={facts['since'] or '0'}", engine) and not (
            facts["removed"] and problems.allows(f">={facts['removed']}", engine)
        )
        assert (texts({key: value}, engine=engine) == "") == inside


def test_flags_and_data_root_keys_are_keys() -> None:
    assert set(FLAG_KEYS.values()) <= set(KEYS)
    assert set(DATA_ROOT_KEYS) <= set(KEYS)


@pytest.mark.parametrize(
    "key", ["debug", "live-restore", "labels", "default-runtime", "registry-mirrors"]
)
def test_keys_that_a_reload_takes_over(key: str) -> None:
    assert KEYS[key]["reload"]


@pytest.mark.parametrize(
    "key",
    [
        *(
            "icc",
            "userns-remap",
            "log-level",
            "log-driver",
            "log-opts",
            "no-new-privileges",
            "userland-proxy",
        ),
        *(
            "default-ulimits",
            "seccomp-profile",
            "hosts",
            "tlsverify",
            "iptables",
            "default-network-opts",
        ),
    ],
)
def test_keys_that_need_a_restart(key: str) -> None:
    assert not KEYS[key]["reload"]
