"""Finds roles, profiles and host tests: in the wheel or the checkout, plus the user's own."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

_PACKAGE = Path(__file__).resolve().parent


class Content(NamedTuple):
    """The directories that a command works with; the shipped ones come first."""

    roles: tuple[Path, ...]
    profiles: tuple[Path, ...]
    root: Path

    @property
    def host_tests(self) -> Path:
        return self.root / "tests" / "host"

    @property
    def preconditions(self) -> Path:
        """The module whose dictionary names every precondition a control may list."""
        return self.root / "roles" / "preflight" / "module_utils" / "hardhost_preconditions.py"


def shipped_root() -> Path:
    """The directory that holds the shipped `roles/` and `profiles/`."""
    packaged = _PACKAGE / "content"
    return packaged if packaged.is_dir() else _PACKAGE.parent


def find_content(roles: Iterable[Path] = (), profiles: Iterable[Path] = ()) -> Content:
    """The shipped content and, after it, the user's directories in the order given."""
    root = shipped_root()
    return Content((root / "roles", *roles), (root / "profiles", *profiles), root)
