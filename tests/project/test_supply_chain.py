"""What is shipped: the same bytes from the same commit, every dependency pinned and listed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
LOCKS = ["requirements.lock", "requirements-dev.lock", "fuzz/requirements.lock"]
LEFT_OUT = (".git", ".venv", "build", "dist", "__pycache__", ".mypy_cache", ".ruff_cache")


def pinned(lock: str) -> dict[str, str]:
    text = (REPOSITORY / lock).read_text()
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.MULTILINE))


@pytest.fixture(scope="module")
def commit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What git would hold of this checkout, in a directory of another name and time."""
    words = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(words, cwd=REPOSITORY, capture_output=True, check=True).stdout
    root = tmp_path_factory.mktemp("commit")
    for name in filter(None, listed.decode().split("\0")):
        source = REPOSITORY / name
        if source.is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(source.read_bytes())
            (root / name).chmod(0o600 if "tests" in name else 0o644)
    return root


def build(source: Path, out: Path, umask: int) -> dict[str, bytes]:
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1790000000"}
    words = ["build", "--no-isolation", "--outdir", str(out), str(source)]
    done = subprocess.run(
        [sys.executable, "-m", *words],
        env=environment,
        umask=umask,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return {path.name: path.read_bytes() for path in out.iterdir()}


def test_wheel_and_sdist_are_the_same_bytes_twice(commit: Path, tmp_path: Path) -> None:
    """From two places, with other times and another umask."""
    elsewhere = tmp_path / "a checkout elsewhere"
    elsewhere.mkdir()
    for path in sorted(commit.rglob("*"), reverse=True):
        if path.is_file():
            target = elsewhere / path.relative_to(commit)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
            os.utime(target, (1_000_000_000, 1_000_000_000))
    first, second = build(commit, tmp_path / "1", 0o022), build(elsewhere, tmp_path / "2", 0o077)
    assert sorted(name.rpartition(".")[2] for name in first) == ["gz", "whl"]
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_every_dependency_is_pinned_by_hash_and_by_nothing_else(lock: str) -> None:
    text = (REPOSITORY / lock).read_text()
    entries = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    assert entries
    for entry in entries:
        assert re.match(r"[a-z0-9-]+==\S+ \\\n", entry), entry
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry
    assert not re.search(r"https?:|file:/|--(?!hash)|/home|/opt|/tmp", text)


def test_the_locks_hold_what_the_project_asks_for() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    runtime = {_name(one) for one in project["dependencies"]}
    development = {_name(one) for one in project["optional-dependencies"]["dev"]}
    assert runtime <= pinned("requirements.lock").keys()
    assert runtime | development <= pinned("requirements-dev.lock").keys()
    assert "atheris" in pinned("fuzz/requirements.lock")
    both = pinned("requirements.lock").items() - pinned("requirements-dev.lock").items()
    assert not both, "one resolution for both"


def _name(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9-]", requirement)[0].lower()


def test_make_installs_from_the_locks_alone() -> None:
    text = (REPOSITORY / "Makefile").read_text()
    installs = [line for line in text.splitlines() if "pip install" in line]
    assert len(installs) >= 3
    assert all("--require-hashes" in line or "--no-deps" in line for line in installs), installs


def test_the_bill_of_materials_names_every_dependency(tmp_path: Path) -> None:
    out = tmp_path / "hardhost.cdx.json"
    words = ["requirements", "--pyproject", "pyproject.toml", "--mc-type", "application"]
    words += ["--output-reproducible", "--output-file", str(out), "requirements.lock"]
    program = Path(sys.executable).parent / "cyclonedx-py"
    subprocess.run([program, *words], cwd=REPOSITORY, capture_output=True, check=True)
    found = json.loads(out.read_text())
    assert found["bomFormat"] == "CycloneDX"
    assert found["metadata"]["component"]["name"] == "hardhost"
    listed = {one["name"].lower(): one["version"] for one in found["components"]}
    assert listed == pinned("requirements.lock")
    hashed = [
        one["name"]
        for one in found["components"]
        if any(reference.get("hashes") for reference in one.get("externalReferences", []))
    ]
    assert len(hashed) == len(listed)


def test_the_public_ci_may_read_and_nothing_more() -> None:
    workflow = yaml.safe_load((REPOSITORY / ".github/workflows/ci.yml").read_text())
    assert workflow["permissions"] == {}
    assert workflow["jobs"]
    for job in workflow["jobs"].values():
        assert job["permissions"] == {"contents": "read"}
        checkouts = [one for one in job["steps"] if "checkout" in one.get("uses", "")]
        assert checkouts
        assert all(one["with"]["persist-credentials"] is False for one in checkouts)
        assert "secrets." not in json.dumps(job)
        actions = [one["uses"] for one in job["steps"] if "uses" in one]
        # A tag can be moved to other code by whoever takes over the action's repository.
        assert all(re.fullmatch(r"actions/[a-z]+@[0-9a-f]{40}", one) for one in actions)
    triggers = workflow[True]  # YAML 1.1 reads `on` as true
    assert "pull_request_target" not in triggers
    assert "workflow_run" not in triggers
