"""`hardhost validate`: everything loads, every profile resolves, no exception has expired."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from generator import console
from generator.commands.load import load_noting
from generator.content import Content
from generator.environments import load_environments
from generator.errors import Problems
from generator.resolve import expired


def validate(content: Content, environments: Path | None, today: date) -> int:
    """Raises InvalidContent with all problems; says what was checked where there is none."""
    problems = Problems()
    library = load_noting(content, problems)
    for profile in library.profiles.values():
        for origin, text in expired(profile, today):
            problems.add(origin.path, origin.line, text)
    count = 0
    if environments:
        with problems.collecting():
            count = len(load_environments(environments, library.catalog, library.profiles))
    problems.raise_if_any()
    roles = sum(1 for role in library.catalog.roles.values() if role.controls)
    console.print_message(
        f"valid: {len(library.profiles)} profiles, {len(library.catalog.controls)} controls "
        f"of {roles} roles" + (f", {count} environments" if environments else "")
    )
    return 0
