"""Makes the code that runs on hosts importable under the names it has there."""

from __future__ import annotations

import inspect
from pathlib import Path

import ansible.module_utils
import pytest

ROLES = Path(__file__).parents[3] / "roles"

ansible.module_utils.__path__ += [str(path) for path in sorted(ROLES.glob("*/module_utils"))]


@pytest.fixture(autouse=True)
def no_answers_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """What its package manager says is neither the tests' business nor quick to be had."""
    from ansible.module_utils import hardhost_programs  # noqa: PLC0415 - its path is set above

    monkeypatch.setattr(hardhost_programs, "answer", lambda *_words, **_options: "")


@pytest.fixture
def state_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where everything that uses the state of a host finds it in this test."""
    from ansible.module_utils import (  # noqa: PLC0415 - its path is set above
        hardhost_facts,
        hardhost_running,
        hardhost_state,
    )

    directory = tmp_path / "hardhost"
    for module in (hardhost_state, hardhost_running, hardhost_facts):
        for function in filter(inspect.isfunction, vars(module).values()):
            inner = inspect.unwrap(function)
            given = inner.__defaults__ or ()
            replaced = tuple(
                str(directory) if one == hardhost_state.DIRECTORY else one for one in given
            )
            monkeypatch.setattr(inner, "__defaults__", replaced)
    return directory
