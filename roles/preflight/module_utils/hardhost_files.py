"""Read and replace single files on the host so that a reader sees the old bytes or the new ones, never a part.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import fcntl
import glob
import hashlib
import os
import tempfile

PREFIX = ".hardhost-"  # of what is being written


def digest(data):
    """SHA-256 of bytes, as hex."""
    return hashlib.sha256(data).hexdigest()


def read(path):
    """The bytes of a file, or None where nothing is there. OSError for everything else (a directory, no permission)."""
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except FileNotFoundError:
        return None


def describe(path):
    """`{uid, gid, mode, mtime_ns}` of what a path leads to, or None; mode holds the permission bits only."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    return {
        "uid": status.st_uid,
        "gid": status.st_gid,
        "mode": status.st_mode & 0o7777,
        "mtime_ns": status.st_mtime_ns,
    }


def sync_directory(path):
    """Make a rename or a removal in a directory last through a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace(path, data, like=None):
    """Put bytes at a path in one step: temporary sibling, fsync, rename, fsync of the directory.

    `like` is a description as `describe` gives it (default: root, 0644); with `mtime_ns` the time is set too.
    A symbolic link at the path stays: the file it leads to is replaced.
    """
    like = like or {"uid": 0, "gid": 0, "mode": 0o644}
    target = os.path.realpath(path)
    folder = os.path.dirname(target)
    try:
        sweep(folder)
        _replace(target, folder, data, like)
    except OSError as error:
        raise OSError(error.errno, os.strerror(error.errno or 0), target) from error
    sync_directory(folder)


def _replace(target, folder, data, like):
    descriptor, temporary = tempfile.mkstemp(prefix=PREFIX, dir=folder)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            fcntl.flock(
                stream, fcntl.LOCK_EX
            )  # until it has its name: who sweeps here must see that it is alive
            stream.write(data)
            stream.flush()
            os.fchown(stream.fileno(), like["uid"], like["gid"])
            os.fchmod(stream.fileno(), like["mode"])
            if like.get("mtime_ns"):
                os.utime(stream.fileno(), ns=(like["mtime_ns"], like["mtime_ns"]))
            os.fsync(stream.fileno())
            os.rename(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise


def sweep(folder):
    """Remove what killed writers have left in a folder: nobody holds the lock on it."""
    for path in glob.glob(os.path.join(glob.escape(folder), PREFIX + "*")):
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:  # gone meanwhile, or nothing that was written here
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(path)
        except (BlockingIOError, FileNotFoundError):
            pass
        finally:
            os.close(descriptor)


def why(error):
    """An OSError for people: the path, and what is wrong with it."""
    return "%s: %s" % (error.filename or "a file", error.strerror or error)


def remove(path):
    """Remove a file that may be absent, and make that last. Of a symbolic link the file goes that it leads to."""
    path = os.path.realpath(path)
    sweep(os.path.dirname(path))
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    sync_directory(os.path.dirname(path))
