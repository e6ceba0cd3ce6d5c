"""`hardhost completion SHELL`, and the names that completion offers."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import click
from click.shell_completion import get_completion_class

from generator import coverage
from generator.commands.load import load
from generator.content import Content
from generator.errors import HardhostError


def script(command: click.Command, shell: str) -> int:
    """Print the script that a shell sources."""
    completion = get_completion_class(shell)
    assert completion is not None  # noqa: S101 - the command line offers only shells that click knows
    click.echo(completion(command, {}, "hardhost", "_HARDHOST_COMPLETE").source())
    return 0


def names(content: Content, kinds: Collection[str]) -> list[tuple[str, str]]:
    """Names with a word of help; nothing while the content is invalid, `validate` says why."""
    try:
        return [*_names(content, kinds)]
    except HardhostError:
        return []


def _names(content: Content, kinds: Collection[str]) -> Iterator[tuple[str, str]]:
    library = load(content)
    controls = library.catalog.controls
    if "profile" in kinds:
        yield from ((name, profile.title) for name, profile in library.profiles.items())
    if "control" in kinds:
        yield from ((identity, control.file.title) for identity, control in controls.items())
    if "role" in kinds:
        yield from ((name, "") for name, role in library.catalog.roles.items() if role.controls)
    if "benchmark" in kinds:
        yield from ((name, "") for name in sorted(coverage.benchmarks()))
