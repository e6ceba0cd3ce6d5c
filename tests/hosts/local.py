"""The machine that runs the tests: its cache directory, its commands, its key pair."""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


class HostsUnavailableError(RuntimeError):
    """Disposable hosts cannot be made here; the text says what is missing."""


def cache_directory() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    directory = Path(base) / "hardhost"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return directory


def checkout_id() -> str:
    """Names this checkout: two of them on one machine never remove each other's hosts."""
    return hashlib.sha256(str(PROJECT).encode()).hexdigest()[:6]


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold a lock between processes: two scenarios must not build the same image at once."""
    with (cache_directory() / f"{name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def run(
    command: Sequence[str], *, stdin: bytes | None = None, timeout: float = 120, check: bool = True
) -> subprocess.CompletedProcess[bytes]:
    """Run a command with a time limit; a failure carries what the command said."""
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=timeout, check=False)
    if check and done.returncode != 0:
        said = (done.stderr or done.stdout).decode(errors="replace").strip()
        raise RuntimeError(f"{' '.join(command[:6])} … ended with {done.returncode}: {said}")
    return done


def key_pair() -> Path:
    """The private key that opens every disposable host; its public half lies next to it."""
    private = cache_directory() / "id_ed25519"
    with locked("key"):
        if not private.exists():
            new_key(private, "hardhost tests")
    return private


def new_key(path: Path, comment: str) -> None:
    path.unlink(missing_ok=True)
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)])
