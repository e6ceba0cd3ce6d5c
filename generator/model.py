"""Control, Profile, Environment and Plan: the frozen types that everything passes on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainSerializer,
    StringConstraints,
    Tag,
    WithJsonSchema,
)

SCHEMA = 1
NAME = r"^[a-z][a-z0-9_]*$"
GATE = r"^(>=|<=|==|>|<)\d+(\.\d+)*(,(>=|<=|==|>|<)\d+(\.\d+)*)*$"
REFERENCE = r"^[0-9]+(\.[0-9]+)*$"
NAME_RULE = "a name is lower-case letters, digits and underscores"

Severity = Literal["low", "medium", "high", "critical"]
Disruption = Literal["none", "reload", "restart", "reboot", "recreate"]
Platform = Literal["debian", "redhat"]
Benchmark = Literal["cis_docker_1.6.0", "cis_docker_1.8.0", "nist_800_190"]
Mode = Literal["apply", "report"]

SEVERITIES: tuple[Severity, ...] = ("low", "medium", "high", "critical")


def _as_tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _one_or_many(value: object) -> object:
    return tuple(value) if isinstance(value, list) else (value,)


def _as_date(value: object) -> object:
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            return value
    return value


# The pattern of a name that must be known is for the schema only: "unknown" says more.
Name = Annotated[str, Field(json_schema_extra={"pattern": NAME})]
ControlId = Annotated[
    str, Field(json_schema_extra={"pattern": r"^[a-z][a-z0-9_]*/[a-z][a-z0-9_]*$"})
]
NewName = Annotated[str, StringConstraints(pattern=NAME)]
Text = Annotated[str, StringConstraints(min_length=1)]
Gate = Annotated[str, StringConstraints(pattern=GATE)]
_Reference = Annotated[str, StringConstraints(pattern=REFERENCE)]
References = Annotated[
    tuple[_Reference, ...],
    BeforeValidator(_one_or_many),
    Field(min_length=1),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": REFERENCE},
                {"type": "array", "items": {"type": "string", "pattern": REFERENCE}, "minItems": 1},
            ]
        }
    ),
]
Names = Annotated[tuple[Name, ...], BeforeValidator(_as_tuple)]
ControlIds = Annotated[tuple[ControlId, ...], BeforeValidator(_as_tuple)]
Platforms = Annotated[tuple[Platform, ...], BeforeValidator(_as_tuple)]
Day = Annotated[date, BeforeValidator(_as_date), PlainSerializer(date.isoformat)]


class Frozen(BaseModel):
    """A value that knows its keys and does not change."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, populate_by_name=True)


class Waiver(Frozen):
    """Why a control does not hold somewhere, who answers for it, and until when."""

    reason: Text
    owner: Text
    expires: Day


ExceptionEntry = Annotated[
    Annotated[Waiver, Tag("waiver")] | Annotated[Literal["drop"], Tag("drop")],
    Discriminator(lambda value: {dict: "waiver", Waiver: "waiver"}.get(type(value), value)),
]


class ControlFile(Frozen):
    """What `roles/<role>/controls/<name>.yml` says."""

    title: Text
    severity: Severity
    disruption: Disruption
    rationale: Text
    impact: Text
    references: dict[Benchmark, References] = {}
    engine: Gate | None = None
    platforms: Platforms = ()
    needs: dict[Name, Text] = {}
    requires: ControlIds = ()
    unless: ControlIds = ()
    applied_by: Name | None = None
    preconditions: Names = ()
    check: Name | None = None
    settings: dict[Name, Any] = {}
    sources: dict[str, Text] = {}


class ProfileFile(Frozen):
    """What `profiles/<name>.yml` says."""

    title: Text
    description: str = ""
    extends: Name | None = None
    group: NewName | None = None
    controls: dict[Name, Names] = {}
    report: dict[Name, Names] = {}
    inputs: dict[Name, Any] = {}
    exceptions: dict[ControlId, ExceptionEntry] = Field(default={}, alias="except")


class EnvironmentFile(Frozen):
    """One entry of `environments.yml`."""

    profile: Name
    group: NewName | None = None
    inputs: dict[Name, Any] = {}


class Origin(NamedTuple):
    """Where something was said: the file as the plan names it, its path, and the line."""

    file: str
    path: Path
    line: int


class Option(NamedTuple):
    """One entry of a role's argument specs."""

    name: str
    type: str
    choices: tuple[Any, ...] | None = None
    elements: str | None = None
    options: Mapping[str, Option] | None = None
    required: bool = False
    has_default: bool = False
    description: str = ""
    secret: bool = False  # `no_log` in the specs: for the inventory alone to give


class Input(NamedTuple):
    """A role variable that profile, environment and inventory may set."""

    role: str
    option: Option
    value: Any
    file: str


class Control(NamedTuple):
    """A control with its place: the id is the path."""

    role: str
    name: str
    file: ControlFile
    check: str
    path: Path

    @property
    def id(self) -> str:
        return f"{self.role}/{self.name}"


class Role(NamedTuple):
    """One directory of roles/: its variables, its controls, and which of its files are optional."""

    name: str
    path: Path
    settings: frozenset[str]
    inputs: tuple[Input, ...]
    controls: tuple[Control, ...]
    only_with: Mapping[str, tuple[str, ...]]
    refused: Mapping[str, Mapping[str, Mapping[str, str]]] = {}
    alike: Mapping[str, Mapping[str, str]] = {}


class Given(NamedTuple):
    """An input's value and who gave it."""

    value: Any
    origin: Origin


class Member(NamedTuple):
    """A control in a profile: applied or only reported, and who said so."""

    mode: Mode
    origin: Origin


class Granted(NamedTuple):
    """An exception in a profile and who granted it."""

    waiver: Waiver
    origin: Origin


class Profile(NamedTuple):
    """A profile with everything it inherits."""

    name: str
    title: str
    description: str
    group: str
    lineage: tuple[str, ...]
    members: Mapping[str, Member]
    inputs: Mapping[str, Given]
    waivers: Mapping[str, Granted]
    origin: Origin


class Environment(NamedTuple):
    """A group of hosts that gets a profile, with values of its own."""

    name: str
    profile: str
    group: str
    inputs: Mapping[str, Given]
    origin: Origin


class PlannedInput(Frozen):
    role: str
    type: str
    value: Any
    choices: tuple[Any, ...] | None
    secret: bool = False
    source: str = Field(alias="from")


class PlannedControl(Frozen):
    id: str
    role: str
    name: str
    mode: Mode
    title: str
    severity: Severity
    disruption: Disruption
    rationale: str
    impact: str
    references: dict[str, tuple[str, ...]]
    engine: str | None
    platforms: tuple[str, ...]
    needs: dict[str, str]
    requires: tuple[str, ...]
    unless: tuple[str, ...]
    applied_by: str | None
    preconditions: tuple[str, ...]
    check: str
    settings: dict[str, Any]
    sources: dict[str, str]
    waiver: Waiver | None
    source: str = Field(alias="from")


class Plan(Frozen):
    """Everything a rendered project does, and nothing about where it was computed."""

    schema_version: Literal[1] = Field(default=1, alias="schema")
    hardhost: str
    profile: str
    environment: str | None
    title: str
    group: str
    inputs: dict[str, PlannedInput]
    controls: tuple[PlannedControl, ...]
