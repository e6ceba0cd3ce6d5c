"""`python -m benchmarks [PROFILE [OS]]`: time rendering, converge and verify; print the ratios."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.hosts import fleet
from tests.hosts.inventory import inventory

HERE = Path(__file__).parent
ROUNDS = 5
NAME = "bench"
FAILS = 1  # what `hardhost verify` ends with where a control is not in force
INPUTS = (
    "docker_daemon_nofile_soft=8192",
    "docker_daemon_nofile_hard=16384",
    "docker_daemon_accept_data_root_change=true",
)
LIBRARIES = "import click, pydantic, yaml, jinja2"
# pydantic imports its machinery when the first model is made: a bare import is less than
# any use of it.
ONE_MODEL = f"{LIBRARIES}; type('One', (pydantic.BaseModel,), {{}})"


def seconds(words: list[str], cwd: Path | None = None, codes: tuple[int, ...] = (0,)) -> float:
    """How long a command takes; it must end with one of these codes."""
    began = time.monotonic()
    done = subprocess.run(words, cwd=cwd, check=False, stdout=subprocess.DEVNULL)
    if done.returncode not in codes:
        raise SystemExit(f"{' '.join(words)} ended with {done.returncode}")
    return time.monotonic() - began


def playbook(name: str, inventory_file: Path) -> list[str]:
    words = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(inventory_file), name]
    for item in INPUTS:
        words += ["-e", item]
    return words


def render(profile: str, directory: Path) -> list[str]:
    return [sys.executable, "-m", "generator", "render", profile, "-o", str(directory)]


def executions(words: list[str], cwd: Path) -> int:
    """How many modules a playbook runs on the host."""
    done = subprocess.run([*words, "-vvv"], cwd=cwd, check=True, stdout=subprocess.PIPE)
    return done.stdout.decode().count("Using module file")


def alternate(one: Callable[[], float], other: Callable[[], float]) -> tuple[float, float]:
    """Medians of two timings taken in turn, so that a busy moment hits both."""
    pairs = [(one(), other()) for _ in range(ROUNDS)]
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs)


def row(title: str, value: float, reference: float, of: str) -> None:
    print(f"{title:<34} {value:6.2f} s   {value / reference:5.2f} x {of}", flush=True)


def measure(profile: str, os_name: str, folder: Path) -> None:
    project = folder / profile
    rendered, imported = alternate(
        lambda: seconds(render(profile, project)),
        lambda: seconds([sys.executable, "-c", LIBRARIES]),
    )
    model = [sys.executable, "-c", ONE_MODEL]
    modelled = statistics.median(seconds(model) for _ in range(ROUNDS))
    row("import of the libraries", imported, imported, "itself")
    row("import and one pydantic model", modelled, imported, "import")
    row(f"hardhost render {profile}", rendered, imported, "import")
    host = fleet.up(NAME, os_name)
    inventory_file = folder / "inventory.yml"
    inventory_file.write_text(inventory([host], [profile]), encoding="utf-8")
    site = playbook("site.yml", inventory_file)
    first = seconds(site, project)
    unchanged, floor = alternate(
        lambda: seconds(site, project),
        lambda: seconds(playbook(str(HERE / "floor.yml"), inventory_file), project),
    )
    verify = [sys.executable, "-m", "generator", "verify", str(project), "-i", str(inventory_file)]
    # Holes of the engine that the distribution has no package against fail, whatever is done.
    checked = statistics.median(seconds(verify, codes=(0, FAILS)) for _ in range(ROUNDS))
    row("floor: minimal facts and a ping", floor, floor, "itself")
    row("first converge, with its restart", first, floor, "floor")
    row("converge without change", unchanged, floor, "floor")
    row("verify", checked, floor, "floor")
    print(f"modules run by a converge without change: {executions(site, project)}")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            profile, os_name = [*sys.argv[1:3], *("strict", "debian12")[len(sys.argv) - 1 :]]
            measure(profile, os_name, Path(folder))
        finally:
            fleet.down(NAME)


if __name__ == "__main__":
    main()
