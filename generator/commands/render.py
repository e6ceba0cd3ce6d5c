"""`hardhost render`: one project for a profile, or one per environment."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

from generator import console
from generator.commands.load import Library, load
from generator.content import Content
from generator.environments import load_environments
from generator.errors import Problem, shown
from generator.model import Environment, Profile
from generator.render import render
from generator.resolve import expired, resolve
from generator.write import Change, Written, prepare, write, write_signature


def render_profile(
    content: Content,
    profile: str,
    directory: Path,
    *,
    force: bool,
    today: date,
    key: Path | None = None,
) -> int:
    """Make DIR the project of a profile."""
    library = load(content)
    chosen = library.profile(profile)
    _warn([chosen], today)
    _write_all([prepare(directory, _files(library, chosen), force=force)], key)
    return 0


def render_environments(
    content: Content,
    environments: Path,
    directory: Path,
    *,
    force: bool,
    today: date,
    key: Path | None = None,
) -> int:
    """Make DIR/<environment> the project of each; all are checked before one is written."""
    library = load(content)
    found = load_environments(environments, library.catalog, library.profiles)
    _warn([library.profiles[one.profile] for one in found.values()], today)
    projects = {
        name: _files(library, library.profiles[one.profile], one) for name, one in found.items()
    }
    changes = [prepare(directory / name, files, force=force) for name, files in projects.items()]
    _write_all(changes, key)
    return 0


def _files(
    library: Library, profile: Profile, environment: Environment | None = None
) -> Mapping[str, bytes]:
    plan = resolve(library.catalog, profile, environment)
    return render(plan, library.catalog, library.content)


def _write_all(changes: list[Change], key: Path | None) -> None:
    for change in changes:
        _tell(change.directory, write(change))
        if key:
            from generator.signing import sign  # noqa: PLC0415 - only where it is asked for

            write_signature(change.directory, sign(change.directory, key))
            console.print_message(f"{shown(change.directory)}: manifest signed with {shown(key)}")


def _tell(directory: Path, written: Written) -> None:
    removed = f", {written.removed} removed" if written.removed else ""
    counts = f"{written.changed} files written, {written.unchanged} unchanged{removed}"
    console.print_message(f"{shown(directory)}: {counts}")
    for path in written.kept:
        console.print_message(
            f"{shown(directory / path)}: no longer needed, kept: it was modified by hand"
        )


def _warn(profiles: list[Profile], today: date) -> None:
    problems = {
        Problem(shown(origin.path), origin.line, text)
        for profile in profiles
        for origin, text in expired(profile, today)
    }
    for problem in sorted(problems):
        console.print_message(f"warning: {problem}")
