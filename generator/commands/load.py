"""What most commands begin with: the catalog, and the profiles checked against it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from generator.catalog import Catalog, load_catalog, precondition_names
from generator.content import Content
from generator.controls import check_controls
from generator.errors import Problems, UnknownName, one_of
from generator.model import Profile
from generator.profiles import load_profiles
from generator.resolve import check_profile


class Library(NamedTuple):
    """All content, loaded and checked."""

    content: Content
    catalog: Catalog
    profiles: Mapping[str, Profile]

    def profile(self, name: str) -> Profile:
        if name not in self.profiles:
            raise UnknownName(f"unknown profile '{name}'{one_of(name, self.profiles)}")
        return self.profiles[name]


def load(content: Content) -> Library:
    """Load everything; raises InvalidContent with the problems of all files."""
    problems = Problems()
    library = load_noting(content, problems)
    problems.raise_if_any()
    return library


def load_noting(content: Content, problems: Problems) -> Library:
    """Load what can be loaded, and note what cannot."""
    catalog, loaded = load_catalog(content, problems)
    check_controls(loaded, catalog, precondition_names(content.preconditions), problems)
    profiles = load_profiles(content.profiles, catalog, problems)
    for profile in profiles.values():
        check_profile(catalog, profile, problems)
    return Library(content, catalog, profiles)
