"""Projects as a user gets them: rendered by the command line into an empty directory."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs a program of this environment, without collections and without own settings."""
    home = tmp_path_factory.mktemp("home")
    programs = Path(sys.executable).parent
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
        "ANSIBLE_COLLECTIONS_PATH": str(home / "none"),
        "ANSIBLE_HOME": str(home / "ansible"),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "HOME": str(home),
        "NO_COLOR": "1",
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PYTHONPATH": str(REPOSITORY),
    }

    def program(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*map(str, words)],
            cwd=cwd,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return program


@pytest.fixture(scope="session")
def project(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The rendered project of a shipped profile; rendered once."""
    root = tmp_path_factory.mktemp("projects")

    def rendered(profile: str) -> Path:
        directory = root / profile
        if not directory.exists():
            done = run(
                sys.executable, "-m", "generator", "render", profile, "-o", directory, cwd=root
            )
            assert done.returncode == 0, done.stderr
        return directory

    return rendered
