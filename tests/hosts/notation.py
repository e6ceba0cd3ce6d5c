"""The program notation, from the Debian suite that has it; apt holds it against Debian's keys."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from tests.hosts.local import HostsUnavailableError, cache_directory, locked, run

SUITE = "sid"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
MIRROR = "http://deb.debian.org/debian"
SECONDS = 600


def program() -> Path:
    """Fetched once for this machine; HARDHOST_NOTATION names another one."""
    given = os.environ.get("HARDHOST_NOTATION")
    if given:
        return Path(given)
    kept = cache_directory() / "notation"
    with locked("notation"):
        if not kept.exists():
            with tempfile.TemporaryDirectory() as folder:
                shutil.move(fetched(Path(folder)), kept)
    return kept


def fetched(folder: Path) -> Path:
    """apt with no past and no sources of this machine, so that nothing of it changes."""
    if not shutil.which("apt-get"):
        raise HostsUnavailableError("there is no apt-get to fetch notation; give HARDHOST_NOTATION")
    for name in ("lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True)
    mirror = os.environ.get("HARDHOST_MIRROR") or MIRROR
    (folder / "sources.list").write_text(f"deb [signed-by={KEYRING}] {mirror} {SUITE} main\n")
    settings = {
        "Dir::Etc::sourcelist": folder / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State::lists": folder / "lists",
        "Dir::Cache": folder / "cache",
        "Dir::State::status": "/dev/null",
        "APT::Sandbox::User": "root",
        # Lists of sid are valid for a week, and mirrors may be older; Debian's signature counts.
        "Acquire::Check-Valid-Until": "false",
    }
    options = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
    apt = ["apt-get", "-qq", *options]
    run([*apt, "update"], timeout=SECONDS)
    # `download` has no option for where to; the package alone is wanted, nothing it depends on.
    into = ["sh", "-c", 'cd "$0" && exec "$@"', str(folder)]
    run([*into, *apt, "download", "notation"], timeout=SECONDS)
    [package] = folder.glob("notation_*.deb")
    run(["dpkg-deb", "-x", str(package), str(folder / "root")])
    return folder / "root/usr/bin/notation"
