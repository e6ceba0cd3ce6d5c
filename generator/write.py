"""{relative path: bytes} -> directory. Nothing else in the generator writes."""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from generator.errors import RefusedOutput, shown
from generator.render import MANIFEST

SIGNATURE = f"{MANIFEST}.sig"


class Written(NamedTuple):
    """What a render did to its directory."""

    changed: int
    unchanged: int
    removed: int
    kept: tuple[str, ...]  # files that are no longer needed but were modified by hand


class Change(NamedTuple):
    """A directory and what it is to hold; checked before any of several is written."""

    directory: Path
    files: Mapping[str, bytes]
    previous: Mapping[str, str]  # the last manifest: path -> digest
    modified: frozenset[str]
    force: bool


def prepare(directory: Path, files: Mapping[str, bytes], *, force: bool = False) -> Change:
    """Look before writing; raises RefusedOutput where a file is not ours to replace."""
    if directory.is_symlink() or not directory.is_dir():
        return _look(directory, files, force=force)
    try:
        with _alone(directory):
            return _look(directory, files, force=force)
    except OSError as error:
        raise _cannot(error) from None


def _look(directory: Path, files: Mapping[str, bytes], *, force: bool) -> Change:
    try:
        if directory.is_symlink():
            raise RefusedOutput([f"{directory}: a symbolic link; give the directory it leads to"])
        if directory.exists() and not directory.is_dir():
            raise RefusedOutput([f"{shown(directory)}: not a directory"])
        previous = read_manifest(directory)
        refused = [*_links(directory, files.keys() | previous.keys())]
        modified = frozenset(_modified(directory, files, previous))
    except OSError as error:
        raise _cannot(error) from None
    if not force:
        refused += [
            f"{shown(directory / path)}: {_why(path, previous)}; remove it, or use --force"
            for path in modified
        ]
    if refused:
        raise RefusedOutput(refused)
    return Change(directory, files, previous, modified, force)


def write(change: Change) -> Written:
    """Look again with the directory to ourselves, then replace file by file."""
    try:
        change.directory.mkdir(parents=True, exist_ok=True)
        with _alone(change.directory):
            return _write(_look(change.directory, change.files, force=change.force))
    except OSError as error:
        raise _cannot(error) from None


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Keep a second render of this directory waiting; the kernel lets go when we end."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _write(change: Change) -> Written:
    """Replace file by file, remove what is no longer needed, the manifest last."""
    directory, files = change.directory, change.files
    changed = sum(
        _put(directory / path, content) for path, content in files.items() if path != MANIFEST
    )
    stale = sorted(change.previous.keys() - files.keys())
    removed = sum(_remove(directory, path) for path in stale if path not in change.modified)
    if _put(directory / MANIFEST, files[MANIFEST]):
        changed += 1
        (directory / SIGNATURE).unlink(missing_ok=True)  # it was for another manifest
    kept = tuple(path for path in stale if path in change.modified)
    return Written(changed, len(files) - changed, removed, kept)


def write_signature(directory: Path, signature: bytes) -> None:
    """Put the signature beside the manifest that it is for."""
    try:
        _put(directory / SIGNATURE, signature)
    except OSError as error:
        raise _cannot(error) from None


def read_manifest(directory: Path) -> dict[str, str]:
    """The digests of the last render; empty where there was none."""
    path = directory / MANIFEST
    if not path.is_file() or path.is_symlink():
        return {}
    digests = {}
    for number, line in enumerate(path.read_bytes().decode(errors="replace").splitlines(), start=1):
        digest, separator, name = line.partition("  ")
        steps = PurePosixPath(name).parts
        if not separator or len(digest) != 64 or not steps or name.startswith("/") or ".." in steps:
            raise RefusedOutput([f"{shown(path)}:{number}: not a line of a manifest"])
        digests[name] = digest
    return digests


def _modified(
    directory: Path, files: Mapping[str, bytes], previous: Mapping[str, str]
) -> Iterator[str]:
    """Files that are neither what the last render wrote nor what this one would write."""
    for name in sorted((files.keys() | previous.keys()) - {MANIFEST}):
        path = directory / name
        if path.is_symlink() or not path.exists():
            continue
        if not path.is_file():
            yield name
            continue
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        wanted = name in files and hashlib.sha256(files[name]).hexdigest()
        if digest not in (wanted, previous.get(name)):
            yield name


def _why(path: str, previous: Mapping[str, str]) -> str:
    return (
        "modified by hand since it was rendered"
        if path in previous
        else "exists and was not rendered"
    )


def _links(directory: Path, names: Iterable[str]) -> Iterator[str]:
    """Links on the way to a file: writing through them could leave the directory."""
    parents = {parent for name in names for parent in PurePosixPath(name).parents}
    for name in sorted({*map(str, names), *map(str, parents)} - {"."} | {MANIFEST, SIGNATURE}):
        if (directory / name).is_symlink():
            yield f"{shown(directory)}/{name}: a symbolic link; remove it"


def _put(path: Path, content: bytes) -> bool:
    """Write through a temporary sibling, so that a reader sees the old file or the new one."""
    if path.is_file() and path.read_bytes() == content:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return True


def _remove(directory: Path, name: str) -> bool:
    """Remove one of our files and the directories that it leaves empty."""
    path = directory / name
    if not path.is_file():
        return False
    path.unlink()
    for parent in path.parents:
        if parent == directory or any(parent.iterdir()):
            break
        parent.rmdir()
    return True


def _cannot(error: OSError) -> RefusedOutput:
    return RefusedOutput([f"{shown(error.filename or '')}: cannot be written: {error.strerror}"])
