"""Profiles inherit, override and except; every mistake has its line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from generator.commands.load import Library, load
from generator.content import Content
from generator.errors import InvalidContent

Found = Callable[[], list[str]]


def write(root: Path, text: str, name: str = "own") -> None:
    (root / "profiles" / f"{name}.yml").write_text(text)


def test_a_profile_holds_what_its_parent_holds(library: Library) -> None:
    production = library.profiles["production"]
    assert production.lineage == ("production", "baseline")
    assert {name: member.mode for name, member in production.members.items()} == {
        "docker_daemon/icc": "apply",
        "docker_daemon/log_rotation": "apply",
        "docker_daemon/no_debug": "apply",
        "docker_daemon/no_plain_tcp": "report",
        "docker_files/daemon_json": "apply",
    }
    assert production.members["docker_daemon/log_rotation"].origin.file == "profiles/baseline.yml"
    assert production.group == "production"


def test_the_child_turns_a_report_into_an_application_and_back(
    root: Path, content: Content
) -> None:
    write(root, "title: x\nextends: baseline\ncontrols: {docker_daemon: [no_plain_tcp]}\n"
                "report: {docker_daemon: [log_rotation]}\n")  # fmt: skip
    members = load(content).profiles["own"].members
    assert members["docker_daemon/no_plain_tcp"].mode == "apply"
    assert members["docker_daemon/log_rotation"].mode == "report"


def test_inputs_are_inherited_and_overridden(root: Path, content: Content) -> None:
    write(root, "title: x\nextends: production\ninputs: {docker_daemon_nofile_soft: 5}\n")
    inputs = load(content).profiles["own"].inputs
    assert inputs["docker_daemon_log_max_size"].value == "50m"
    assert inputs["docker_daemon_log_max_size"].origin.file == "profiles/production.yml"
    assert inputs["docker_daemon_nofile_soft"].value == 5


def test_an_exception_is_inherited_until_it_is_dropped(root: Path, content: Content) -> None:
    write(root, "title: x\nextends: production\n", "keeps")
    write(
        root, "title: x\nextends: production\nexcept: {docker_files/daemon_json: drop}\n", "drops"
    )
    profiles = load(content).profiles
    assert (
        profiles["keeps"].waivers["docker_files/daemon_json"].waiver.owner == "platform@example.org"
    )
    assert not profiles["drops"].waivers


@pytest.mark.parametrize("day", ["2099-03-31", "'2099-03-31'"])
def test_the_day_of_an_exception_may_be_quoted_or_not(
    root: Path, content: Content, day: str
) -> None:
    write(
        root,
        f"title: x\nextends: production\nexcept:\n  docker_daemon/icc: {{reason: r, owner: o, expires: {day}}}\n",
    )
    waiver = load(content).profiles["own"].waivers["docker_daemon/icc"].waiver
    assert waiver.expires.isoformat() == "2099-03-31"  # fmt: skip


@pytest.mark.parametrize("word", ["on", "yes", "True", "true"])
def test_the_words_of_yaml_count_where_yes_or_no_is_expected(
    root: Path, content: Content, word: str
) -> None:
    write(root, f"title: x\ninputs: {{docker_daemon_accept: {word}, docker_daemon_ratio: 5.20}}\n")
    inputs = load(content).profiles["own"].inputs
    assert inputs["docker_daemon_accept"].value is True
    assert inputs["docker_daemon_ratio"].value == 5.2


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("controls: {docker_daemon: [ic]}", [":2: unknown control 'docker_daemon/ic' (did you mean 'docker_daemon/icc'?)"]),
        ("controls: {dokcer_daemon: [icc]}", [":2: unknown role 'dokcer_daemon' (did you mean 'docker_daemon'?)"]),
        ("controls: {docker_files: [../../etc]}", [":2: unknown control 'docker_files/../../etc' (did you mean 'docker_files/daemon_json'?)"]),
        ("controls: {docker_daemon: [icc, icc]}", [":2: control 'docker_daemon/icc' is listed twice"]),
        ("controls: {docker_daemon: icc}", [":2: 'controls.docker_daemon' must be a list"]),
        ("controls: {docker_daemon: [icc]}\nreport: {docker_daemon: [icc]}", [":3: control 'docker_daemon/icc' is in 'controls' and in 'report'; keep one"]),
        ("control: {}", [":2: unknown key 'control' (did you mean 'controls'?)"]),
        ("extends: ../production", [":2: unknown profile '../production' (did you mean 'production'?)"]),
        ("extends: own", [":2: 'extends' goes in a circle: own -> own"]),
        ("group: Web-Hosts", [":2: 'group' is 'Web-Hosts'; a name is lower-case letters, digits and underscores"]),
        ("group: all", [":2: group 'all' holds every host; name the group that should get this profile"]),
        ("title: 5.20", [":2: key 'title' is given twice (first in line 1)"]),
        ("description: off", [":2: 'description' is the unquoted off, which YAML reads as false; write false, or quote it: \"off\""]),
        ("inputs: {docker_daemon_nofile: 5}", [":2: unknown input 'docker_daemon_nofile' (did you mean 'docker_daemon_nofile_soft'?)"]),
        ("inputs: {docker_daemon_options: {icc: true}}", [":2: unknown input 'docker_daemon_options' (did you mean 'docker_daemon_ratio'?)"]),
        ("inputs: {docker_daemon_nofile_soft: '5'}", [":2: 'docker_daemon_nofile_soft' must be a whole number"]),
        ("inputs: {docker_daemon_nofile_soft: true}", [":2: 'docker_daemon_nofile_soft' must be a whole number"]),
        ("inputs: {docker_daemon_nofile_soft: 0644}", [":2: 'inputs.docker_daemon_nofile_soft' is the unquoted 0644, which YAML reads as the number 420; write a plain decimal number"]),
        ("inputs: {docker_daemon_log_max_size: 5}", [":2: 'docker_daemon_log_max_size' must be text; quote it: \"5\""]),
        ("inputs: {docker_daemon_key: hunter2}", [":2: 'docker_daemon_key' is a secret, and would stand in plan.json: give it in the inventory, vaulted"]),
        ("inputs: {docker_daemon_accept: 'yes'}", [":2: 'docker_daemon_accept' must be true or false"]),
        ("inputs: {docker_daemon_members: [a, 1]}", [":2: 'docker_daemon_members[1]' must be text; quote it: \"1\""]),
        ("inputs: {docker_restart_policy: nevr}", [":2: 'docker_restart_policy' is 'nevr' (did you mean 'never'?)"]),
        ("inputs: {docker_restart_window: {calendar: Sun, durtion: 1h}}", [":2: unknown key 'durtion' in 'docker_restart_window' (did you mean 'duration'?)"]),
        ("inputs: {docker_restart_window: {duration: 1h}}", [":2: key 'calendar' is missing in 'docker_restart_window'"]),
        ("controls: {docker_daemon: [no_debug]}", [":2: control 'docker_daemon/no_debug' requires 'docker_daemon/icc', which profile 'own' does not hold"]),
        ("except: {docker_daemon/icc: {reason: r, owner: o, expires: 2099-01-01}}", [":2: exception for 'docker_daemon/icc', which profile 'own' does not hold"]),
        ("except: {docker_daemon/icc: drop}", [":2: 'drop' for 'docker_daemon/icc', but no exception for it is inherited"]),
        ("except: {docker_daemon/ic: drop}", [":2: 'drop' for 'docker_daemon/ic', but no exception for it is inherited", ":2: unknown control 'docker_daemon/ic' (did you mean 'docker_daemon/icc'?)"]),
        ("except: {docker_daemon/icc: because}", [":2: 'except.docker_daemon/icc' must be drop, or a map of reason, owner, expires"]),
        ("except: {docker_daemon/icc: {}}", [f":2: key 'except.docker_daemon/icc.{key}' is missing" for key in ("expires", "owner", "reason")]),
        ("except: {docker_daemon/icc: {reason: r, owner: o, expires: soon}}", [":2: 'except.docker_daemon/icc.expires' must be a date, e.g. 2027-03-31"]),
        ("except: {docker_daemon/icc: {reason: '', owner: o, expires: 2099-01-01, why: x}}", [":2: 'except.docker_daemon/icc.reason' must not be empty", ":2: unknown key 'except.docker_daemon/icc.why'; accepted: expires, owner, reason"]),
    ],
)  # fmt: skip
def test_mistakes_in_a_profile(root: Path, problems: Found, text: str, messages: list[str]) -> None:
    write(root, f"title: x\n{text}\n")
    assert problems() == [f"profiles/own.yml{message}" for message in messages]


def test_a_missing_title_and_what_follows_are_told_together(root: Path, problems: Found) -> None:
    write(root, "controls:\n  docker_daemon:\n    - icc\n    - nothing\n")
    assert problems() == [
        "profiles/own.yml:1: key 'title' is missing",
        "profiles/own.yml:4: unknown control 'docker_daemon/nothing'; accepted: docker_daemon/icc, "
        "docker_daemon/log_rotation, docker_daemon/no_debug, docker_daemon/no_plain_tcp",
    ]


def test_a_circle_of_three_is_told_in_each_file(root: Path, problems: Found) -> None:
    for name, parent in (("a", "b"), ("b", "c"), ("c", "a"), ("d", "a")):
        write(root, f"title: x\nextends: {parent}\n", name)
    assert [line.split(": ", 1) for line in problems()] == [
        ["profiles/a.yml:2", "'extends' goes in a circle: a -> b -> c -> a"],
        ["profiles/b.yml:2", "'extends' goes in a circle: b -> c -> a -> b"],
        ["profiles/c.yml:2", "'extends' goes in a circle: c -> a -> b -> c"],
    ]


def test_conflicting_leaves_name_both_controls(root: Path, problems: Found) -> None:
    control = (root / "roles/docker_daemon/controls/no_plain_tcp.yml").read_text()
    (root / "roles/docker_daemon/controls/icc_on.yml").write_text(
        control + "settings: {docker_daemon_options: {icc: true}}\n"
    )
    write(root, "title: x\ncontrols:\n  docker_daemon:\n    - icc\n    - icc_on\n")
    assert problems() == [
        "profiles/own.yml:5: profile 'own': controls 'docker_daemon/icc' and 'docker_daemon/icc_on' "
        "both set 'docker_daemon_options.icc', to False and True; keep one of them"
    ]


def test_a_name_that_exists_already_names_both_files(content: Content, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "production.yml").write_text("title: x\n")
    with pytest.raises(InvalidContent) as raised:
        load(content._replace(profiles=(*content.profiles, own)))
    assert [str(problem) for problem in raised.value.problems] == [
        f"{own}/production.yml: profile 'production' exists already in "
        f"{content.root}/profiles/production.yml; rename one"
    ]


def test_a_users_profile_may_extend_a_shipped_one(content: Content, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "mine.yml").write_text("title: x\nextends: production\n")
    (own / "notes.txt").write_text("not a profile\n")
    profiles = load(content._replace(profiles=(*content.profiles, own))).profiles
    assert profiles["mine"].lineage == ("mine", "production", "baseline")


def test_an_incomplete_exception_does_not_hide_other_mistakes(root: Path, problems: Found) -> None:
    write(
        root,
        "title: x\ncontrols: {docker_daemon: [ic]}\n"
        "except: {docker_daemon/icc: {reason: r, owner: o}}\n",
    )
    assert problems() == [
        "profiles/own.yml:2: unknown control 'docker_daemon/ic' (did you mean 'docker_daemon/icc'?)",
        "profiles/own.yml:3: key 'except.docker_daemon/icc.expires' is missing",
    ]
