"""Controls load from their directory; each mistake is told with file, line and remedy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from generator.catalog import precondition_names
from generator.commands.load import Library, load
from generator.content import Content
from generator.errors import InvalidContent

Found = Callable[[], list[str]]
ICC = "roles/docker_daemon/controls/icc.yml"


def edit(root: Path, name: str, before: str, after: str) -> None:
    path = root / name
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


def test_the_id_is_the_path(library: Library) -> None:
    assert list(library.catalog.controls) == [
        "docker_daemon/icc",
        "docker_daemon/log_rotation",
        "docker_daemon/no_debug",
        "docker_daemon/no_plain_tcp",
        "docker_files/daemon_json",
    ]


def test_a_control_without_a_check_has_that_of_its_role(library: Library) -> None:
    checks = {name: control.check for name, control in library.catalog.controls.items()}
    assert checks["docker_daemon/icc"] == "icc"
    assert checks["docker_daemon/no_debug"] == "daemon_option"
    assert checks["docker_files/daemon_json"] == "path_permissions"


def test_one_reference_may_stand_without_a_list(library: Library) -> None:
    assert library.catalog.controls["docker_daemon/icc"].file.references == {
        "cis_docker_1.8.0": ("2.2",),
        "nist_800_190": ("4.4.2",),
    }


def test_inputs_are_the_variables_with_a_default_and_the_prefix(library: Library) -> None:
    assert list(library.catalog.inputs) == [
        "docker_daemon_accept",
        "docker_daemon_key",
        "docker_daemon_log_max_size",
        "docker_daemon_members",
        "docker_daemon_nofile_soft",
        "docker_daemon_ratio",
        "docker_restart_policy",
        "docker_restart_window",
    ]
    assert library.catalog.inputs["docker_daemon_nofile_soft"].value == 1024
    assert library.catalog.roles["docker_daemon"].settings == {
        "docker_daemon_options",
        "docker_daemon_registry",
    }
    secret = [name for name, one in library.catalog.inputs.items() if one.option.secret]
    assert secret == ["docker_daemon_key"]


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("severity: high", "severity: hihg", ":2: 'severity' is 'hihg' (did you mean 'high'?)"),
        ("severity: high", "severity: 9", ":2: 'severity' is 9; accepted: critical, high, low, medium"),
        ("severity: high\n", "", ":1: key 'severity' is missing"),
        ("rationale:", "rational:", ":4: unknown key 'rational' (did you mean 'rationale'?)"),
        ('"2.2"', "2.2", ":7: 'references.cis_docker_1.8.0' is the unquoted 2.2, which YAML reads as the number 2.2; quote it: \"2.2\""),
        ('"2.2"', "2", ':7: \'references.cis_docker_1.8.0\' must be text; quote it: "2"'),
        ('"2.2"', '"two"', ":7: 'references.cis_docker_1.8.0' is 'two'; a reference is a quoted id, e.g. \"2.2\""),
        ('["4.4.2"]', '["4.4.2", "N1"]', ":8: 'references.nist_800_190.1' is 'N1'; a reference is a quoted id, e.g. \"2.2\""),
        ("cis_docker_1.8.0", "cis_docker_1.8", ":7: unknown key 'references.cis_docker_1.8' (did you mean 'cis_docker_1.8.0'?)"),
        ('">=20.10"', '"20.10 or later"', ":9: 'engine' is '20.10 or later'; a gate is comparisons separated by commas, e.g. \">=20.10,<29\""),
        ("[bridge_netfilter]", "[bridge_netfliter]", ":10: control 'docker_daemon/icc': unknown precondition 'bridge_netfliter' (did you mean 'bridge_netfilter'?)"),
        ("docker_daemon_options: {icc", "docker_daemon_option: {icc", ":13: control 'docker_daemon/icc': the role declares no variable 'docker_daemon_option' of type dict for settings (did you mean 'docker_daemon_options'?)"),
        ("{icc: false}", "false", ":13: control 'docker_daemon/icc': 'settings.docker_daemon_options' must be a map of keys to values"),
        ("icc: false", "icc: off", ":13: 'settings.docker_daemon_options.icc' is the unquoted off, which YAML reads as false; write false, or quote it: \"off\""),
        ("icc: false", "icc: {from_input: docker_daemon_acept}", ":13: control 'docker_daemon/icc': unknown input 'docker_daemon_acept' (did you mean 'docker_daemon_accept'?)"),
        ("icc: false", "icc: {never: true}", ":13: control 'docker_daemon/icc': 'settings.docker_daemon_options.icc.never' must be a list of values"),
        ("icc: false", "icc: {never: [true], always: 1}", ":13: control 'docker_daemon/icc': 'settings.docker_daemon_options.icc' mixes a wish with 'always'; accepted: from_input, never, when, without"),
        ("docker_daemon_options.icc: the", "docker_daemon_options.icb: the", ":15: control 'docker_daemon/icc': 'sources' names 'docker_daemon_options.icb', which 'settings' does not set (did you mean 'docker_daemon_options.icc'?)"),
        ("preconditions: [bridge_netfilter]", "needs: {docker_daemon_target: where to}", ":10: control 'docker_daemon/icc': unknown input 'docker_daemon_target'"),
        ("preconditions: [bridge_netfilter]", "requires: [docker_daemon/nothing]", ":10: control 'docker_daemon/icc': unknown control 'docker_daemon/nothing'"),
        ("preconditions: [bridge_netfilter]", "preconditions: bridge_netfilter", ":10: 'preconditions' must be a list"),
        ("impact: Containers", "impact: ''\nplatforms: [sles]\n#", ":5: 'impact' must not be empty"),
    ],
)  # fmt: skip
def test_mistakes_in_a_control(
    root: Path, problems: Found, before: str, after: str, message: str
) -> None:
    edit(root, ICC, before, after)
    assert [told for told in problems() if told.startswith(ICC + message)] != []


def test_mistakes_of_all_files_are_told_at_once(root: Path, problems: Found) -> None:
    edit(root, ICC, "severity: high", "severity: hihg")
    edit(root, "roles/docker_files/controls/daemon_json.yml", '"0644"', "0644")
    edit(root, "profiles/production.yml", "extends: baseline", "extends: baselin")
    (root / "profiles" / "broken.yml").write_text("title: [\n")
    assert [line.split(":")[0] for line in problems()] == [
        "profiles/broken.yml",
        "profiles/production.yml",
        "roles/docker_daemon/controls/icc.yml",
        "roles/docker_files/controls/daemon_json.yml",
    ]


def test_a_control_that_cannot_be_read_is_not_called_unknown_too(
    root: Path, problems: Found
) -> None:
    (root / ICC).write_text("- not a map\n")
    assert problems() == [f"{ICC}:1: must be a map of keys to values"]


def test_broken_argument_specs_are_told_once(root: Path, problems: Found) -> None:
    specs = "roles/docker_daemon/meta/argument_specs.yml"
    edit(root, specs, "options:", "\toptions:")
    assert problems() == [f"{specs}:4: a tab in the indentation; use spaces"]


@pytest.mark.parametrize("name", ["Icc.yml", "icc.yaml", "2icc.yml", "ic-c.yml", "..yml"])
def test_a_file_whose_name_is_no_id_is_told(root: Path, problems: Found, name: str) -> None:
    (root / "roles/docker_daemon/controls" / name).write_text("title: x\n")
    expected = [] if name.startswith(".") else [name]
    assert [line for line in problems() if "not the name of a control" in line] == [
        f"roles/docker_daemon/controls/{each}: not the name of a control; a name is lower-case "
        "letters, digits and underscores, and ends in .yml"
        for each in expected
    ]


def test_a_wish_for_the_input_of_another_role_is_refused(root: Path, problems: Found) -> None:
    edit(
        root,
        "roles/docker_files/controls/daemon_json.yml",
        "owner: root",
        "owner: {from_input: docker_daemon_log_max_size}",
    )
    assert problems() == [
        "roles/docker_files/controls/daemon_json.yml:9: control 'docker_files/daemon_json': input "
        "'docker_daemon_log_max_size' belongs to role 'docker_daemon'; use one of role 'docker_files'"
    ]  # fmt: skip


def test_extra_roles_are_added_and_a_clash_names_both(content: Content, tmp_path: Path) -> None:
    own = tmp_path / "own" / "roles"
    controls = own / "my_role" / "controls"
    controls.mkdir(parents=True)
    control = (content.root / "roles/docker_daemon/controls/no_plain_tcp.yml").read_text()
    (controls / "mine.yml").write_text(control)
    more = content._replace(roles=(*content.roles, own))
    mine = load(more).catalog.controls["my_role/mine"]
    assert mine.check == "my_role"
    (own / "docker_daemon").mkdir()
    with pytest.raises(InvalidContent) as raised:
        load(more)
    assert len(raised.value.problems) == 1
    assert str(own / "docker_daemon") in str(raised.value)
    assert str(content.root / "roles" / "docker_daemon") in str(raised.value)


def test_preconditions_are_read_without_running_the_module(
    content: Content, tmp_path: Path
) -> None:
    assert precondition_names(content.preconditions) == {"bridge_netfilter", "local_log_driver"}
    assert precondition_names(tmp_path / "missing.py") is None
    annotated = tmp_path / "annotated.py"
    annotated.write_text("PRECONDITIONS: dict = {'one': 1}\n")
    assert precondition_names(annotated) == {"one"}


def test_a_role_may_bring_preconditions_for_its_own_controls(root: Path, problems: Found) -> None:
    edit(root, ICC, "[bridge_netfilter]", "[mine]")
    assert [line for line in problems() if "unknown precondition 'mine'" in line]
    for role in ("docker_files", "docker_daemon"):
        surface = root / f"roles/{role}/module_utils/hardhost_surface_{role}.py"
        surface.parent.mkdir()
        surface.write_text("raise ImportError\nPRECONDITIONS = {'mine': None}\n")
        assert bool(problems()) == (role == "docker_files"), "another role's do not count"


def test_a_mistake_in_a_roles_own_page_is_told(root: Path, problems: Found) -> None:
    (root / "roles/docker_daemon/meta/hardhost.yml").write_text("chek: x\nonly_with: {a: b}\n")
    assert problems() == [
        "roles/docker_daemon/meta/hardhost.yml:1: unknown key 'chek' (did you mean 'check'?)",
        "roles/docker_daemon/meta/hardhost.yml:2: 'only_with.a' must be a list",
    ]


@pytest.mark.parametrize(
    ("pattern", "value", "refused"),
    [
        ("icc", "false", True),
        ("i*", "false", True),
        ("icc", "true", False),
        ("ipv6", "false", False),
    ],
)
def test_a_value_that_the_role_refuses_is_told_with_the_reason(
    root: Path, problems: Found, pattern: str, value: str, refused: bool
) -> None:
    """Values are compared as they are written: false is False to Python."""
    word = value.capitalize()
    (root / "roles/docker_daemon/meta/hardhost.yml").write_text(
        f'refused: {{docker_daemon_options: {{"{pattern}": {{"{word}": nobody could reach it}}}}}}\n'
    )
    expected = [
        "roles/docker_daemon/controls/icc.yml:13: control 'docker_daemon/icc': "
        "icc must not be False: nobody could reach it"
    ]
    assert problems() == (expected if refused else [])
