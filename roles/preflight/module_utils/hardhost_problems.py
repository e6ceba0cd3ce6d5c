"""Why dockerd would not start, or would not start containers, with a given daemon.json.

Covers what `dockerd --validate` accepts all the same, and what engines without that option (before 23.0) cannot check.
Each check was seen on a running engine or read in moby; docs/adr/0004 says which.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import json
import os
import re

from ansible.module_utils import hardhost_files as files
from ansible.module_utils.hardhost_keys import KEYS
from ansible.module_utils.hardhost_options import nearest, same

LOCAL_LOG_DRIVERS = ("json-file", "local")
LOCAL_LOG_OPTIONS = ("max-size", "max-file", "compress")
LOG_LEVELS = ("panic", "fatal", "error", "warn", "info", "debug", "trace", "")
# docker/go-units ulimit.go
ULIMITS = (
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
)
# moby daemon/graphdriver, and the containerd snapshotters; aufs, overlay and devicemapper are gone since 24.0 and 25.0
STORAGE_DRIVERS = (
    "overlay2",
    "fuse-overlayfs",
    "btrfs",
    "zfs",
    "vfs",
    "overlayfs",
    "native",
    "stargz",
    "aufs",
    "overlay",
    "devicemapper",
)
# What lists and maps hold, where it is not text (lists) or has a check of its own (maps).
_MEMBERS = {
    "default-address-pools": "map",
    "features": "bool",
    "runtimes": "map",
    "default-network-opts": "map",
    "cluster-store-opts": "string",
}
_PYTHON = {"bool": bool, "int": int, "string": str, "list": list, "map": dict}


def version(text):
    """A version as a tuple of numbers: "26.1.5+dfsg1" -> (26, 1, 5)."""
    return tuple(int(part) for part in re.findall(r"\d+", re.split(r"[+~-]", text or "")[0]))


def allows(gate, engine):
    """Whether an engine version passes a gate such as ">=24.0,<29"; no gate passes always."""
    for comparison in [part.strip() for part in (gate or "").split(",") if part.strip()]:
        operator, wanted = re.fullmatch(r"(>=|<=|==|<|>)\s*([\d.]+)", comparison).groups()
        one, other = _padded(version(engine), version(wanted))
        if not {
            ">=": one >= other,
            "<=": one <= other,
            "==": one == other,
            "<": one < other,
            ">": one > other,
        }[operator]:
            return False
    return True


def _padded(one, other):
    width = max(len(one), len(other))
    return one + (0,) * (width - len(one)), other + (0,) * (width - len(other))


def problems(options, flags, engine, nofile=None, swarm=False):
    """Everything that would keep this object from working: `[(key, text)]`, in a stable order.

    `flags` are the unit's, as keys; `engine` the version; `nofile` the daemon's own hard limit (None: unlimited or unknown).
    """
    effective = dict(flags)
    effective.update(options)
    found = []
    for key in options:
        found += _key(key, options[key], flags, engine)
    for check in (
        _log,
        _network,
        _user_namespace,
        _runtime,
        _seccomp,
        _proxy,
        _storage,
        _cgroup_driver,
    ):
        found += check(effective)
    found += _tls(options, flags)
    found += _ulimits(effective.get("default-ulimits") or {}, nofile)
    if swarm and effective.get("live-restore") is True:
        found.append(
            ("live-restore", "live-restore does not work on a swarm node: dockerd would not start")
        )
    return found


def _key(key, value, flags, engine):
    if key not in KEYS:
        if isinstance(value, dict):
            return [
                (
                    key,
                    "%s is no option of dockerd: it would be ignored with all that is in it" % key,
                )
            ]
        near = nearest(key, KEYS)
        return [
            (
                key,
                "%s is no option of dockerd%s: dockerd would not start"
                % (key, " (did you mean %s?)" % near if near else ""),
            )
        ]
    facts = KEYS[key]
    found = []
    if key in flags and key != "runtimes":
        found.append(
            (key, "%s is also given as a flag of the unit: dockerd does not start with both" % key)
        )
    if facts["since"] and engine and not allows(">=" + facts["since"], engine):
        found.append(
            (
                key,
                "%s needs engine %s, this is %s: dockerd would not start"
                % (key, facts["since"], engine),
            )
        )
    if facts["removed"] and engine and allows(">=" + facts["removed"], engine):
        found.append(
            (key, "%s was removed in engine %s: dockerd would not start" % (key, facts["removed"]))
        )
    if key == "min-api-version" and not re.fullmatch(r"1\.\d+", str(value)):
        found.append(
            (
                key,
                "min-api-version %r is no API version such as 1.44: dockerd would not start"
                % (value,),
            )
        )
    if not _typed(value, facts["type"]):
        found.append(
            (
                key,
                "%s is a %s where dockerd reads a %s" % (key, type(value).__name__, facts["type"]),
            )
        )
    elif _member(key, value):
        found.append((key, _member(key, value)))
    return found


def _typed(value, kind):
    if kind == "int":
        return isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63
    return isinstance(value, _PYTHON[kind])


def _member(key, value):
    """The first member of a list or map that is not of the kind which dockerd reads there, worded; "" where all are."""
    kind = _MEMBERS.get(key, "string" if KEYS[key]["type"] == "list" else None)
    if kind is None or not isinstance(value, (list, dict)):
        return ""
    members = value.items() if isinstance(value, dict) else enumerate(value, 1)
    wrong = [name for name, one in members if not _typed(one, kind)]
    return "%s, item %s, is no %s: dockerd would not start" % (key, wrong[0], kind) if wrong else ""


def _log(options):
    found = []
    if options.get("log-level", "info") not in LOG_LEVELS:
        found.append(
            (
                "log-level",
                "log-level %r is unknown; dockerd accepts %s"
                % (options["log-level"], ", ".join(filter(None, LOG_LEVELS))),
            )
        )
    driver, values = options.get("log-driver", "json-file"), options.get("log-opts") or {}
    if not isinstance(values, dict):
        return found
    for name in LOCAL_LOG_OPTIONS:
        if name in values and driver not in LOCAL_LOG_DRIVERS + ("gcplogs", "awslogs", "none"):
            found.append(
                (
                    "log-opts",
                    "log-opts %s does not go with log-driver %s: dockerd would not start"
                    % (name, driver),
                )
            )
    for name, value in values.items():
        if not isinstance(value, str):
            found.append(("log-opts", "log-opts %s must be a string; quote it" % name))
    return found


def _network(options):
    found = []
    if options.get("icc") is False and options.get("iptables") is False:
        found.append(
            ("icc", "icc: false needs iptables, which is turned off here: dockerd would not start")
        )
    for one, other in (("bridge", "bip"), ("graph", "data-root")):
        if options.get(one) and options.get(other):
            found.append(
                (other, "%s and %s exclude each other: dockerd would not start" % (one, other))
            )
    return found


def _user_namespace(options):
    features = options.get("features")
    on = options.get("userns-remap") not in (None, "", "root")
    if on and isinstance(features, dict) and features.get("containerd-snapshotter") is True:
        return [
            (
                "userns-remap",
                "userns-remap does not work with the containerd snapshotter, which is switched on",
            )
        ]
    return []


def _runtime(options):
    wanted, runtimes = options.get("default-runtime", "runc"), options.get("runtimes")
    known = list(runtimes if isinstance(runtimes, dict) else []) + [
        "runc",
        "io.containerd.runc.v2",
        "io.containerd.runtime.v1.linux",
    ]
    if wanted in known or "/" in str(wanted):
        return []
    return [
        (
            "default-runtime",
            "default-runtime %s is not among runtimes: dockerd would not start" % wanted,
        )
    ]


def _seccomp(options):
    path = options.get("seccomp-profile")
    if not isinstance(path, str) or path in ("", "builtin", "unconfined"):
        return []  # another type is a problem of its own, and a number would be opened as a descriptor
    try:
        json.loads((files.read(path) or b"").decode("utf-8"))
    except (OSError, ValueError):
        return [
            (
                "seccomp-profile",
                "seccomp-profile %s is no readable JSON file: dockerd would not start" % path,
            )
        ]
    return []


def _tls(options, flags):
    """dockerd loads certificate and key before anything else. In the file `tlsverify` switches TLS on, whatever its value."""
    if (
        not (options.get("tls") is True or "tlsverify" in options)
        or "tls" in flags
        or "tlsverify" in flags
    ):
        return []  # given as flags, TLS has default paths of its own
    effective = dict(flags, **options)
    return [
        ("tls", "TLS is switched on, and %s names no file: dockerd would not start" % key)
        for key in ("tlscert", "tlskey")
        if not _is_file(effective.get(key))
    ]


def _is_file(path):
    return isinstance(path, str) and os.path.isfile(path)


def _proxy(options):
    path = options.get("userland-proxy-path")
    if not path or not isinstance(path, str) or os.access(path, os.X_OK):
        return []
    return [("userland-proxy-path", "userland-proxy-path %s is no program" % path)]


def _storage(options):
    driver = options.get("storage-driver")
    if not isinstance(driver, str) or driver in ("",) + STORAGE_DRIVERS:
        return []
    return [
        (
            "storage-driver",
            "storage-driver %s is none of %s: dockerd would not start"
            % (driver, ", ".join(STORAGE_DRIVERS)),
        )
    ]


def _cgroup_driver(options):
    given = options.get("exec-opts")
    wrong = (
        [
            one
            for one in given
            if str(one).startswith("native.cgroupdriver=")
            and str(one).partition("=")[2] not in ("systemd", "cgroupfs")
        ]
        if isinstance(given, list)
        else []
    )
    return [
        (
            "exec-opts",
            "exec-opts %s: the driver is systemd or cgroupfs; dockerd would not start" % one,
        )
        for one in wrong
    ]


def _ulimits(limits, nofile):
    found = []
    for name, limit in limits.items() if isinstance(limits, dict) else []:
        text = _ulimit(name, limit, nofile)
        if text:
            found.append(("default-ulimits", "default-ulimits %s: %s" % (name, text)))
    return found


def _ulimit(name, limit, nofile):
    if name not in ULIMITS:
        return "no such limit; dockerd knows %s" % ", ".join(ULIMITS)
    if not isinstance(limit, dict) or limit.get("Name") != name:
        return "needs an object with Name: %s, Soft and Hard" % name
    soft, hard = limit.get("Soft"), limit.get("Hard")
    if not all(isinstance(value, int) and not isinstance(value, bool) for value in (soft, hard)):
        return "Soft and Hard must be whole numbers"
    if hard != -1 and (soft == -1 or soft > hard):
        return "Soft %d is above Hard %d" % (soft, hard)
    if name == "nofile" and nofile is not None and (hard == -1 or hard > nofile):
        return "Hard %d is above the daemon's own limit %d: no container would start" % (
            hard,
            nofile,
        )
    return ""


def new_problems(candidate, current, flags_before=None, **context):
    """The problems that a candidate has and an object that is known to work has not.

    `flags_before` are the flags with which that one works, where the unit has others by now.
    """
    before = dict(context, flags=context["flags"] if flags_before is None else flags_before)
    known = problems(current, **before)
    return [
        problem
        for problem in problems(candidate, **context)
        if not any(same(problem, one) for one in known)
    ]
