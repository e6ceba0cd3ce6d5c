"""Every shipped control keeps the law: it can be proved, broken, explained and found again."""

from __future__ import annotations

import ast
import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from generator.catalog import precondition_names
from generator.commands.load import load
from generator.content import find_content
from generator.model import Control
from generator.settings import is_wish, leaves

REPOSITORY = Path(__file__).resolve().parents[2]
LIBRARY = load(find_content())
OPT_IN = {"docker_daemon/tls_mutual", "docker_firewall/published_ports"}
CONTROLS = [pytest.param(control, id=name) for name, control in LIBRARY.catalog.controls.items()]
SUBJECT = re.compile(r"/[^\s]+|unit:[a-z]+\.(service|socket)|option:[a-z-]+")


def daemon_keys() -> dict[str, dict[str, Any]]:
    """The table of daemon.json's keys that the host-side code goes by."""
    path = REPOSITORY / "roles/preflight/module_utils/hardhost_keys.py"
    spec = importlib.util.spec_from_file_location("hardhost_keys", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    keys: dict[str, dict[str, Any]] = module.KEYS
    return keys


@pytest.mark.parametrize("control", CONTROLS)
def test_its_check_is_there(control: Control) -> None:
    module = REPOSITORY / "tests/host/checks" / f"{control.check}.py"
    functions = {
        node.name: [argument.arg.lstrip("_") for argument in node.args.args]
        for node in ast.parse(module.read_text()).body
        if isinstance(node, ast.FunctionDef)
    }
    assert functions.get("check") == ["host", "control", "artifact"]


@pytest.mark.parametrize("control", CONTROLS)
def test_there_are_states_in_which_its_check_must_fail(control: Control) -> None:
    states = yaml.safe_load((REPOSITORY / "tests/sabotage" / f"{control.id}.yml").read_text())
    assert states
    assert all(state["name"] and state["why"] for state in states)


def test_no_sabotage_is_left_of_a_control_that_is_gone() -> None:
    root = REPOSITORY / "tests/sabotage"
    found = {str(path.relative_to(root).with_suffix("")) for path in root.glob("*/*.yml")}
    assert found
    assert found - LIBRARY.catalog.controls.keys() == set()


@pytest.mark.parametrize("control", CONTROLS)
def test_a_profile_holds_it(control: Control) -> None:
    """Or none does, on purpose: what a site chooses in a profile of its own, as docs say how."""
    holding = [name for name, one in LIBRARY.profiles.items() if control.id in one.members]
    assert bool(holding) == (control.id not in OPT_IN), holding


@pytest.mark.parametrize("control", CONTROLS)
def test_every_value_says_where_it_comes_from(control: Control) -> None:
    for path, _ in leaves(control.file.settings):
        if path[0] == "docker_files_paths" and path[-1] != "mode":
            continue  # owner and group come from where the mode comes from
        leaf = ".".join(path)
        assert [
            name for name in control.file.sources if leaf == name or leaf.startswith(f"{name}.")
        ]


@pytest.mark.parametrize("control", CONTROLS)
def test_it_reads_as_a_sentence_about_the_host(control: Control) -> None:
    file = control.file
    assert re.match(r"[A-Z/`]", file.title)
    assert not file.title.endswith(".")
    assert len(file.title) <= 80
    for text in (file.rationale, file.impact):
        assert text.rstrip().endswith((".", "!", "?")), text
        assert len(text.split()) >= 5, text


@pytest.mark.parametrize("control", CONTROLS)
def test_its_references_name_a_benchmark(control: Control) -> None:
    assert control.file.references or control.role == "docker_engine"
    for ids in control.file.references.values():
        assert len(ids) == len(set(ids))


def test_titles_tell_controls_apart() -> None:
    titles = [control.file.title for control in LIBRARY.catalog.controls.values()]
    assert len(titles) == len(set(titles))


def test_the_registry_of_preconditions_was_found_and_is_used() -> None:
    known = precondition_names(LIBRARY.content.preconditions)
    assert known
    for surface in REPOSITORY.glob("roles/*/module_utils/hardhost_surface_*.py"):
        known |= precondition_names(surface) or frozenset()
    used = {name for one in LIBRARY.catalog.controls.values() for name in one.file.preconditions}
    assert used <= known


DAEMON_LEAVES = [
    pytest.param(path, value, id=f"{control.id}:{'.'.join(path)}")
    for control in LIBRARY.catalog.controls.values()
    for path, value in leaves(control.file.settings.get("docker_daemon_options", {}))
]


@pytest.mark.parametrize(("path", "value"), DAEMON_LEAVES)
def test_daemon_options_are_keys_of_the_engine_with_the_right_type(
    path: tuple[str, ...], value: Any
) -> None:
    declared = daemon_keys()[path[0]]
    assert (declared["type"] == "map") == (len(path) > 1)
    types = {"bool": bool, "int": int, "string": str, "list": list}
    if len(path) == 1 and not is_wish(value):
        assert type(value) is types[declared["type"]]


PATHS = [
    pytest.param(subject, wanted, id=f"{control.id}:{subject}")
    for control in LIBRARY.catalog.controls.values()
    for subject, wanted in control.file.settings.get("docker_files_paths", {}).items()
]


@pytest.mark.parametrize(("subject", "wanted"), PATHS)
def test_paths_have_owner_group_and_a_mode_that_can_only_take_away(
    subject: str, wanted: dict[str, Any]
) -> None:
    assert SUBJECT.fullmatch(subject)
    assert set(wanted) == {"owner", "group", "mode"}
    assert re.fullmatch(r"0[0-7]{3}", wanted["mode"])
    assert int(wanted["mode"], 8) & 0o022 == 0, "nobody but the owner may write"
