"""Run the targets one after the other, each in a process of its own: `python -m fuzz`."""

# ruff: noqa: T201
from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile

from fuzz.targets import REPOSITORY, TARGETS, examples

WORK = REPOSITORY / "build/fuzz"
LONGEST_RUN = 10  # seconds for one file; a file of the accepted size takes a fraction of it
MOST_MEMORY = 1024  # megabytes


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="for each target (default: 60)")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    given = parser.parse_args()
    unknown = set(given.targets) - TARGETS.keys()
    if unknown:
        parser.error(f"unknown target {', '.join(sorted(unknown))}")
    broken = [name for name in given.targets or TARGETS if not run(name, given.seconds)]
    print(f"{len(given.targets or TARGETS)} targets, broken: {', '.join(broken) or 'none'}")
    return 1 if broken else 0


def run(name: str, seconds: int) -> bool:
    """Whether nothing was found; what was found stays below build/fuzz/TARGET."""
    corpus, found = WORK / name / "corpus", WORK / name / "found"
    for directory in (corpus, found):
        directory.mkdir(parents=True, exist_ok=True)
    for number, example in enumerate(examples(name)):
        (corpus / f"example-{number}").write_bytes(example)
    limits = [
        f"-max_total_time={seconds}",
        f"-timeout={LONGEST_RUN}",
        f"-rss_limit_mb={MOST_MEMORY}",
    ]
    options = [*limits, "-max_len=4096", f"-dict={REPOSITORY / 'fuzz/words.dict'}"]
    words = ["-m", "fuzz.one", name, *options, f"-artifact_prefix={found}/", str(corpus)]
    with tempfile.TemporaryDirectory() as scratch:  # the fuzzer ends without tidying up
        done = subprocess.run(
            [sys.executable, *words],
            cwd=REPOSITORY,
            env={**os.environ, "TMPDIR": scratch},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds + 120,
            check=False,
        )
    said = done.stdout.decode(errors="replace")
    log = WORK / name / "log"
    log.write_text(said)
    runs = re.findall(r"Done (\d+) runs", said)
    if done.returncode == 0 and runs:
        print(f"{name}: {runs[-1]} files, nothing found", flush=True)
        return True
    print(f"{name}: BROKEN, see {log} and {found}\n{_tail(said)}", flush=True)
    return False


def _tail(said: str) -> str:
    """Python's words for what happened, without the fuzzer's statistics."""
    lines = [
        line for line in said.splitlines() if line and not line.startswith(("#", "INFO", "=="))
    ]
    return "\n".join(f"    {line}" for line in lines[-20:])


if __name__ == "__main__":
    sys.exit(main())
