"""The one memory of what hardhost changed on a host: `/var/lib/hardhost/state.json`, version 1.

A change is recorded and synced before it is made, so that an interrupted run can still be undone. The shape is in
docs/architecture.md. Everything here runs on the host as root.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time

from ansible.module_utils import hardhost_files as files

DIRECTORY = "/var/lib/hardhost"
VERSION = 1
LEASE_SECONDS = 60  # one module's work; a restart asks for as long as its job may take


class StateError(Exception):
    """The state cannot be used; the text says why and what the operator can do."""


def empty():
    """The state of a host that has never been touched."""
    return {
        "version": VERSION,
        "lease": None,
        "changes": [],
        "undone": [],
        "files": {},
        "daemon": None,
    }


def load(directory=DIRECTORY):
    """The state as it is on disk, `empty()` where there is none. StateError where it cannot be read."""
    path = os.path.join(directory, "state.json")
    data = files.read(path)
    if data is None:
        return empty()
    try:
        state = json.loads(data.decode("utf-8"))
        version = state["version"]
        missing = [key for key in empty() if version == VERSION and key not in state]
        if missing:
            raise ValueError("it lacks %s" % ", ".join(missing))
    except (ValueError, KeyError, TypeError) as error:
        raise StateError(
            "%s cannot be read (%s); restore it from a backup, or move it away: "
            "nothing done before can be undone then" % (path, error)
        ) from error
    if version != VERSION:
        raise StateError(
            "%s has version %s, this project knows version %d; use the hardhost release that wrote it"
            % (path, version, VERSION)
        )
    return state


def save(state, directory=DIRECTORY):
    """Write the state in one step. The caller holds the lock."""
    data = json.dumps(state, indent=1, sort_keys=True).encode("utf-8") + b"\n"
    files.replace(os.path.join(directory, "state.json"), data, {"uid": 0, "gid": 0, "mode": 0o600})


@contextlib.contextmanager
def locked(directory=DIRECTORY):
    """Hold the host's lock for one piece of work; StateError when another process keeps it for a minute."""
    os.makedirs(directory, mode=0o700, exist_ok=True)
    os.chmod(directory, 0o700)
    with open(os.path.join(directory, "lock"), "w", encoding="ascii") as handle:
        _lock(handle)
        yield


def _lock(handle):
    deadline = time.monotonic() + 60
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                raise StateError(
                    "another hardhost process has been working on this host for a minute; "
                    "see `ps` for it and run again when it has ended"
                ) from error
            time.sleep(0.2)


def claim(state, run, holder, seconds=LEASE_SECONDS, now=None):
    """Take or renew the host's lease for a run. StateError tells who holds it otherwise."""
    now = int(time.time() if now is None else now)
    lease = state["lease"]
    if lease and lease["run"] != run and lease["expires"] > now:
        raise StateError(
            "run %s of %s has been working on this host since %s; its lease ends at %s"
            % (lease["run"], lease["holder"], _clock(lease["since"]), _clock(lease["expires"]))
        )
    since = lease["since"] if lease and lease["run"] == run else now
    state["lease"] = {"run": run, "holder": holder, "since": since, "expires": now + seconds}


def _clock(seconds):
    return time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(seconds))


def release(state, run):
    """Give the lease back if it is this run's."""
    if state["lease"] and state["lease"]["run"] == run:
        state["lease"] = None


@contextlib.contextmanager
def work(run, holder, seconds=LEASE_SECONDS, directory=DIRECTORY):
    """The state, locked and leased to a run, for one piece of work; saved when it ends.

    When the work fails, the lease is given back, so that nobody has to wait for it to end. StateError when somebody else
    holds it.
    """
    with locked(directory):
        state = load(directory)
        claim(state, run, holder, seconds)
        save(state, directory)
        try:
            yield state
        except BaseException:
            release(state, run)
            raise
        finally:
            save(state, directory)


def keep(data, directory=DIRECTORY):
    """Keep old bytes; returns their name, the SHA-256."""
    name = files.digest(data)
    folder = os.path.join(directory, "blobs")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    path = os.path.join(folder, name)
    if not os.path.exists(path):
        files.replace(path, data, {"uid": 0, "gid": 0, "mode": 0o600})
    return name


def kept(name, directory=DIRECTORY):
    """Bytes kept before. StateError when they are gone or were altered."""
    data = files.read(os.path.join(directory, "blobs", name))
    if data is None or files.digest(data) != name:
        raise StateError("the kept copy %s is missing or altered below %s" % (name, directory))
    return data


def record(state, run, control, kind, target, before, after, **more):
    """Append one change; the caller saves before it makes the change."""
    number = 1 + max([change["number"] for change in state["changes"]], default=0)
    change = {
        "number": number,
        "run": run,
        "time": int(time.time()),
        "control": control,
        "kind": kind,
        "target": target,
        "before": before,
        "after": after,
    }
    change.update(more)
    state["changes"].append(change)
    return change


def owned(state, kind, target):
    """The changes of one kind that we made to one target, oldest first."""
    return [
        change
        for change in state["changes"]
        if change["kind"] == kind and change["target"] == target
    ]
