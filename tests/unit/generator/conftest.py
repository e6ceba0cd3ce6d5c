"""A small content tree, so that the generator's tests do not depend on what is shipped."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from generator.commands.load import Library, load
from generator.content import Content
from generator.errors import InvalidContent

CONTENT = Path(__file__).parent / "content"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A copy of the content that a test may spoil."""
    return Path(shutil.copytree(CONTENT, tmp_path / "content"))


@pytest.fixture
def content(root: Path) -> Content:
    return Content((root / "roles",), (root / "profiles",), root)


@pytest.fixture
def library(content: Content) -> Library:
    return load(content)


@pytest.fixture
def problems(content: Content, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """What loading the content complains about, with paths relative to it."""
    monkeypatch.chdir(content.root)

    def found() -> list[str]:
        try:
            load(content)
        except InvalidContent as error:
            return error.messages()
        return []

    return found
