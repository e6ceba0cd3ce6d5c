"""The commands and the exit codes; each command imports what it needs when it runs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from generator import __version__, streams
from generator.content import find_content

CommandT = TypeVar("CommandT", bound=Callable[..., Any])

_DIRECTORY = click.Path(file_okay=False, path_type=Path)
_EXISTING_DIRECTORY = click.Path(exists=True, file_okay=False, path_type=Path)
_EXISTING_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_SHELLS = ("bash", "zsh", "fish")
_INTERRUPTED = 130


def main() -> None:
    """The one boundary where errors become messages and exit codes."""
    streams.settle()
    try:
        code = cli.main(standalone_mode=False, prog_name="hardhost") or 0
        sys.stdout.flush()
        sys.exit(code)
    except (click.exceptions.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        sys.exit(_INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except Exception as error:
        from generator.errors import messages, printable  # noqa: PLC0415

        said, code = messages(error)
        if not said:
            raise
        sys.stdout.flush()
        for message in said:
            click.echo(printable(message), err=True)
        sys.exit(code)


def _complete_names(*kinds: str) -> Callable[..., list[CompletionItem]]:
    def complete(context: click.Context, _: click.Parameter, typed: str) -> list[CompletionItem]:
        from generator.commands.completion import names  # noqa: PLC0415

        given = context.params
        content = find_content(given.get("roles") or (), given.get("profiles") or ())
        found = names(content, kinds)
        return [CompletionItem(name, help=text) for name, text in found if name.startswith(typed)]

    return complete


def _content_options(command: CommandT) -> CommandT:
    profiles = click.option(
        "--profiles", multiple=True, type=_EXISTING_DIRECTORY, help="Add a directory of profiles."
    )
    roles = click.option(
        "--roles",
        multiple=True,
        type=_EXISTING_DIRECTORY,
        help="Add a directory of roles with controls.",
    )
    return profiles(roles(command))


_format_option = click.option(
    "--format",
    "output_format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Text for people or JSON for programs.",
)
_force_option = click.option(
    "--force",
    is_flag=True,
    help="Overwrite files that were modified by hand since the last render.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="hardhost")
def cli() -> None:
    """Compile a hardening profile into an Ansible project that hardens Docker hosts.

    Exit codes: 0 fine; 1 `diff` found differences or `verify` found failures; 2 usage;
    3 invalid content; 130 interrupted.
    """


@cli.group("list")
def list_() -> None:
    """List profiles or controls."""


@list_.command("profiles")
@_content_options
@_format_option
def list_profiles(profiles: tuple[Path, ...], roles: tuple[Path, ...], output_format: str) -> int:
    """List the profiles."""
    from generator.commands import listing  # noqa: PLC0415

    return listing.list_profiles(find_content(roles, profiles), output_format)


@list_.command("controls")
@click.option("--role", shell_complete=_complete_names("role"), help="Only controls of this role.")
@click.option(
    "--severity",
    type=click.Choice(["low", "medium", "high", "critical"]),
    help="Only controls of this severity.",
)
@click.option(
    "--benchmark",
    metavar="NAME[:ID]",
    shell_complete=_complete_names("benchmark"),
    help="Every id of a benchmark and what covers it, e.g. cis_docker_1.8.0, cis_docker_1.8.0:2.2.",
)
@click.option(
    "--profile", shell_complete=_complete_names("profile"), help="Only controls of this profile."
)
@_content_options
@_format_option
def list_controls(
    role: str | None,
    severity: str | None,
    benchmark: str | None,
    profile: str | None,
    profiles: tuple[Path, ...],
    roles: tuple[Path, ...],
    output_format: str,
) -> int:
    """List the controls; filters narrow the list together."""
    from generator.commands import listing  # noqa: PLC0415

    return listing.list_controls(
        find_content(roles, profiles),
        output_format,
        role=role,
        severity=severity,
        benchmark=benchmark,
        profile=profile,
    )


@cli.command("explain")
@click.argument(
    "name", metavar="CONTROL|PROFILE", shell_complete=_complete_names("control", "profile")
)
@_content_options
@_format_option
def explain(
    name: str, profiles: tuple[Path, ...], roles: tuple[Path, ...], output_format: str
) -> int:
    """Say what a control or a profile does, why, and where each value comes from."""
    from generator.commands.explain import explain as run  # noqa: PLC0415

    return run(find_content(roles, profiles), name, output_format)


@cli.command("validate")
@click.option("--environments", type=_EXISTING_FILE, help="Check this environments file too.")
@_content_options
def validate(environments: Path | None, profiles: tuple[Path, ...], roles: tuple[Path, ...]) -> int:
    """Check every control and profile, and that no exception has expired."""
    from generator.commands.validate import validate as run  # noqa: PLC0415

    return run(find_content(roles, profiles), environments, date.today())


@cli.command("diff")
@click.argument("first", metavar="A", shell_complete=_complete_names("profile", "path"))
@click.argument("second", metavar="B", shell_complete=_complete_names("profile", "path"))
@_content_options
@_format_option
def diff(
    first: str,
    second: str,
    profiles: tuple[Path, ...],
    roles: tuple[Path, ...],
    output_format: str,
) -> int:
    """Compare two profiles or rendered projects; exit 1 where they differ.

    A and B are names of profiles or directories that `render` wrote (./production where a
    profile has the same name).
    """
    from generator.commands.diff import diff as run  # noqa: PLC0415

    return run(find_content(roles, profiles), first, second, output_format)


@cli.command("render")
@click.argument("profile", required=False, shell_complete=_complete_names("profile"))
@click.option("-o", "--output", "directory", type=_DIRECTORY, required=True, help="Where to write.")
@click.option(
    "--environments",
    type=_EXISTING_FILE,
    help="Write one project per environment of this file, DIR/<environment>.",
)
@click.option(
    "--sign",
    "key",
    type=_EXISTING_FILE,
    help="Sign the manifest with this ssh key; `verify --signers` demands it.",
)
@_force_option
@_content_options
def render(
    profile: str | None,
    directory: Path,
    environments: Path | None,
    key: Path | None,
    force: bool,
    profiles: tuple[Path, ...],
    roles: tuple[Path, ...],
) -> int:
    """Write the Ansible project of PROFILE, or one per environment, to a directory."""
    from generator.commands import render as commands  # noqa: PLC0415

    content, today = find_content(roles, profiles), date.today()
    if (profile is None) == (environments is None):
        raise click.UsageError("Give either PROFILE or --environments FILE.")
    if environments is not None:
        return commands.render_environments(
            content, environments, directory, force=force, today=today, key=key
        )
    assert profile is not None  # noqa: S101 - one of the two is given
    return commands.render_profile(content, profile, directory, force=force, today=today, key=key)


@cli.command("verify")
@click.argument("directory", metavar="DIR", type=_EXISTING_DIRECTORY)
@click.option(
    "-i",
    "--inventory",
    required=True,
    type=click.Path(exists=True, path_type=Path),
    help="The inventory of the hosts.",
)
@click.option("--probe", is_flag=True, help="Prove by effect too, in containers that try.")
@click.option("--limit", metavar="PATTERN", help="Only these hosts, as with ansible-playbook.")
@click.option(
    "--report", type=click.Path(dir_okay=False, path_type=Path), help="Where to write report.json."
)
@click.option(
    "--junit", type=click.Path(dir_okay=False, path_type=Path), help="Write JUnit XML too."
)
@click.option(
    "--signers",
    type=_EXISTING_FILE,
    help="Demand a signed manifest, by a key of this file (allowed_signers of ssh-keygen).",
)
@_format_option
def verify(
    directory: Path,
    inventory: Path,
    probe: bool,
    limit: str | None,
    report: Path | None,
    junit: Path | None,
    signers: Path | None,
    output_format: str,
) -> int:
    """Prove on the hosts what is in force; exit 1 where anything fails or nothing ran."""
    from generator import console  # noqa: PLC0415
    from generator.commands.verify import verify as run  # noqa: PLC0415

    return run(
        directory,
        inventory,
        probe=probe,
        limit=limit,
        report=report,
        junit=junit,
        signers=signers,
        output_format=output_format,
        console=console,
    )


@cli.command("schema")
@click.argument("kind", type=click.Choice(["profile", "control"]))
def schema(kind: str) -> int:
    """Print the JSON Schema of profile or control files."""
    from generator.commands.schema import schema as run  # noqa: PLC0415

    return run(kind)


@cli.command("completion")
@click.argument("shell", type=click.Choice(_SHELLS))
def completion(shell: str) -> int:
    """Print the completion script of a shell.

    \b
    bash: hardhost completion bash > ~/.local/share/bash-completion/completions/hardhost
    zsh:  hardhost completion zsh > "${fpath[1]}/_hardhost"
    fish: hardhost completion fish > ~/.config/fish/completions/hardhost.fish
    """
    from generator.commands.completion import script  # noqa: PLC0415

    return script(cli, shell)


if __name__ == "__main__":
    main()
