"""{relative path: bytes} -> directory. Nothing else in the generator writes."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from generator import journal
from generator.errors import RefusedOutput, shown
from generator.journal import JOURNAL, SPARE, Digests
from generator.render import MANIFEST

SIGNATURE = f"{MANIFEST}.sig"
_SPARE_SIGNATURE = f".{SIGNATURE}"


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
    previous: Digests  # the last manifest, and what interrupted renders wrote since
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
        previous = _previous(directory)
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
    due = {path for path, content in files.items() if not _holds(directory / path, content)}
    gone = sorted(change.previous.keys() - files.keys())
    stale = [one for one in gone if one not in change.modified and (directory / one).is_file()]
    if due or stale:
        journal.begin(directory, files, change.previous)
    for path in sorted(due - {MANIFEST}):
        journal.put(directory / path, files[path], directory / SPARE)
    for path in stale:
        _remove(directory, path)
    if MANIFEST in due:
        (directory / SIGNATURE).unlink(missing_ok=True)  # it was for another manifest
        journal.put(directory / MANIFEST, files[MANIFEST], directory / SPARE)
    journal.finish(directory)
    kept = tuple(path for path in gone if path in change.modified)
    return Written(len(due), len(files) - len(due), len(stale), kept)


def write_signature(directory: Path, signature: bytes) -> None:
    """Put the signature beside the manifest that it is for."""
    try:
        journal.put(directory / SIGNATURE, signature, directory / _SPARE_SIGNATURE)
    except OSError as error:
        raise _cannot(error) from None


def read_manifest(directory: Path) -> dict[str, str]:
    """The digests of the last render; empty where there was none."""
    return dict(journal.read(directory / MANIFEST))


def _previous(directory: Path) -> Digests:
    """Every content that a file may have from us."""
    found: dict[str, frozenset[str]] = {}
    for name, digest in (*read_manifest(directory).items(), *journal.noted(directory)):
        found[name] = found.get(name, frozenset()) | {digest}
    return found


def _modified(directory: Path, files: Mapping[str, bytes], previous: Digests) -> Iterator[str]:
    """Files that are neither what a render wrote nor what this one would write."""
    for name in sorted((files.keys() | previous.keys()) - {MANIFEST}):
        path = directory / name
        if path.is_symlink() or not path.exists():
            continue
        if not path.is_file():
            yield name
            continue
        content = path.read_bytes()
        ours = hashlib.sha256(content).hexdigest() in previous.get(name, ())
        if not ours and content != files.get(name):
            yield name


def _why(path: str, previous: Digests) -> str:
    return (
        "modified by hand since it was rendered"
        if path in previous
        else "exists and was not rendered"
    )


def _links(directory: Path, names: Iterable[str]) -> Iterator[str]:
    """Links on the way to a file: writing through them could leave the directory."""
    written = {*names, MANIFEST, SIGNATURE, _SPARE_SIGNATURE, JOURNAL, SPARE}
    parents = {str(parent) for name in written for parent in PurePosixPath(name).parents}
    for name in sorted((written | parents) - {"."}):
        if (directory / name).is_symlink():
            yield f"{shown(directory)}/{name}: a symbolic link; remove it"


def _holds(path: Path, content: bytes) -> bool:
    return path.is_file() and path.read_bytes() == content


def _remove(directory: Path, name: str) -> None:
    """Remove one of our files and the directories that it leaves empty."""
    path = directory / name
    path.unlink()
    for parent in path.parents:
        if parent == directory or any(parent.iterdir()):
            break
        parent.rmdir()


def _cannot(error: OSError) -> RefusedOutput:
    return RefusedOutput([f"{shown(error.filename or '')}: cannot be written: {error.strerror}"])
