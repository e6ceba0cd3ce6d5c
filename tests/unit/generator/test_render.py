"""Plan -> files: only what the profile uses, the same bytes every time, nothing evaluated."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from generator.commands.load import Library, load
from generator.content import Content
from generator.errors import InvalidContent
from generator.layout import play_order
from generator.render import render
from generator.resolve import resolve


def rendered(library: Library, profile: str = "production") -> dict[str, bytes]:
    return render(
        resolve(library.catalog, library.profiles[profile]), library.catalog, library.content
    )


def playbook(files: dict[str, bytes], name: str = "site.yml") -> Any:
    return yaml.safe_load(files[name])


def test_the_project_holds_what_the_profile_uses(library: Library) -> None:
    assert sorted(rendered(library, "baseline")) == [
        ".gitignore",
        "CONTROLS.md",
        "MANIFEST.sha256",
        "ansible.cfg",
        "inventory.example",
        "plan.json",
        "preflight.yml",
        "requirements.txt",
        "roles/docker_daemon/defaults/main.yml",
        "roles/docker_daemon/meta/argument_specs.yml",
        "roles/docker_daemon/tasks/main.yml",
        "roles/docker_restart/defaults/main.yml",
        "roles/docker_restart/meta/argument_specs.yml",
        "roles/docker_restart/tasks/main.yml",
        "roles/preflight/defaults/main.yml",
        "roles/preflight/meta/argument_specs.yml",
        "roles/preflight/module_utils/hardhost_preconditions.py",
        "roles/preflight/tasks/main.yml",
        "roles/undo/defaults/main.yml",
        "roles/undo/meta/argument_specs.yml",
        "roles/undo/tasks/main.yml",
        "rollback.yml",
        "site.yml",
        "tests/host/checks/__init__.py",
        "tests/host/checks/daemon_option.py",
        "tests/host/test_controls.py",
    ]


def test_a_file_that_only_some_settings_need_comes_with_them(root: Path, content: Content) -> None:
    control = root / "roles/docker_daemon/controls/no_plain_tcp.yml"
    control.write_text(control.read_text() + "settings: {docker_daemon_registry: {a: 1}}\n")
    files = rendered(load(content), "baseline")
    assert "roles/docker_daemon/tasks/registry.yml" in files


def test_twice_the_same_bytes(library: Library) -> None:
    first, second = rendered(library), rendered(library)
    assert first == second
    assert list(first) == list(second)


def test_the_order_of_files_on_disk_does_not_matter(content: Content, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    for path in sorted(content.root.rglob("*"), reverse=True):
        if path.is_file():
            target = other / path.relative_to(content.root)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    moved = Content((other / "roles",), (other / "profiles",), other)
    assert rendered(load(content)) == rendered(load(moved)), "no path of this machine is in a file"


def test_the_manifest_lists_every_other_file(library: Library) -> None:
    files = rendered(library)
    lines = files["MANIFEST.sha256"].decode().splitlines()
    assert [line.split("  ")[1] for line in lines] == sorted(files.keys() - {"MANIFEST.sha256"})
    for line in lines:
        digest, path = line.split("  ")
        assert digest == hashlib.sha256(files[path]).hexdigest()


def test_site_reads_all_hosts_and_then_applies_in_order(library: Library) -> None:
    first, second = playbook(rendered(library))
    assert first["roles"] == [{"role": "preflight"}]
    assert first["tags"] == ["always"]
    assert [role["role"] for role in second["roles"]] == [
        "undo",
        "docker_daemon",
        "docker_files",
        "docker_restart",
    ]
    assert second["roles"][1] == {
        "role": "docker_daemon",
        "tags": ["docker_daemon"],
        "vars": {"docker_daemon_controls": "{{ hardhost_apply.docker_daemon | default([]) }}"},
    }
    assert "vars" not in second["roles"][0]
    assert second["serial"] == "{{ hardhost_serial | default('100%') }}"
    assert "max_fail_percentage" not in second  # it would stop hosts where they are
    assert second["pre_tasks"][0]["ansible.builtin.meta"] == "end_play"
    assert second["pre_tasks"][0]["tags"] == ["always"]


@pytest.mark.parametrize("name", ["preflight.yml", "site.yml", "rollback.yml"])
def test_every_play_is_for_the_group_alone_and_gathers_nothing(library: Library, name: str) -> None:
    plays = playbook(rendered(library), name)
    assert plays
    for play in plays:
        assert play["hosts"] == "production"
        assert play["gather_facts"] is False
        assert play["become"] is True


def test_rollback_takes_back_everything_unless_told_otherwise(library: Library) -> None:
    first, second = playbook(rendered(library), "rollback.yml")
    scope = (
        "{{ hardhost_rollback_scope | default('controls' if hardhost_rollback_controls is defined "
        "else 'run' if hardhost_rollback_run is defined else 'all') }}"
    )
    assert first["roles"][0]["vars"] == {
        "preflight_scope": scope,
        "preflight_scope_controls": "{{ hardhost_rollback_controls | default([]) }}",
        "preflight_scope_run": "{{ hardhost_rollback_run | default('') }}",
    }
    assert [role["role"] for role in second["roles"]] == ["undo", "docker_restart"]
    assert second["roles"][0]["vars"] == {
        "undo_scope": scope,
        "undo_controls": "{{ hardhost_rollback_controls | default([]) }}",
        "undo_scope_run": "{{ hardhost_undo_run }}",
    }


def test_unknown_roles_come_before_the_restart() -> None:
    roles = frozenset({"docker_restart", "my_role", "kernel", "undo", "preflight", "docker_daemon"})
    assert play_order(roles) == ("undo", "kernel", "docker_daemon", "my_role", "docker_restart")


def test_inputs_of_the_profile_become_defaults(library: Library) -> None:
    text = rendered(library)["roles/docker_daemon/defaults/main.yml"].decode()
    assert '# How large one log file may grow.\ndocker_daemon_log_max_size: "50m"\n' in text


def test_a_template_arrives_as_text_everywhere(root: Path, content: Content) -> None:
    evil = "{{ lookup('pipe', 'id') }}"
    (root / "profiles/evil.yml").write_text(
        f'title: "{evil}"\nextends: production\ninputs: {{docker_daemon_log_max_size: "{evil}"}}\n'
    )
    files = rendered(load(content), "evil")
    assert f'!unsafe "{evil}"' in files["roles/docker_daemon/defaults/main.yml"].decode()
    assert json.loads(files["plan.json"])["title"] == evil
    for name in ("site.yml", "preflight.yml", "rollback.yml"):
        assert b"lookup" not in files[name]


@pytest.mark.parametrize(("profile", "added"), [("production", False), ("baseline", True)])
def test_the_example_inventory_has_the_projects_group(
    library: Library, profile: str, added: bool
) -> None:
    text = rendered(library, profile)["inventory.example"].decode()
    assert text.count(f"[{profile}]") == 1
    assert ("# The hosts that this project is for." in text) == added


def test_our_own_template_marks_in_a_text_stay_text(root: Path, content: Content) -> None:
    (root / "profiles/odd.yml").write_text(
        'title: "<< 7 * 6 >> <% raise %>"\nextends: production\n'
    )
    files = rendered(load(content), "odd")
    assert "# << 7 * 6 >> <% raise %>" in files["CONTROLS.md"].decode()


def test_controls_md_tells_each_control(library: Library) -> None:
    text = rendered(library)["CONTROLS.md"].decode()
    assert "| [docker_daemon/icc](#docker_daemonicc) | apply | high | restart |" in text
    assert "- **Waived** until 2099-03-31: the vendor's agent" in text
    assert "- `docker_daemon_options.icc` = `false`: the engine's default is true" in text
    assert "= `the input docker_daemon_log_max_size`" in text
    assert "\n\n\n" not in text


def test_a_link_in_a_role_is_refused(root: Path, library: Library) -> None:
    (root / "roles/docker_daemon/tasks/secret.yml").symlink_to("/etc/shadow")
    with pytest.raises(InvalidContent, match=r"secret\.yml: a symbolic link"):
        rendered(library)


def test_byte_code_and_hidden_files_are_left_out(root: Path, library: Library) -> None:
    (root / "roles/docker_daemon/library/__pycache__").mkdir(parents=True)
    (root / "roles/docker_daemon/library/__pycache__/x.pyc").write_bytes(b"x")
    (root / "roles/docker_daemon/tasks/.main.yml.swp").write_bytes(b"x")
    assert not [name for name in rendered(library) if "pyc" in name or ".swp" in name]
