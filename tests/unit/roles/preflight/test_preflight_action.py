"""The controller's side: exceptions are checked, artifacts whole, and plans put into words."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.unit.roles.hosts import ROLES

path = ROLES / "preflight/action_plugins/preflight.py"
spec = importlib.util.spec_from_file_location("preflight_action", path)
assert spec is not None
assert spec.loader is not None
preflight = importlib.util.module_from_spec(spec)
spec.loader.exec_module(preflight)

PLAN: dict[str, Any] = {
    "profile": "production",
    "environment": None,
    "inputs": {},
    "controls": [
        {"id": "docker_daemon/icc", "disruption": "restart"},
        {"id": "docker_daemon/userns_remap", "disruption": "recreate"},
    ],
}
EXCEPTION = {
    "id": "docker_daemon/icc",
    "reason": "why",
    "owner": "ops@example.org",
    "expires": "2027-03-31",
}


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("docker_daemon/icc", "must be a list"),
        (["docker_daemon/icc"], "item 1: must be {id, reason, owner, expires}"),
        (
            [EXCEPTION, {**EXCEPTION, "id": "docker_daemon/icx"}],
            "item 2: unknown control 'docker_daemon/icx'",
        ),
        ([{**EXCEPTION, "expires": "someday"}], "expires must be a date such as 2027-03-31"),
        ([{**EXCEPTION, "expires": "20270331"}], "expires must be a date"),
        ([{**EXCEPTION, "expires": "2027-3-1"}], "expires must be a date"),
        ([{**EXCEPTION, "expires": "2027-02-30"}], "expires must be a date"),
        ([{key: value for key, value in EXCEPTION.items() if key != "owner"}], "owner"),
        ([{**EXCEPTION, "until": "x"}], "until"),
    ],
)
def test_an_exception_needs_id_reason_owner_and_date(given: object, text: str) -> None:
    assert text in "; ".join(preflight.wrong_exceptions(given, PLAN))


def test_a_good_exception_is_good() -> None:
    assert preflight.wrong_exceptions([EXCEPTION], PLAN) == []
    assert preflight.wrong_exceptions([], PLAN) == []


def decision(kind: str, reason: str = "", remedy: str = "", changes: Any = ()) -> dict[str, Any]:
    return {
        "decision": kind,
        "reason": reason,
        "remedy": remedy,
        "changes": list(changes),
        "settings": {},
    }


def found(**decisions: Any) -> dict[str, Any]:
    return {
        "refused": "",
        "decisions": {f"docker_daemon/{name}": one for name, one in decisions.items()},
        "restart": {
            "needed": "none",
            "why": [],
            "running": 0,
            "containers": [],
            "allowed": True,
            "reason": "",
        },
        "facts": {
            "engine": {"version": "26.1.5"},
            "os": {"pretty": "Debian 13"},
            "containers": [{"name": "web"}],
        },
    }


def shown(answer: dict[str, Any]) -> str:
    text: str = preflight.worded(preflight.describe(PLAN, "db1", answer, {}))
    return text


def test_the_summary_says_what_changes_and_what_is_held_back() -> None:
    text = shown(
        found(
            icc=decision(
                "apply", changes=[{"what": "daemon.json: icc", "before": None, "after": False}]
            ),
            log=decision("apply"),
            userns_remap=decision("pending", "2 images would be hidden", "accept it"),
        )
    )
    assert text.splitlines()[0] == "db1  Debian 13, Docker 26.1.5"
    assert "docker_daemon/icc: daemon.json: icc: absent -> false" in text
    assert "docker_daemon/userns_remap: 2 images would be hidden\n      -> accept it" in text
    assert "1 of 3 controls need no change" in text
    assert "docker_daemon/log:" not in text


def test_what_is_only_reported_is_shown_where_it_has_a_reason() -> None:
    text = shown(found(icc=decision("report"), log=decision("report", "tried in vain", "look")))
    assert "  left to you\n    docker_daemon/log: tried in vain\n      -> look\n" in text
    assert "docker_daemon/icc" not in text
    assert "2 only checked by verify" in text


def test_a_reason_that_controls_share_is_told_once() -> None:
    shared = decision("not_applicable", "this host is a container", "")
    text = shown(found(icc=shared, log=shared, userns_remap=decision("pending", "other", "do it")))
    assert "    docker_daemon/icc, docker_daemon/log: this host is a container\n" in text
    assert text.count("this host is a container") == 1


def test_containers_that_must_be_created_anew_are_named() -> None:
    change = {"what": "daemon.json: userns-remap", "before": None, "after": "default"}
    text = shown(
        found(
            userns_remap=decision("apply", changes=[change]),
            icc=decision("apply", changes=[change]),
        )
    )
    assert (
        "  takes effect on a container when it is created anew\n    docker_daemon/userns_remap: web"
        in text
    )


@pytest.mark.parametrize(
    ("restart", "text"),
    [
        ({}, "no restart"),
        ({"needed": "restart", "why": ["icc"]}, "one restart (icc)"),
        ({"needed": "reload", "why": ["debug"]}, "one reload (debug)"),
        ({"needed": "restart", "why": ["icc"], "containers": ["web"]}, "web"),
        (
            {"needed": "restart", "why": ["icc"], "allowed": False, "reason": "never"},
            "withheld: never",
        ),
    ],
)
def test_the_last_line_is_about_dockerd(restart: dict[str, Any], text: str) -> None:
    answer = found()
    answer["restart"].update(restart)
    last = shown(answer).splitlines()[-1]
    assert last.startswith("  dockerd: ")
    assert text in last


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (
            {"undo": ["daemon.json: icc"], "undo_run": "r2", "undo_runs": ["r2"]},
            "  will be taken back (run r2)\n    daemon.json: icc\n",
        ),
        (
            {"undo": ["daemon.json: icc"], "undo_runs": ["r1", "r2"]},
            "  will be taken back (run r1, r2)\n    daemon.json: icc\n",
        ),
        ({"undo_run": "r2"}, "  nothing is left to take back of run r2\n"),
        ({}, "  nothing is left to take back\n"),
    ],
)
def test_a_rollback_says_of_which_runs_it_is(answer: dict[str, Any], text: str) -> None:
    artifact = preflight.describe(PLAN, "db1", {**found(), **answer}, {})
    assert artifact["undo_runs"] == answer.get("undo_runs", [])
    assert text in preflight.worded_undo(artifact)


def test_a_refused_host_has_one_line() -> None:
    assert shown({"refused": "Docker comes from snap"}) == "db1  left alone: Docker comes from snap"


def test_an_artifact_replaces_the_old_one_in_one_step(tmp_path: Path) -> None:
    folder = tmp_path / "artifacts"
    for host in ("db1", "db1", "a/b", "a_b"):
        preflight.write(folder, preflight.describe(PLAN, host, found(), {}))
    assert sorted(path.name for path in folder.iterdir()) == ["a%2Fb.json", "a_b.json", "db1.json"]
    artifact = json.loads((folder / "db1.json").read_text())
    assert (artifact["schema"], artifact["host"], artifact["run"]) == (1, "db1", preflight.RUN)
    assert (folder / "db1.json").stat().st_mode & 0o077 == 0


def test_the_inputs_of_a_host_are_judged_by_the_hosts_own_code() -> None:
    assert preflight.secret_in({"server": ["https://t0ken@h"]}).startswith("a password or token")
    assert preflight.secret_in(["10m", 5, None, {}]) == ""


def noted(folder: Path, run: str, pid: int, **changed: Any) -> None:
    folder.mkdir(exist_ok=True)
    (folder / f"{run}.json").write_text(json.dumps({**preflight.process(pid), **changed}))


def test_only_a_run_of_this_controller_whose_process_is_gone_has_ended(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as other:
        noted(tmp_path, "r1", other.pid)
        noted(tmp_path, "r2", other.pid, boot="of another machine")
        noted(tmp_path, "r3", other.pid, namespace="pid:[1]")
        noted(tmp_path, "r4", other.pid, started=1)  # its number was given to another since
        assert preflight.ended(tmp_path, "r1") == ""
        other.kill()
    assert preflight.ended(tmp_path, "r1") == "r1"
    assert preflight.ended(tmp_path, "r4") == "r4"
    for unknown in ("r2", "r3", "r5", ""):
        assert preflight.ended(tmp_path, unknown) == ""


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"pid": "1"}', "not JSON"])
def test_a_note_that_says_nothing_ends_no_run(tmp_path: Path, text: str) -> None:
    (tmp_path / "r1.json").write_text(text)
    assert preflight.ended(tmp_path, "r1") == ""


def test_a_run_notes_its_process_and_forgets_those_of_long_ago(tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    folder.mkdir()
    for name, age in (("old", 2 * preflight.KEPT_SECONDS), ("new", 60)):
        (folder / f"{name}.json").write_text("{}")
        os.utime(folder / f"{name}.json", (time.time() - age, time.time() - age))
    preflight.note_run(folder)
    assert sorted(path.stem for path in folder.iterdir()) == sorted([preflight.RUN, "new"])
    assert preflight.ended(folder, preflight.RUN) == "", "this very process"


def test_a_secret_that_is_no_pem_is_named_and_not_repeated() -> None:
    """A path, for instance. Nothing so short may be hidden in all that a host answers."""
    good = "-----BEGIN PRIVATE KEY-----\nAAAA\n"
    found = preflight.wrong_texts({"one_pem": good, "other_pem": "/srv/tls/server.key"})
    assert found == ["other_pem is no text in PEM (-----BEGIN ...)"]
