"""When controls are held back or do not apply, and what they would change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import hardhost_content_trust as content_trust
from ansible.module_utils import hardhost_state
from ansible.module_utils import hardhost_surface_image_trust as surface
from ansible.module_utils.hardhost_undo import stays, targets

from tests.unit.roles.hosts import facts

SERVER = "https://notary.example:4443"


def switch(**changed: Any) -> dict[str, Any]:
    settings = {"server": SERVER, "clients": [], "units": [], "users": [], "roots": {}, **changed}
    return {"id": "image_trust/content_trust", "settings": {"image_trust_switch": settings}}


def decision(client: str, **changed: Any) -> Any:
    host = facts(engine={"client": client})
    return surface.content_trust_usable(host, {}, switch(**changed))


def test_content_trust_applies_to_clients_that_know_it() -> None:
    assert decision("28.5.2") is None
    assert decision("20.10.24") is None
    for client in ("29.0.0", "29.1.3"):
        found = decision(client)
        assert found["decision"] == "not_applicable"
        assert "image_signatures" in found["reason"]
    assert decision("") is None  # docker_engine installs one


def test_the_retired_server_is_held_back() -> None:
    found = decision("26.1.5", server="https://notary.docker.io")
    assert found["decision"] == "pending"
    assert "2026-12-08" in found["reason"]
    assert found["remedy"]


def test_a_value_of_somebody_else_in_the_environment_is_held_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state_directory: Path
) -> None:
    file = tmp_path / "environment"
    file.write_text("DOCKER_CONTENT_TRUST=0\n")
    monkeypatch.setattr(content_trust, "ENVIRONMENT", str(file))
    found = decision("26.1.5", clients=["cron"])
    assert found["decision"] == "pending"
    assert "DOCKER_CONTENT_TRUST=0" in found["reason"]


def test_lines_are_planned_where_the_file_is_there_and_a_file_where_it_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "environment"
    monkeypatch.setattr(content_trust, "ENVIRONMENT", str(file))
    control, state = switch(clients=["cron"]), hardhost_state.empty()
    assert [one["path"] for one in surface.plan(control, state, [])["files"]] == [str(file)]
    file.write_text("A=1\n")
    found = surface.plan(control, state, [])
    assert found["files"] == []
    assert found["lines"] == ["DOCKER_CONTENT_TRUST=1", f"DOCKER_CONTENT_TRUST_SERVER={SERVER}"]


def test_files_for_inputs_that_have_gone_become_what_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "ca.crt"
    file.write_text("ours")
    state = hardhost_state.empty()
    hardhost_state.record(
        state, "run", "image_trust/registry_certificates", "file", str(file),
        {"present": False}, {"present": True, "sha256": "x", "uid": 0, "gid": 0, "mode": 0o444},
    )  # fmt: skip
    control = {
        "id": "image_trust/registry_certificates",
        "settings": {"image_trust_authorities": {"registries": {}}},
    }
    (found,) = surface.plan(control, state, [])["files"]
    assert (found["path"], found["data"]) == (str(file), None)


def test_images_that_are_missing_are_what_changes() -> None:
    there, missing = ("a.test/app@sha256:" + letter * 64 for letter in "ab")
    control = {
        "id": surface.SIGNATURES,
        "settings": {"image_trust_signatures": {"images": [there, missing]}},
    }
    host = facts(surfaces={"image_trust": {"images": [there]}})
    assert [one["what"] for one in surface.changes(control, host, {})] == [f"image {missing}"]


COSIGN = "-----BEGIN PUBLIC KEY-----"
NOTATION = {"notation": "-----BEGIN CERTIFICATE-----", "identities": ["*"]}
NOWHERE = {"path": "/nowhere/program", "sha256": "0" * 64}


@pytest.mark.parametrize(
    ("keys", "missing"),
    [
        ({"one": COSIGN}, ["cosign"]),
        ({"one": NOTATION}, ["notation"]),
        ({"one": COSIGN, "two": NOTATION}, ["cosign", "notation"]),
    ],
)
def test_a_verifier_that_is_not_there_is_held_back(keys: Any, missing: list[str]) -> None:
    policy = {"*": {"action": "require", "keys": list(keys)}}
    control = {"settings": {"image_trust_signatures": {"keys": keys, "policy": policy}}}
    given = {"image_trust_cosign": NOWHERE, "image_trust_notation": NOWHERE}
    found = surface.signatures_verifiable(facts(), given, control)
    assert found["decision"] == "pending"
    assert "nothing is downloaded" in found["remedy"]
    for name in ("cosign", "notation"):
        assert (f"image_trust_{name}: {{path" in found["remedy"]) == (name in missing)


def test_a_policy_that_asks_nobody_needs_no_verifier() -> None:
    settings = {"keys": {"one": COSIGN}, "policy": {"*": {"action": "ignore"}}}
    control = {"settings": {"image_trust_signatures": settings}}
    assert surface.signatures_verifiable(facts(), {"image_trust_cosign": NOWHERE}, control) is None


def test_an_undo_takes_the_lines_of_other_files_than_ranges() -> None:
    state = hardhost_state.empty()
    hardhost_state.record(
        state, "run", "image_trust/content_trust", "line", "/etc/environment",
        {"present": False}, {"present": True, "value": "DOCKER_CONTENT_TRUST=1"},
    )  # fmt: skip
    assert stays(targets(state["changes"]), facts({"userns-remap": "default"}), {}) == {}
