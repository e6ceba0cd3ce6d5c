"""Catalog + Profile -> Plan: pure, complete and in order."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import pytest

from generator import __version__
from generator.commands.load import Library, load
from generator.content import Content
from generator.environments import load_environments
from generator.errors import InvalidContent
from generator.model import Plan
from generator.render import plan_json
from generator.resolve import expired, resolve


def plan(library: Library, profile: str = "production") -> Plan:
    return resolve(library.catalog, library.profiles[profile])


def test_the_plan_file_is_what_the_contract_says(library: Library) -> None:
    data = json.loads(plan_json(plan(library)))
    assert {key: data[key] for key in list(data)[:6]} == {
        "schema": 1,
        "hardhost": __version__,
        "profile": "production",
        "environment": None,
        "title": "Production",
        "group": "production",
    }
    assert [control["id"] for control in data["controls"]] == sorted(
        control["id"] for control in data["controls"]
    )
    assert data["controls"][0] == {
        "id": "docker_daemon/icc",
        "role": "docker_daemon",
        "name": "icc",
        "mode": "apply",
        "title": "Containers cannot reach each other",
        "severity": "high",
        "disruption": "restart",
        "rationale": "Whoever is in one container tries the next.",
        "impact": "Containers that talk over the default bridge stop doing so.",
        "references": {"cis_docker_1.8.0": ["2.2"], "nist_800_190": ["4.4.2"]},
        "engine": ">=20.10",
        "platforms": [],
        "needs": {},
        "requires": [],
        "unless": [],
        "applied_by": None,
        "preconditions": ["bridge_netfilter"],
        "check": "icc",
        "settings": {"docker_daemon_options": {"icc": False}},
        "sources": {"docker_daemon_options.icc": "the engine's default is true"},
        "waiver": None,
        "from": "profiles/production.yml",
    }
    assert data["controls"][4]["waiver"] == {
        "reason": "the vendor's agent resets the mode every night",
        "owner": "platform@example.org",
        "expires": "2099-03-31",
    }
    assert data["inputs"]["docker_restart_policy"] == {
        "role": "docker_restart",
        "type": "str",
        "value": "when_needed",
        "choices": ["when_needed", "never", "window"],
        "secret": False,
        "from": "roles/docker_restart/defaults/main.yml",
    }


def test_the_plan_reads_itself_back(library: Library) -> None:
    original = plan(library)
    assert Plan.model_validate_json(plan_json(original)) == original


def test_inputs_of_roles_that_are_not_rendered_are_left_out(root: Path, content: Content) -> None:
    (root / "profiles/files.yml").write_text("title: x\ncontrols: {docker_files: [daemon_json]}\n")
    inputs = plan(load(content), "files").inputs
    assert sorted(inputs) == ["docker_restart_policy", "docker_restart_window"]


def test_an_environment_gives_group_and_inputs(library: Library, tmp_path: Path) -> None:
    path = tmp_path / "environments.yml"
    path.write_text(
        "web: {profile: production, inputs: {docker_daemon_nofile_soft: 7}}\n"
        "db: {profile: production, group: databases, inputs: {docker_daemon_log_max_size: 9m}}\n"
    )
    found = load_environments(path, library.catalog, library.profiles)
    web = resolve(library.catalog, library.profiles["production"], found["web"])
    assert (web.environment, web.group, web.profile) == ("web", "web", "production")
    assert web.inputs["docker_daemon_nofile_soft"].value == 7
    assert web.inputs["docker_daemon_nofile_soft"].source == "environments.yml"
    assert web.inputs["docker_daemon_log_max_size"].value == "50m", "the profile's own stays"
    db = resolve(library.catalog, library.profiles["production"], found["db"])
    assert db.group == "databases"
    assert db.inputs["docker_daemon_log_max_size"].value == "9m", "over the profile's own"


def test_mistakes_in_environments_are_told_at_once(library: Library, tmp_path: Path) -> None:
    path = tmp_path / "environments.yml"
    path.write_text(
        "web: {profile: prodction}\n"
        "../db: {profile: baseline}\n"
        "all: {profile: baseline}\n"
        "x: {profile: baseline, inputs: {docker_daemon_nofile_soft: 0644, nothing: 1}}\n"
        "y: {prfile: baseline}\n"
        "z: baseline\n"
    )
    with pytest.raises(InvalidContent) as raised:
        load_environments(path, library.catalog, library.profiles)
    assert [message.split("environments.yml")[1] for message in raised.value.messages()] == [
        ":1: unknown profile 'prodction' (did you mean 'production'?)",
        ":2: '../db' is not the name of an environment; a name is lower-case letters, digits and "
        "underscores",
        ":3: group 'all' holds every host; name the group that should get this profile",
        ":4: 'x.inputs.docker_daemon_nofile_soft' is the unquoted 0644, which YAML reads as the "
        "number 420; write a plain decimal number",
        ":4: unknown input 'nothing'; accepted: docker_daemon_accept, docker_daemon_key, "
        "docker_daemon_log_max_size, docker_daemon_members, docker_daemon_nofile_soft, "
        "docker_daemon_ratio, docker_restart_policy, docker_restart_window",
        ":5: key 'profile' is missing",
        ":5: unknown key 'prfile' (did you mean 'profile'?)",
        ":6: must be a map of keys to values",
    ]


@pytest.mark.parametrize("text", ["", "[]\n", "{}\n"])
def test_environments_must_be_a_map(library: Library, tmp_path: Path, text: str) -> None:
    path = tmp_path / "environments.yml"
    path.write_text(text)
    with pytest.raises(InvalidContent, match="must be a map of environments"):
        load_environments(path, library.catalog, library.profiles)


def test_an_exception_holds_on_its_last_day_and_not_after(library: Library) -> None:
    last = date(2099, 3, 31)
    profile = library.profiles["production"]
    assert not list(expired(profile, last))
    ((origin, text),) = expired(profile, last + timedelta(days=1))
    assert (origin.file, origin.line) == ("profiles/production.yml", 10)
    assert text == (
        "the exception for 'docker_files/daemon_json' expired on 2099-03-31; renew or remove it "
        "(owner: platform@example.org)"
    )
