"""What a render is about to write, noted in its directory first: a killed one leaves the note.

While the note is there the project may be a mixture, and neither `verify` nor the playbooks use it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from generator.errors import RefusedOutput, shown

UNFINISHED = ".hardhost-unfinished"  # preflight looks for it too
JOURNAL = f"{UNFINISHED}/journal"
SPARE = f"{UNFINISHED}/file"  # becomes the file that is written, in one step

Digests = Mapping[str, frozenset[str]]


def begin(directory: Path, files: Mapping[str, bytes], before: Digests) -> None:
    """Note every content that a file of ours may have until the end, in the manifest's form."""
    (directory / UNFINISHED).mkdir(exist_ok=True)
    new = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    lines = {f"{digest}  {name}\n" for name, digest in new.items()}
    lines |= {f"{digest}  {name}\n" for name, digests in before.items() for digest in digests}
    put(directory / JOURNAL, "".join(sorted(lines)).encode(), directory / SPARE)


def finish(directory: Path) -> None:
    """The project is whole: what is noted, and what a killed render left, goes."""
    if (directory / UNFINISHED).is_dir():
        (directory / SPARE).unlink(missing_ok=True)
        (directory / JOURNAL).unlink(missing_ok=True)
        (directory / UNFINISHED).rmdir()


def noted(directory: Path) -> Iterator[tuple[str, str]]:
    """What interrupted renders were about to write: names and digests."""
    return read(directory / JOURNAL)


def put(path: Path, content: bytes, spare: Path) -> None:
    """Write through another file, so that a reader sees the old content or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    spare.write_bytes(content)
    spare.chmod(0o644)
    spare.replace(path)


def read(path: Path) -> Iterator[tuple[str, str]]:
    """The names and digests of a manifest, all below its directory; none where there is no file."""
    if not path.is_file() or path.is_symlink():
        return
    for number, line in enumerate(path.read_bytes().decode(errors="replace").splitlines(), start=1):
        digest, separator, name = line.partition("  ")
        steps = PurePosixPath(name).parts
        if not separator or len(digest) != 64 or not steps or name.startswith("/") or ".." in steps:
            raise RefusedOutput([f"{shown(path)}:{number}: not a line of a manifest"])
        yield name, digest
