"""What a rollback is asked for is judged for all hosts at once."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest

from tests.unit.roles.hosts import ROLES, Json

path = ROLES / "preflight/action_plugins/rollback_scope.py"
spec = importlib.util.spec_from_file_location("rollback_scope_action", path)
assert spec is not None
assert spec.loader is not None
rollback_scope = importlib.util.module_from_spec(spec)
spec.loader.exec_module(rollback_scope)

NEW, OLD = "20261121T180000Z-ab12cd34", "20261001T180000Z-00000000"


def recorded(**runs: str | None) -> dict[str, Json | None]:
    """Per host what its state holds; "" for no run, None for a host that was not read."""
    return {
        host: None if run is None else {"run": run, "controls": [host + "/gone"] if run else []}
        for host, run in runs.items()
    }


def wrong(scope: str, run: str = "", controls: Any = (), **runs: str | None) -> str:
    planned = {"docker_daemon/icc"}
    text: str = rollback_scope.wrong(scope, list(controls), run, planned, recorded(**runs))
    return text


@pytest.mark.parametrize(
    "runs",
    [
        pytest.param({"h1": NEW, "h2": NEW}, id="the same"),
        pytest.param({"h1": NEW, "h2": ""}, id="nothing to take back"),
        pytest.param({"h1": OLD}, id="one host"),
        pytest.param({"h1": "", "h2": None}, id="nothing anywhere"),
    ],
)
def test_the_last_run_is_one_run(runs: dict[str, str | None]) -> None:
    assert wrong("run", **runs) == ""


def test_no_two_runs_are_taken_back_at_once() -> None:
    """A run that came to some hosts only: elsewhere the last one is the hardening before it."""
    text = wrong("run", h1=NEW, h2=OLD, h3=NEW, h4="")
    assert f"{NEW} (h1, h3), {OLD} (h2); say which one" in text
    assert "hardhost_rollback_run" in text
    assert "h4" not in text


def test_of_a_host_that_was_not_read_no_run_is_known() -> None:
    """It may hold the run that the others were rid of before."""
    assert f"{OLD} (h1), not known (h2);" in wrong("run", h1=OLD, h2=None)


def test_many_hosts_are_counted() -> None:
    runs = {f"h{number:03}": OLD for number in range(500)}
    text = wrong("run", **{**runs, "h000": NEW})
    assert f"{NEW} (h000), {OLD} (h001, " in text
    assert "h010 and 489 more)" in text


@pytest.mark.parametrize("scope", ["all", "run", "controls"])
def test_a_run_that_is_named_is_taken_back_by_the_scope_run_alone(scope: str) -> None:
    assert ("and the scope is " + scope in wrong(scope, NEW, h1=NEW, h2=OLD)) == (scope != "run")


@pytest.mark.parametrize(
    ("controls", "unknown"),
    [
        pytest.param(["docker_daemon/icc"], "", id="of the plan, and of no host"),
        pytest.param(["h1/gone", "docker_daemon/icc"], "", id="of a host, and left the plan"),
        pytest.param(["h2/gone"], "'h2/gone': no such control", id="of a host with nothing"),
        pytest.param(["h3/gone"], "'h3/gone': no such control", id="of a host that was not read"),
        pytest.param(
            ["docker_daemon/icc", "docker_daemon/icx", "ic"],
            "'docker_daemon/icx', 'ic': no such control",
            id="mistyped",
        ),
        pytest.param([], "names no control", id="empty"),
    ],
)
def test_controls_that_nobody_knows_are_refused(controls: list[str], unknown: str) -> None:
    text = wrong("controls", controls=controls, h1=OLD, h2="", h3=None)
    assert text.startswith(unknown) if controls and unknown else unknown in text
    assert bool(text) == bool(unknown)


@pytest.mark.parametrize("scope", ["all", "run"])
def test_a_list_that_would_not_be_read_is_refused(scope: str) -> None:
    text = wrong(scope, controls=["docker_daemon/icc"], h1=OLD)
    expected = "hardhost_rollback_controls is for the scope controls, and the scope is " + scope
    assert text == expected


def test_a_run_and_controls_do_not_go_together() -> None:
    for scope in ("run", "controls", "all"):
        assert "is for the scope" in wrong(scope, NEW, ["docker_daemon/icc"], h1=NEW)
