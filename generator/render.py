"""Plan -> {relative path: bytes}: the project, before anything touches the disk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from generator import wording
from generator.catalog import Catalog
from generator.content import Content
from generator.defaults import with_values
from generator.errors import InvalidContent, Problem, shown
from generator.layout import play_order
from generator.model import SEVERITIES, Plan, Role
from generator.resolve import rendered_roles

MANIFEST = "MANIFEST.sha256"
PLAN = "plan.json"

_PLAYBOOKS = ("preflight.yml", "site.yml", "rollback.yml")
_TEMPLATES = (*_PLAYBOOKS, "CONTROLS.md")
_VERBATIM = {
    "ansible.cfg": "ansible.cfg",
    "requirements.txt": "requirements.txt",
    "gitignore": ".gitignore",
}
_TEMPLATE_DIRECTORY = Path(__file__).resolve().parent / "templates"


def render(plan: Plan, catalog: Catalog, content: Content) -> dict[str, bytes]:
    """Every file of the project, the manifest included."""
    files = {
        PLAN: plan_json(plan),
        "inventory.example": _inventory_example(content, plan.group),
    }
    for source, target in _VERBATIM.items():
        files[target] = (_TEMPLATE_DIRECTORY / source).read_bytes()
    for name in _TEMPLATES:
        files[name] = _from_template(name, plan, _surfaces(plan, catalog))
    for name in sorted(rendered_roles(plan)):
        files.update(_role_files(catalog.roles[name], plan))
    files.update(_host_tests(plan, content))
    files[MANIFEST] = manifest(files)
    return files


def plan_json(plan: Plan) -> bytes:
    data = plan.model_dump(mode="json", by_alias=True)
    return (json.dumps(data, indent=2, ensure_ascii=False) + "\n").encode()


def manifest(files: Mapping[str, bytes]) -> bytes:
    """What `sha256sum -c` reads; the manifest does not list itself."""
    lines = (
        f"{hashlib.sha256(content).hexdigest()}  {path}\n"
        for path, content in sorted(files.items())
    )
    return "".join(lines).encode()


def _inventory_example(content: Content, group: str) -> bytes:
    """The shipped example, which always names the group that this project is for."""
    text = (content.root / "inventory.example").read_text(encoding="utf-8")
    if f"[{group}]" not in text:
        text += f"\n# The hosts that this project is for.\n[{group}]\nhost1.example.org\n"
    return text.encode()


def _surfaces(plan: Plan, catalog: Catalog) -> tuple[str, ...]:
    """The roles that tell preflight themselves what they read; see `hardhost_surfaces.py`."""
    module = "module_utils/hardhost_surface_{}.py"
    roles = play_order(rendered_roles(plan))
    return tuple(one for one in roles if (catalog.roles[one].path / module.format(one)).is_file())


def _from_template(name: str, plan: Plan, surfaces: tuple[str, ...]) -> bytes:
    with_controls = frozenset(control.role for control in plan.controls)
    text = (
        _templates()
        .get_template(f"{name}.j2")
        .render(
            plan=plan,
            roles=play_order(rendered_roles(plan)),
            roles_with_controls=with_controls,
            surfaces=surfaces,
            severities=SEVERITIES[::-1],
        )
    )
    return text.encode()


@cache
def _templates() -> Environment:
    """Marks of their own, so that a playbook's `{{ }}` stays what Ansible evaluates."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATE_DIRECTORY),
        undefined=StrictUndefined,
        variable_start_string="<<",
        variable_end_string=">>",
        block_start_string="<%",
        block_end_string="%>",
        comment_start_string="<#",
        comment_end_string="#>",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - YAML and Markdown, not HTML
    )
    environment.filters |= {
        "prose": wording.prose,
        "cell": wording.cell,
        "code": wording.code,
        "value": lambda given: wording.code(wording.value(given)),
        "leaves": wording.wanted,
        "anchor": lambda identity: identity.replace("/", ""),
    }
    return environment


def _role_files(role: Role, plan: Plan) -> Iterator[tuple[str, bytes]]:
    """The role without its controls and without files that only absent settings need."""
    used = {name for one in plan.controls if one.role == role.name for name in one.settings}
    unneeded = {file for file, names in role.only_with.items() if used.isdisjoint(names)}
    for path in _tree(role.path):
        relative = path.relative_to(role.path).as_posix()
        if relative.startswith("controls/") or relative in unneeded | {"meta/hardhost.yml"}:
            continue
        content = path.read_bytes()
        if relative == "defaults/main.yml":
            content = with_values(content.decode(), _own_values(role, plan)).encode()
        yield f"roles/{role.name}/{relative}", content


def _own_values(role: Role, plan: Plan) -> dict[str, Any]:
    """The inputs of a role that profile or environment gave a value."""
    return {
        one.option.name: plan.inputs[one.option.name].value
        for one in role.inputs
        if plan.inputs[one.option.name].source != one.file
    }


def _host_tests(plan: Plan, content: Content) -> Iterator[tuple[str, bytes]]:
    """The shipped proof; of its checks only those that the plan names."""
    used = {control.check for control in plan.controls}
    for path in _tree(content.host_tests):
        relative = path.relative_to(content.host_tests)
        is_check = relative.parent.name == "checks" and not path.name.startswith("_")
        if not is_check or path.stem in used:
            yield f"tests/host/{relative.as_posix()}", path.read_bytes()


def _tree(directory: Path) -> Iterator[Path]:
    """Every regular file below a directory, sorted; links are refused, byte code is left out."""
    for path in sorted(directory.iterdir()):
        if path.name.startswith(".") or path.name == "__pycache__" or path.suffix == ".pyc":
            continue
        if path.is_symlink():
            text = "a symbolic link; a role and the host tests hold regular files only"
            raise InvalidContent([Problem(shown(path.absolute()), 0, text)])
        if path.is_dir():
            yield from _tree(path)
        elif path.is_file():
            yield path
