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
from ansible.module_utils import hardhost_unit as units

DIRECTORY = "/var/lib/hardhost"
VERSION = 1
REBOOT = os.path.join(DIRECTORY, "reboot.json")  # the last one of ours: `{boot, newest}`
# From one module of a run to the next, on a slow host of a large batch too; a restart asks for as long as its job may take.
LEASE_SECONDS = 300
_PARTS = {
    "changes": list,
    "undone": list,
    "files": dict,
    "lease": (dict, type(None)),
    "daemon": (dict, type(None)),
}
_CHANGE = {
    "number": int,
    "run": str,
    "control": str,
    "kind": str,
    "target": str,
    "before": dict,
    "after": dict,
}
# What a change may be of, in the order in which `undo` takes it back; packages stay.
KINDS = (
    "audit_rules",
    "file",
    "daemon_json_leaf",
    "line",
    "own_line",
    "permissions",
    "sysctl",
    "module",
    "member",
    "user",
    "image",
    "unit",
    "apparmor_profile",
    "chain",
    "selinux_mode",
    "selinux_boolean",
    "selinux_module",
    "directory",
    "package",
)
_LEASE = {"run": str, "holder": str, "since": int, "expires": int}
_DAEMON = {"boot": str, "pid": int, "started": int, "file": str}
_FILE = {"before": dict, "written": str}


class StateError(Exception):
    """The state cannot be used; the text says why and what the operator can do."""


class UnwritableStateError(StateError):
    """There is no room for it, or nobody may write there."""


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
    try:
        data = files.read(path)
    except OSError as error:
        raise StateError(_unusable(path, error.strerror)) from error
    if data is None:
        return empty()
    try:
        state = json.loads(data.decode("utf-8"))
        version = state["version"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise StateError(_unusable(path, error)) from error
    if type(version) is not int or version != VERSION:
        raise StateError(
            _newer(path, "version %r, this project knows version %d" % (version, VERSION))
        )
    wrong = _wrong(state)
    if wrong:
        raise StateError(_unusable(path, wrong))
    unknown = {one["kind"] for one in state["changes"] + state["undone"]}.difference(KINDS)
    if unknown:
        what = "changes of the kind %s, which this project does not know"
        raise StateError(_newer(path, what % ", ".join(sorted(unknown))))
    return state


def _newer(path, what):
    return (
        "%s has %s; use the hardhost release that wrote it, to go on or to take everything back (rollback.yml)"
        % (path, what)
    )


def _unusable(path, why):
    return (
        "%s cannot be read (%s); restore it from a backup, or move it away: "
        "nothing done before can be undone then" % (path, why)
    )


def _wrong(state):
    """What a state of this version lacks or has of the wrong kind; "" where it can be worked with."""
    missing = [key for key in empty() if key not in state]
    if missing:
        return "it lacks %s" % ", ".join(missing)
    found = _mismatch(state, _PARTS, "the state")
    if found:
        return found
    named = [
        ("change %d" % number, one, _CHANGE)
        for number, one in enumerate(state["changes"] + state["undone"], 1)
    ]
    named += [("files: %s" % path, one, _FILE) for path, one in state["files"].items()]
    named += [
        (key, state[key], shape)
        for key, shape in (("lease", _LEASE), ("daemon", _DAEMON))
        if state[key]
    ]
    found = "; ".join(filter(None, [_mismatch(one, shape, name) for name, one, shape in named]))
    return found or "; ".join(
        "the change of %s has no leaf" % one["target"]
        for one in state["changes"] + state["undone"]
        if one["kind"] == "daemon_json_leaf" and not _is_leaf(one.get("leaf"))
    )


def _mismatch(value, shape, name):
    if not isinstance(value, dict):
        return "%s is no object" % name
    wrong = [key for key, kind in shape.items() if not isinstance(value.get(key), kind)]
    return "%s: %s cannot be right" % (name, ", ".join(wrong)) if wrong else ""


def _is_leaf(value):
    return isinstance(value, list) and bool(value) and all(isinstance(name, str) for name in value)


def save(state, directory=DIRECTORY):
    """Write the state in one step. The caller holds the lock."""
    data = json.dumps(state, indent=1, sort_keys=True).encode("utf-8") + b"\n"
    with _writing():
        files.replace(
            os.path.join(directory, "state.json"), data, {"uid": 0, "gid": 0, "mode": 0o600}
        )


@contextlib.contextmanager
def _writing():
    """What cannot be recorded must not be done: a full or read-only disk ends the work here."""
    try:
        yield
    except OSError as error:
        raise UnwritableStateError("the state cannot be written: %s" % files.why(error)) from error


@contextlib.contextmanager
def locked(directory=DIRECTORY):
    """Hold the host's lock for one piece of work; StateError when another process keeps it for a minute."""
    with _writing():
        os.makedirs(directory, mode=0o700, exist_ok=True)
        os.chmod(directory, 0o700)
        handle = open(  # noqa: SIM115 - closed below, so that what goes wrong inside is not taken for a full disk
            os.path.join(directory, "lock"), "w", encoding="ascii"
        )
    with handle:
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


def claim(state, run, holder, seconds=LEASE_SECONDS, now=None, process=None):
    """Take or renew the host's lease for a run. StateError tells who holds it otherwise.

    With `process`, as `this_process` gives it, the lease ends with that process at the latest.
    """
    now = int(time.time() if now is None else now)
    lease = state["lease"]
    if lease and lease["run"] != run and _holds(lease, now):
        raise StateError(
            "run %s of %s has been working on this host since %s; its lease ends at %s"
            % (lease["run"], lease["holder"], _clock(lease["since"]), _clock(lease["expires"]))
        )
    since = lease["since"] if lease and lease["run"] == run and _holds(lease, now) else now
    state["lease"] = {"run": run, "holder": holder, "since": since, "expires": now + seconds}
    if process:
        state["lease"]["process"] = process


def _holds(lease, now):
    """Whether a lease still counts. One from the future was given before the clock was set right: it never would end."""
    if lease.get("process") and not at_work(lease):
        return False
    return lease["since"] <= now < lease["expires"]


def at_work(lease):
    """Whether the process that the lease is bound to is there; False where it is bound to none."""
    process = lease.get("process")
    return bool(process) and process == this_process(process.get("pid", 0))


def this_process(pid=None):
    """`{boot, pid, started}`: which process of which boot this is; None where it is gone."""
    pid = os.getpid() if pid is None else pid
    started = units.started(pid)
    return {"boot": units.boot(), "pid": pid, "started": started} if started is not None else None


def _clock(seconds):
    return time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(seconds))


def release(state, run):
    """Give the lease back if it is this run's, or nobody's any more."""
    lease = state["lease"]
    if lease and (lease["run"] == run or not _holds(lease, int(time.time()))):
        state["lease"] = None


@contextlib.contextmanager
def work(run, holder, seconds=LEASE_SECONDS, directory=DIRECTORY):
    """The state, locked and leased to a run, for one piece of work; saved when it ends.

    When the work fails, the lease is given back, and when this process is killed it ends with it, so that nobody has to
    wait; afterwards it is one for the usual time. StateError when somebody else holds it.
    """
    with locked(directory):
        state = load(directory)
        claim(state, run, holder, seconds, process=this_process())
        save(state, directory)
        try:
            yield state
        except BaseException:
            release(state, run)
            raise
        else:
            if state["lease"]:  # the run goes on, with other processes
                claim(state, run, holder)
        finally:
            save(state, directory)


def keep(data, directory=DIRECTORY):
    """Keep old bytes; returns their name, the SHA-256."""
    name = files.digest(data)
    folder = os.path.join(directory, "blobs")
    path = os.path.join(folder, name)
    with _writing():
        os.makedirs(folder, mode=0o700, exist_ok=True)
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
    number = 1 + max([one["number"] for one in state["changes"] + state["undone"]], default=0)
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
