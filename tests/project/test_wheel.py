"""An installed wheel works away from the checkout and renders the same bytes."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def wheel(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    words = ["build", "--wheel", "--no-isolation", "--outdir", str(directory), str(REPOSITORY)]
    done = run(sys.executable, "-m", *words, cwd=directory)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = directory.glob("hardhost-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(run: Run, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`bin/` of an environment that holds the wheel, and only borrows its dependencies."""
    root = tmp_path_factory.mktemp("installed")
    done = run(sys.executable, "-m", "venv", "environment", cwd=root)
    assert done.returncode == 0, done.stderr
    programs = root / "environment/bin"
    done = run(
        programs / "python",
        "-m",
        "pip",
        "install",
        "--no-deps",
        "--no-index",
        "-q",
        wheel,
        cwd=root,
    )
    assert done.returncode == 0, done.stderr
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = root / "environment/lib" / version / "site-packages"
    (packages / "borrowed.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return programs


def hardhost(programs: Path, *words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [programs / "hardhost", *words],
        cwd=cwd,
        env={},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_wheel_holds_the_content_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names} == {"generator", "hardhost-0.1.0.dist-info"}
    inside = {name.removeprefix("generator/content/") for name in names if "/content/" in name}
    assert {"inventory.example", "environments.example.yml", "profiles/production.yml"} <= inside
    assert "tests/host/conftest.py" in inside
    assert "roles/docker_daemon/controls/icc.yml" in inside
    assert not [name for name in names if "sabotage" in name or name.endswith(".pyc")]


def test_it_finds_its_content_from_anywhere(installed: Path, tmp_path: Path) -> None:
    done = hardhost(installed, "list", "profiles", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()][:3] == [
        "PROFILE",
        "baseline",
        "cis_level1",
    ]
    where = hardhost(installed, "explain", "docker_daemon/icc", cwd=tmp_path).stdout
    assert str(REPOSITORY) not in where
    assert str(installed.parent) in where


def test_it_renders_what_the_checkout_renders(
    installed: Path, project: Callable[[str], Path], tmp_path: Path
) -> None:
    done = hardhost(installed, "render", "production", "-o", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    manifests = [each / "MANIFEST.sha256" for each in (tmp_path / "out", project("production"))]
    assert manifests[0].read_bytes() == manifests[1].read_bytes()
