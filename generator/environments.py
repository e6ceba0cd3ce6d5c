"""Reads an environments file: which group of hosts gets which profile, with which inputs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from generator import yamlfile
from generator.catalog import Catalog
from generator.errors import InvalidContent, Problems, one_of
from generator.model import NAME, NAME_RULE, Environment, EnvironmentFile, Given, Origin, Profile
from generator.parse import parse
from generator.profiles import check_group, check_inputs, input_type
from generator.yamlfile import Document, Location


def load_environments(
    path: Path, catalog: Catalog, profiles: Mapping[str, Profile]
) -> dict[str, Environment]:
    """Every environment by name; raises InvalidContent with all problems of the file."""
    document = yamlfile.read(path)
    if not isinstance(document.data, dict) or not document.data:
        raise InvalidContent([document.problem((), "must be a map of environments, at least one")])
    problems = Problems()
    found = [_environment(name, document, catalog, profiles, problems) for name in document.data]
    problems.raise_if_any()
    return {one.name: one for one in sorted(filter(None, found))}


def _environment(
    name: str,
    document: Document,
    catalog: Catalog,
    profiles: Mapping[str, Profile],
    problems: Problems,
) -> Environment | None:
    def expected(location: Location) -> str:
        return input_type(catalog, location[2:]) if location[1:2] == ("inputs",) else "text"

    def origin(*at: str) -> Origin:
        path = document.path
        return Origin(path.name, path, document.line((name, *at)))

    if not re.match(NAME, name):
        text = f"'{name}' is not the name of an environment; {NAME_RULE}"
        problems.note(document.problem((name,), text))
    file = parse(EnvironmentFile, document, expected, problems, (name,))
    if file is None:
        return None
    if file.profile not in profiles and "profile" in document.data[name]:
        text = f"unknown profile '{file.profile}'{one_of(file.profile, profiles)}"
        problems.note(document.problem((name, "profile"), text))
    check_inputs(document, (name, "inputs"), file.inputs, catalog, problems)
    check_group(document, (name, "group"), file.group or name, problems)
    inputs = {key: Given(value, origin("inputs", key)) for key, value in file.inputs.items()}
    return Environment(name, file.profile, file.group or name, inputs, origin())
