"""Catalog + Profile (+ Environment) -> Plan. Pure: the same three give the same plan."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from generator import __version__
from generator.catalog import Catalog
from generator.errors import Problems
from generator.layout import ALWAYS
from generator.model import (
    Control,
    Environment,
    Given,
    Granted,
    Member,
    Origin,
    Plan,
    PlannedControl,
    PlannedInput,
    Profile,
)
from generator.settings import Leaf, conflicts, dotted, leaves


def resolve(catalog: Catalog, profile: Profile, environment: Environment | None = None) -> Plan:
    """The plan of a profile whose controls `check_profile` found to fit together."""
    roles = frozenset(identity.split("/")[0] for identity in profile.members) | ALWAYS
    given = {**profile.inputs, **(environment.inputs if environment else {})}
    return Plan(
        hardhost=__version__,
        profile=profile.name,
        environment=environment.name if environment else None,
        title=profile.title,
        group=environment.group if environment else profile.group,
        inputs=_inputs(catalog, roles, given),
        controls=tuple(
            _planned(catalog.controls[identity], member, profile.waivers.get(identity))
            for identity, member in sorted(profile.members.items())
        ),
    )


def check_profile(catalog: Catalog, profile: Profile, problems: Problems) -> None:
    """Note what keeps the controls of a profile from going together, if each is sound by itself."""
    if any(problems.concern(catalog.controls[identity].path) for identity in profile.members):
        return
    _check_requirements(catalog, profile, problems)
    _check_conflicts(catalog, profile, problems)


def rendered_roles(plan: Plan) -> frozenset[str]:
    """The roles that a project for this plan holds."""
    return frozenset(control.role for control in plan.controls) | ALWAYS


def expired(profile: Profile, today: date) -> Iterator[tuple[Origin, str]]:
    """The exceptions whose day is over: where each was granted, and what to say."""
    for identity, granted in sorted(profile.waivers.items()):
        waiver = granted.waiver
        if waiver.expires < today:
            text = f"the exception for '{identity}' expired on {waiver.expires}"
            yield granted.origin, f"{text}; renew or remove it (owner: {waiver.owner})"


def _check_requirements(catalog: Catalog, profile: Profile, problems: Problems) -> None:
    for identity, member in profile.members.items():
        for required in catalog.controls[identity].file.requires:
            if required in catalog.controls and required not in profile.members:
                text = f"control '{identity}' requires '{required}', "
                text += f"which profile '{profile.name}' does not hold"
                problems.add(member.origin.path, member.origin.line, text)


def _check_conflicts(catalog: Catalog, profile: Profile, problems: Problems) -> None:
    wanted = (
        Leaf(path, value, identity, member.origin)
        for identity, member in profile.members.items()
        for path, value in leaves(catalog.controls[identity].file.settings)
    )
    for first, second in conflicts(wanted):
        if _exclude_each_other(catalog, first.control, second.control):
            continue
        text = (
            f"profile '{profile.name}': controls '{first.control}' and '{second.control}' both set "
            f"'{dotted(second.path)}', to {first.value!r} and {second.value!r}; keep one of them"
        )
        problems.add(second.origin.path, second.origin.line, text)


def _exclude_each_other(catalog: Catalog, one: str, other: str) -> bool:
    """Whether at most one of two controls is ever applied on a host."""
    return other in catalog.controls[one].file.unless or one in catalog.controls[other].file.unless


def _inputs(
    catalog: Catalog, roles: frozenset[str], given: dict[str, Given]
) -> dict[str, PlannedInput]:
    planned = {}
    for name, known in catalog.inputs.items():
        if known.role not in roles:
            continue
        own = given.get(name)
        planned[name] = PlannedInput(
            role=known.role,
            type=known.option.type,
            value=own.value if own else known.value,
            choices=known.option.choices,
            secret=known.option.secret,
            source=own.origin.file if own else known.file,
        )
    return planned


def _planned(control: Control, member: Member, granted: Granted | None) -> PlannedControl:
    file = control.file
    return PlannedControl(
        id=control.id,
        role=control.role,
        name=control.name,
        mode=member.mode,
        title=file.title,
        severity=file.severity,
        disruption=file.disruption,
        rationale=file.rationale,
        impact=file.impact,
        references=dict(sorted(file.references.items())),
        engine=file.engine,
        platforms=file.platforms,
        needs=file.needs,
        requires=file.requires,
        unless=file.unless,
        applied_by=file.applied_by,
        preconditions=file.preconditions,
        check=control.check,
        settings=file.settings,
        sources=file.sources,
        waiver=granted.waiver if granted else None,
        source=member.origin.file,
    )
