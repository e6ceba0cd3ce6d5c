"""`hardhost list profiles|controls`."""

from __future__ import annotations

from collections.abc import Mapping

from generator import console, coverage, wording
from generator.commands.load import load
from generator.content import Content
from generator.errors import UnknownName, one_of
from generator.model import Control, Profile


def list_profiles(content: Content, output_format: str) -> int:
    """Every profile with what it extends and how much it holds."""
    profiles = load(content).profiles
    if output_format == "json":
        console.print_json([_profile_data(profile) for profile in profiles.values()])
        return 0
    rows = [
        (
            profile.name,
            profile.lineage[1] if len(profile.lineage) > 1 else "-",
            str(len(_ids(profile, "apply"))),
            str(len(_ids(profile, "report"))),
            profile.group,
            wording.line(profile.title),
        )
        for profile in profiles.values()
    ]
    console.print_table(("PROFILE", "EXTENDS", "APPLIES", "REPORTS", "GROUP", "TITLE"), rows)
    return 0


def list_controls(
    content: Content,
    output_format: str,
    *,
    role: str | None,
    severity: str | None,
    benchmark: str | None,
    profile: str | None,
) -> int:
    """The controls that pass every filter; of a benchmark every id, and what covers it."""
    library = load(content)
    if role is not None and role not in library.catalog.roles:
        raise UnknownName(f"unknown role '{role}'{one_of(role, library.catalog.roles)}")
    members = library.profile(profile).members if profile else None
    chosen = [
        control
        for control in library.catalog.controls.values()
        if (role is None or control.role == role)
        and (severity is None or control.file.severity == severity)
        and (members is None or control.id in members)
    ]
    if benchmark is not None:
        narrowed = (role, severity, profile) != (None, None, None)
        return _list_benchmark(benchmark, chosen, output_format, only_covered=narrowed)
    modes = {identity: member.mode for identity, member in (members or {}).items()}
    if output_format == "json":
        console.print_json([_control_data(control, modes.get(control.id)) for control in chosen])
        return 0
    headers = ["CONTROL", "SEVERITY", "DISRUPTION", *(["MODE"] if profile else []), "TITLE"]
    console.print_table(headers, [_control_row(one, modes if profile else None) for one in chosen])
    return 0


def _ids(profile: Profile, mode: str) -> list[str]:
    return [identity for identity, member in profile.members.items() if member.mode == mode]


def _profile_data(profile: Profile) -> dict[str, object]:
    return {
        "name": profile.name,
        "title": profile.title,
        "description": profile.description,
        "extends": profile.lineage[1] if len(profile.lineage) > 1 else None,
        "group": profile.group,
        "apply": _ids(profile, "apply"),
        "report": _ids(profile, "report"),
    }


def _control_data(control: Control, mode: str | None) -> dict[str, object]:
    return {
        "id": control.id,
        "title": control.file.title,
        "severity": control.file.severity,
        "disruption": control.file.disruption,
        "references": dict(sorted(control.file.references.items())),
        **({"mode": mode} if mode else {}),
    }


def _control_row(control: Control, modes: Mapping[str, str] | None) -> list[str]:
    mode = [] if modes is None else [modes[control.id]]
    file = control.file
    return [control.id, file.severity, file.disruption, *mode, wording.line(file.title)]


def _list_benchmark(
    benchmark: str, controls: list[Control], output_format: str, *, only_covered: bool
) -> int:
    """`cis_docker_1.8.0` or, with one id or the beginning of ids, `cis_docker_1.8.0:2.2`."""
    name, _, wanted = benchmark.partition(":")
    known = {one: one for one in coverage.benchmarks()}
    if name not in known:
        raise UnknownName(f"unknown benchmark '{name}'{one_of(name, known)}")
    rows = [
        row
        for row in coverage.rows(known[name], controls)
        if (row.controls or not only_covered)
        and (not wanted or f"{row.id}.".startswith(f"{wanted}."))
    ]
    if output_format == "json":
        console.print_json([row._asdict() for row in rows])
        return 0
    console.print_table(("ID", "ABOUT", "COVERED BY, OR WHY NOT"), [_id_row(row) for row in rows])
    return 0


def _id_row(row: coverage.Row) -> tuple[str, str, str]:
    outcome = ", ".join(row.controls) or row.status.replace("_", " ")
    return row.id, row.about or "-", f"{outcome}: {row.reason}" if row.reason else outcome
