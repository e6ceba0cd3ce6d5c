"""What most commands begin with: the catalog, and the profiles checked against it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from generator.catalog import Catalog, load_catalog
from generator.content import Content
from generator.errors import UnknownName, one_of
from generator.model import Profile
from generator.profiles import load_profiles


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
    catalog = load_catalog(content)
    return Library(content, catalog, load_profiles(content.profiles, catalog))
