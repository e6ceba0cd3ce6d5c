"""Run molecule scenarios: `python -m tests.hosts.scenarios [NAME ...]`.

HARDHOST_JOBS says how many at a time, by default as many as there are cores, and four at most.
What several of them print is shown scenario by scenario, each as soon as it has ended.
"""

# ruff: noqa: T201
from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from tests.hosts import cases, engine
from tests.hosts.local import PROJECT, HostsUnavailableError
from tests.hosts.project import program

DESTROY_SECONDS = 300
SCENARIO_SECONDS = 10_800 if os.environ.get("HARDHOST_LOOPS") == "all" else 3600


@dataclass(frozen=True)
class Outcome:
    """How one scenario ended, how many of its cases passed, and a line for each that failed."""

    name: str
    ended_well: bool
    passed: int
    wanted: int
    seconds: float
    failures: list[str] = field(default_factory=list)


def main(names: list[str]) -> int:
    if os.environ.get("HARDHOST_HOSTS") == "no":
        print("scenarios: not run, HARDHOST_HOSTS=no")
        return 0
    try:
        engine.ensure()
    except HostsUnavailableError as error:
        print(f"error: disposable hosts cannot be made here: {error}", file=sys.stderr)
        print("HARDHOST_HOSTS=no leaves the scenarios out.", file=sys.stderr)
        return 1
    begun = time.monotonic()
    outcomes = run_all(names or every(), jobs())
    print(summary(outcomes, time.monotonic() - begun))
    return 0 if outcomes and all(outcome.ended_well for outcome in outcomes) else 1


def every() -> list[str]:
    return sorted(file.parent.name for file in PROJECT.glob("molecule/*/molecule.yml"))


def jobs() -> int:
    """How many scenarios run at a time."""
    return int(os.environ.get("HARDHOST_JOBS") or min(4, os.cpu_count() or 1))


def run_all(names: list[str], at_a_time: int) -> list[Outcome]:
    """All scenarios, in the given order as far as they wait for each other."""
    if at_a_time == 1 or len(names) == 1:
        return [run(name) for name in names]
    with ThreadPoolExecutor(at_a_time) as pool:
        return list(pool.map(run_aside, names))


def run_aside(name: str) -> Outcome:
    """One of several at a time: what it prints is kept until it has ended."""
    log = PROJECT / "build" / "molecule" / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    print(f"scenario {name}: begun", flush=True)
    with log.open("wb") as output:
        outcome = run(name, output)
    print(log.read_text(errors="replace"), summary([outcome], outcome.seconds), flush=True)
    return outcome


def run(name: str, output: IO[bytes] | None = None) -> Outcome:
    """`molecule test`, which makes the scenario's hosts and removes them again."""
    begun = time.monotonic()
    code = molecule(name, output, SCENARIO_SECONDS, "test", "--scenario-name", name)
    if code is None:
        molecule(name, output, DESTROY_SECONDS, "destroy", "--scenario-name", name)
    passed, wanted = cases.passed(name), cases.expected(name)
    # Counted here too: what molecule calls a success may be a step that it left out.
    ended_well = code == 0 and passed == wanted > 0
    seconds = time.monotonic() - begun
    return Outcome(name, ended_well, passed, wanted, seconds, cases.failures(name))


def molecule(name: str, output: IO[bytes] | None, seconds: float, *words: str) -> int | None:
    """How molecule ended; None where it had to be ended, with everything that it had started."""
    process = subprocess.Popen(
        [program("molecule"), *words],
        cwd=PROJECT,
        env=environment(name),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT if output else None,
        start_new_session=True,
    )
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def environment(name: str) -> dict[str, str]:
    scratch = PROJECT / "build" / "molecule" / name
    path = f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}"
    return {**os.environ, "PATH": path, "MOLECULE_EPHEMERAL_DIRECTORY": str(scratch)}


def summary(outcomes: list[Outcome], seconds: float) -> str:
    """A line per scenario, one per case that failed, and one for all, in the words pytest uses."""
    lines = [
        f"scenario {one.name}: {one.passed} of {one.wanted} cases passed"
        f"{'' if one.ended_well else ', FAILED'}"
        f" in {one.seconds:.0f}s"
        for one in outcomes
    ]
    lines += [f"FAILED {one.name}: {failure}" for one in outcomes for failure in one.failures]
    passed = sum(one.passed for one in outcomes)
    failed = sum(not one.ended_well for one in outcomes)
    ending = f"{failed} failed, {passed} passed" if failed else f"{passed} passed"
    return "\n".join(["", *lines, f"===== {ending} in {seconds:.0f}s ====="])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
