"""`hardhost verify DIR -i INVENTORY`: prove on the hosts what is in force, and report it."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import quote

from pydantic import ValidationError

from generator import runs
from generator.errors import HardhostError, InvalidContent, Problem, shown
from generator.journal import UNFINISHED
from generator.model import Plan
from generator.render import MANIFEST, PLAN
from generator.report import Host, Report, audited, missing
from generator.report import report as build
from generator.report_text import reasons, summary, table
from generator.write import read_manifest

# Where Ansible and pytest find code beside a playbook, whoever put it there. Their configuration in
# the project's own directory needs no look: `ansible.cfg` is listed, and pytest's is named.
_CODE = ("roles", "tests", "library", "module_utils", "collections", "doc_fragments", "*_plugins")
# What Python itself would find there, for somebody whose PYTHONPATH leads to it.
_MODULES = ("*.py", "*.pyc", "*.so", "*/__init__.*")


def verify(
    directory: Path,
    inventory: Path,
    *,
    probe: bool,
    limit: str | None,
    report: Path | None,
    junit: Path | None,
    output_format: str,
    console: ModuleType,
    signers: Path | None = None,
) -> int:
    """Exit code 0 only where every audited control holds and every host was audited."""
    project, inventory = directory.resolve(), inventory.resolve()
    if signers:
        from generator.signing import check as signed_by  # noqa: PLC0415 - only where asked for

        console.print_message(f"{shown(project)}: signed by {signed_by(project, signers)}")
    plan = plan_of(project, inventory)
    started = datetime.now(UTC)
    listed = runs.list_inventory(project, inventory, limit)
    names = runs.group_hosts(listed, plan.group)
    report = report or _place(project, names)
    hosts = [*_audit(project, inventory, limit, listed, plan, names, probe=probe)]
    found = build(plan, hosts, probe=probe, started=started, finished=datetime.now(UTC))
    _write(report, found.to_json())
    if junit:
        from generator.junit import junit as worded  # noqa: PLC0415 - only where it is asked for

        _write(junit, worded(found))
    if output_format == "json":
        console.print_text(found.to_json().rstrip())
    else:
        _print(found, plan, console)
    return found.exit_code


def plan_of(project: Path, inventory: Path) -> Plan:
    """The plan of an unmodified project in which no waiver has expired.

    Python's byte code beside the project's sources is removed: it may say something else.
    """
    try:
        text = (project / PLAN).read_bytes()
        plan = Plan.model_validate_json(text)
    except OSError:
        raise HardhostError(
            f"{shown(project)}: not a rendered project, {PLAN} is missing"
        ) from None
    except ValidationError:
        raise HardhostError(
            f"{shown(project / PLAN)}: not a plan of schema 1; render it again"
        ) from None
    problems = [
        *modifications(project, inventory),
        *expired(plan, project, datetime.now().astimezone().date()),
    ] or [*without_byte_code(project)]
    if problems:
        raise InvalidContent(problems)
    return plan


def modifications(project: Path, inventory: Path) -> Iterator[Problem]:
    """What differs from the manifest; an added file can change every answer too.

    The inventory is the operator's, though it be a program.
    """
    if (project / UNFINISHED).exists():
        text = "is half written: a render was interrupted, or is at work; render the project again"
        yield Problem(shown(project), 0, text)
        return
    listed = read_manifest(project)
    if not listed:
        yield Problem(shown(project / MANIFEST), 0, "is missing or empty; render the project again")
        return
    for name, digest in sorted(listed.items()):
        path = project / name
        if not path.is_file():
            yield Problem(
                shown(path), 0, "was removed since it was rendered; render the project again"
            )
        elif hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            yield Problem(
                shown(path), 0, "was modified since it was rendered; render the project again"
            )
    programs = {path for path in _programs(project) if not _is_cache(path)}
    for path in sorted(programs - {project / name for name in listed} - {inventory}):
        yield Problem(shown(path), 0, "was not rendered; remove it")


def without_byte_code(project: Path) -> Iterator[Problem]:
    """Remove Python's caches in the project; the programs that `runs` starts write none."""
    for path in sorted(filter(_is_cache, _programs(project))):
        try:
            path.unlink()
        except OSError as error:
            text = f"may differ from its source, and cannot be removed: {error.strerror}; remove it"
            yield Problem(shown(path), 0, text)


def _programs(project: Path) -> set[Path]:
    """Files that can be run or imported."""
    below = (path for name in _CODE for part in project.glob(name) for path in part.rglob("*"))
    found = {*below, *(path for name in _MODULES for path in project.glob(name))}
    return {path for path in found if _is_file(path)}


def _is_file(path: Path) -> bool:
    return path.is_file() or path.is_symlink()


def _is_cache(path: Path) -> bool:
    return path.parent.name == "__pycache__" and path.suffix == ".pyc" and not path.is_symlink()


def expired(plan: Plan, project: Path, today: date) -> Iterator[Problem]:
    """A waiver that has run out is no waiver; it is removed, renewed, or the control applied."""
    for control in plan.controls:
        if control.waiver and control.waiver.expires < today:
            text = (
                f"the exception for '{control.id}' expired on {control.waiver.expires}; "
                f"renew or remove it in the profile and render again"
            )
            yield Problem(shown(project / PLAN), 0, text)


def _place(project: Path, names: list[str]) -> Path:
    """Where the report goes by default; a host can have a name by which its decisions lie there."""
    place = project / "artifacts" / "report.json"
    if place in (_artifact_file(project, name) for name in names):
        raise HardhostError(
            f"{shown(place)}: holds the decisions for the host 'report'; "
            "give the report another place with --report FILE"
        )
    return place


def _audit(
    project: Path,
    inventory: Path,
    limit: str | None,
    listed: dict[str, Any],
    plan: Plan,
    names: list[str],
    *,
    probe: bool,
) -> Iterator[Host]:
    """Each of these hosts: those that preflight could read now, and why not for the others."""
    _progress(f"preflight reads {len(names)} hosts")
    before = {name: _artifact(project, name).get("run") for name in names}
    outcome = runs.preflight(project, inventory, limit) if names else runs.Outcome({}, {})
    ready = []
    for name in names:
        artifact = _artifact(project, name)
        if name in outcome.unreachable:
            yield missing(name, f"cannot be reached: {outcome.unreachable[name]}", reachable=False)
        elif artifact.get("run") == before[name]:
            why = outcome.failed.get(name, "preflight.yml did not come to it")
            yield missing(name, f"preflight failed: {why}", reachable=True)
        elif artifact["refused"]:
            yield missing(name, artifact["refused"], reachable=True, refused=artifact["refused"])
        else:
            ready.append(name)
    _progress(f"checks run on {len(ready)} hosts")
    found = runs.check(project, inventory, listed, ready, probe=probe) if ready else {}
    for name in ready:
        yield audited(plan, found[name])


def _progress(text: str) -> None:
    """For somebody who waits at a terminal; logs do not need it."""
    if sys.stderr.isatty():
        sys.stderr.write(f"{text} ...\n")


def _artifact_file(project: Path, host: str) -> Path:
    """Where the action `preflight` leaves it: no two hosts have the same."""
    return project / "artifacts" / f"{quote(host, safe='')}.json"


def _artifact(project: Path, host: str) -> dict[str, Any]:
    """The decisions preflight left; an empty object where none can be read."""
    try:
        found = json.loads(_artifact_file(project, host).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise HardhostError(f"{shown(path)}: cannot be written: {error.strerror}") from None


def _print(found: Report, plan: Plan, console: ModuleType) -> None:
    headers, rows = table(found)
    if rows:
        console.print_table(headers, rows)
        console.print_text("")
    for heading, lines in reasons(found):
        console.print_heading(heading)
        console.print_text("".join(f"  {line}\n" for line in lines))
    if not found.hosts:
        console.print_message(
            f"the inventory has no host in group '{plan.group}' (or the limit leaves none)"
        )
    console.print_text(summary(found))
