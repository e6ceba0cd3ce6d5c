"""The sabotage states are complete, load, and become shell that does what they say."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from tests.sabotage import states

ROOT = Path(__file__).resolve().parents[3]
ROLES = Path(__file__).parents[3] / "roles"
SHIPPED = sorted(
    f"{path.parents[1].name}/{path.stem}" for path in ROOT.glob("roles/*/controls/*.yml")
)


@pytest.mark.parametrize("control", SHIPPED)
def test_every_control_can_be_sabotaged(control: str) -> None:
    found = states.load(control)
    assert all(state.concerns(control) for state in found)


def test_a_pattern_means_what_was_in_force() -> None:
    stopped = states.State(
        control="docker_engine/engine_present",
        name="stopped",
        why="",
        commands=["true"],
        fails=["docker_engine/engine_present", "docker_daemon/*"],
    )
    assert stopped.status("docker_engine/engine_present", "pending") == "fail"
    assert stopped.status("docker_daemon/icc", "pass") == "fail"
    assert stopped.status("docker_daemon/minimum_api_version", "not_applicable") == "not_applicable"
    assert stopped.status("docker_files/tls_key", "pass") == "pass"


def test_no_states_without_a_control() -> None:
    assert states.controls() == SHIPPED


@pytest.mark.parametrize("control", SHIPPED)
def test_the_scripts_are_shell(control: str) -> None:
    for state in states.load(control):
        for script in (state.script(), state.mend_script(), state.cleanup_script()):
            if script is not None:
                assert script.startswith("set -eu\n")
                done = subprocess.run(["sh", "-n"], input=script, text=True, check=False)
                assert done.returncode == 0, state.name


@pytest.mark.parametrize(
    ("before", "patch", "after"),
    [
        (None, {"icc": True}, {"icc": True}),
        ({"icc": False, "dns": ["192.0.2.1"]}, {"icc": None}, {"dns": ["192.0.2.1"]}),
        (
            {"log-opts": {"max-size": "10m", "max-file": "5"}},
            {"log-opts": {"max-size": "1g"}},
            {"log-opts": {"max-size": "1g", "max-file": "5"}},
        ),
        ({"icc": False}, {"absent": None}, {"icc": False}),
    ],
)
def test_the_patch_is_a_json_merge_patch(
    tmp_path: Path, before: Any, patch: dict[str, Any], after: dict[str, Any]
) -> None:
    path = tmp_path / "daemon.json"
    if before is not None:
        path.write_text(json.dumps(before))
    words = [sys.executable, "-c", states.PATCH, json.dumps(patch), str(path)]
    subprocess.run(words, check=True)
    assert json.loads(path.read_text()) == after


@pytest.mark.parametrize(
    "given",
    [
        {"name": "does_nothing", "why": "x"},
        {"name": "Wrong-Name", "why": "x", "commands": ["true"]},
        {"name": "unknown_key", "why": "x", "commands": ["true"], "undo": ["true"]},
        {"name": "unknown_step", "why": "x", "commands": ["true"], "then": "reboot"},
    ],
)
def test_a_state_that_says_too_little_or_something_unknown_is_refused(
    given: dict[str, Any],
) -> None:
    with pytest.raises(ValidationError):
        states.State(control="role/name", **given)


def test_states_may_need_an_engine() -> None:
    state = states.State(control="role/name", name="x", why="x", commands=["true"], engine=">=23.0")
    assert [state.fits(one) for one in ("20.10.24+dfsg1", "23.0.0", "29.7.2")] == [
        False,
        True,
        True,
    ]


@pytest.mark.parametrize("control", SHIPPED)
def test_every_control_has_a_state_for_every_engine_it_is_for(control: str) -> None:
    role, name = control.split("/")
    gate = yaml.safe_load((ROLES / role / "controls" / f"{name}.yml").read_text()).get("engine")
    oldest = (gate or ">=20.10").removeprefix(">=")
    assert any(state.fits(oldest) for state in states.load(control))
