"""Every shipped role keeps the law: its interface is declared once and used."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from generator.commands.load import load
from generator.content import find_content
from generator.layout import ALWAYS, LAST, NOT_INPUTS, ORDER, play_order
from generator.settings import is_wish, leaves

REPOSITORY = Path(__file__).resolve().parents[2]
LIBRARY = load(find_content())
ROLES = [pytest.param(role, id=name) for name, role in LIBRARY.catalog.roles.items()]
NAMES = sorted(LIBRARY.catalog.roles)
HOST_SIDE = sorted(
    path
    for folder in ("library", "module_utils")
    for path in REPOSITORY.glob(f"roles/*/{folder}/*.py")
)
TASKS = sorted(REPOSITORY.glob("roles/*/tasks/*.yml"))


def options(role: str) -> dict[str, Any]:
    path = REPOSITORY / "roles" / role / "meta/argument_specs.yml"
    declared: dict[str, Any] = yaml.safe_load(path.read_text())["argument_specs"]["main"]["options"]
    return declared or {}


def defaults(role: str) -> dict[str, Any]:
    text = (REPOSITORY / "roles" / role / "defaults/main.yml").read_text()
    return yaml.safe_load(text) or {}


def settings(role: str) -> frozenset[str]:
    return LIBRARY.catalog.roles[role].settings


@pytest.mark.parametrize("role", NAMES)
def test_defaults_and_argument_specs_say_the_same(role: str) -> None:
    declared = {
        name: option.get("default")
        for name, option in options(role).items()
        if name not in settings(role) and not option.get("required")
    }
    assert declared == defaults(role)
    for name, option in options(role).items():
        assert type(option.get("default")) is type(defaults(role).get(name)), name


@pytest.mark.parametrize("role", NAMES)
def test_every_variable_has_the_roles_prefix_a_type_and_a_description(role: str) -> None:
    for name, option in options(role).items():
        assert name.startswith((f"{role}_", "hardhost_"))
        assert option["type"]
        assert option["description"]


@pytest.mark.parametrize("role", NAMES)
def test_exactly_the_settings_variables_have_no_default(role: str) -> None:
    """What tells settings from inputs: a map that controls fill has no default, and says so."""
    for name, option in options(role).items():
        is_settings = name in settings(role)
        assert is_settings == ("default" not in option and not option.get("required")), name
        assert is_settings == str(option["description"]).startswith("Settings of controls."), name


@pytest.mark.parametrize("role", NAMES)
def test_a_role_takes_controls_exactly_if_it_has_some(role: str) -> None:
    has = bool(LIBRARY.catalog.roles[role].controls)
    assert (f"{role}_controls" in options(role).keys() - NOT_INPUTS) == has
    if has:
        assert defaults(role)[f"{role}_controls"] == [], "does nothing by default"


@pytest.mark.parametrize("role", NAMES)
def test_settings_variables_are_used_by_controls(role: str) -> None:
    used = {name for one in LIBRARY.catalog.roles[role].controls for name in one.file.settings}
    assert used == settings(role)


def wished() -> set[str]:
    """Inputs that a control's setting or need names."""
    names = set()
    for control in LIBRARY.catalog.controls.values():
        names.update(control.file.needs)
        names.add(control.file.applied_by or "")
        for _, value in leaves(control.file.settings):
            if is_wish(value) and "from_input" in value:
                names.add(value["from_input"])
                names.update(value.get("when", {}))
    return names


@pytest.mark.parametrize("name", sorted(LIBRARY.catalog.inputs))
def test_every_input_is_read_by_somebody(name: str) -> None:
    places = [
        path
        for pattern in ("tasks/*.yml", "library/*.py", "module_utils/*.py", "action_plugins/*.py")
        for path in REPOSITORY.glob(f"roles/*/{pattern}")
    ]
    assert name in wished() or any(name in path.read_text() for path in places)


def test_what_is_no_input_is_a_variable_of_the_playbooks_or_the_inventory() -> None:
    """A name in the list of exceptions that nobody uses any more would hide an input."""
    playbooks = "".join(
        path.read_text() for path in (REPOSITORY / "generator/templates").glob("*.yml.j2")
    )
    code = (REPOSITORY / "roles/preflight/action_plugins/preflight.py").read_text()
    assert {name for name in NOT_INPUTS if name not in playbooks and name not in code} == set()


def test_the_order_names_every_role_that_is_always_there() -> None:
    assert {*ORDER, *LAST, "preflight"} >= ALWAYS
    assert set(NAMES) >= ALWAYS
    shipped = play_order(frozenset(NAMES))
    assert set(shipped) <= {*ORDER, *LAST}, "a shipped role has its place in the order"
    assert shipped[0] == "undo"
    assert shipped[-1] == "docker_restart"


@pytest.mark.parametrize("path", HOST_SIDE, ids=lambda path: path.name)
def test_host_side_code_runs_on_python_3_8(path: Path) -> None:
    tree = ast.parse(path.read_text(), feature_version=(3, 8))
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    assert any(node.module == "__future__" for node in imports)


def flat(tasks: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Tasks with those of their blocks."""
    found = []
    for task in tasks:
        found.append(task)
        for part in ("block", "rescue", "always"):
            found += flat(task.get(part, []))
    return found


@pytest.mark.parametrize("path", TASKS, ids=lambda path: f"{path.parts[-3]}/{path.name}")
def test_tasks_keep_to_the_style(path: Path) -> None:
    tasks = flat(yaml.safe_load(path.read_text()))
    assert tasks
    own_modules = {file.stem for file in REPOSITORY.glob("roles/*/library/*.py")}
    own_modules |= {file.stem for file in REPOSITORY.glob("roles/*/action_plugins/*.py")}
    for task in tasks:
        assert re.match("[A-Z]", task["name"])
        forbidden = {"ignore_errors", "notify", "ansible.builtin.shell", "shell"}
        assert not forbidden & task.keys(), "no ignored error, no handler, no shell"
        modules = {key for key in task if "." in key} | own_modules & task.keys()
        assert modules or "block" in task, f"not a full module name: {sorted(task)}"


def test_no_role_has_handlers() -> None:
    """A handler is lost when a later task fails; docker_restart compares wanted with running."""
    assert list(REPOSITORY.glob("roles/*/handlers")) == []
