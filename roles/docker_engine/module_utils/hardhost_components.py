"""Which versions of engine, containerd and runc are in use, and what is open in them.

What runs counts before what is installed: an update that nobody has started mends nothing.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import os
import re
import shutil

from ansible.module_utils import hardhost_advisories as advisories
from ansible.module_utils import hardhost_docker as docker
from ansible.module_utils import hardhost_files as files
from ansible.module_utils import hardhost_packages as packages
from ansible.module_utils import hardhost_running as running
from ansible.module_utils import hardhost_unit as units
from ansible.module_utils.hardhost_packages import PackagesError

PROGRAMS = {"engine": "dockerd", "containerd": "containerd", "runc": "runc"}
SERVICE = "containerd.service"
OWN_CONTAINERD = "/run/docker/containerd/containerd.pid"  # of a dockerd that has started one itself


def observe(facts):
    """`{versions, open, unknown, replaced, ...}`; `replaced` says of which component another one runs than is installed."""
    installed = {component: version_of(program) for component, program in PROGRAMS.items()}
    changelogs = {component: changelog_of(program) for component, program in PROGRAMS.items()}
    runs = in_use(facts)
    replaced = {
        "engine": running.outdated(facts),
        "containerd": outdated(runs.get("containerd", ""), installed["containerd"]),
    }
    replaced = {component: why for component, why in replaced.items() if why}
    for component in replaced:
        changelogs[component] = ""  # it is that of another one
    versions = {
        # A dockerd that brings its own containerd may have it where no search finds it.
        component: (component in replaced and runs.get(component))
        or version
        or runs.get(component, "")
        for component, version in installed.items()
    }
    return {
        "problem": "",
        "date": advisories.DATE,
        "versions": versions,
        "replaced": replaced,
        "open": advisories.findings(versions, changelogs),
        "unknown": [component for component, version in versions.items() if not version],
    }


def in_use(facts):
    """`{component: version}` as the running daemon says; {} where none answers."""
    if not facts["engine"]["running"]:
        return {}
    try:
        named = docker.get("/version").get("Components") or []
    except docker.ApiError:
        return {}
    return {one["Name"].lower(): _version(one["Version"]) for one in named}


def outdated(runs, installed):
    """Why the containerd that runs is not the one that is installed; "" where it is, or none runs."""
    if any(one["executable"].endswith("/containerd (deleted)") for one in _containerds()):
        return "containerd %s runs, and was replaced by %s since" % (runs or "(unknown)", installed)
    ours, theirs = advisories.number(runs), advisories.number(installed)
    if ours and theirs and ours != theirs:
        return "containerd %s runs, %s is installed" % (runs, installed)
    return ""


def service_replaced():
    """Why the containerd that systemd has started is not the one that is installed; "" where it is, or none runs.

    systemd is asked for the process, and /proc for its program: no program that is slow, for every converge asks.
    """
    pid = units.show(SERVICE).get("MainPID", "")
    process = units.process(int(pid)) if pid.isdigit() and int(pid) else None
    program, mark, _rest = (process or {"executable": ""})["executable"].partition(" (deleted)")
    if not mark or not os.path.exists(program):  # one that was removed has nothing to start
        return ""
    return "the containerd that runs was replaced by another one since"


def kill_mode():
    """What a restart of containerd's unit ends: "process" alone leaves containers."""
    return packages.output(["systemctl", "show", SERVICE, "-p", "KillMode", "--value"]).strip()


def _containerds():
    """The processes that may be the daemon's containerd."""
    pids = (
        units.show(SERVICE).get("MainPID", ""),
        (files.read(OWN_CONTAINERD) or b"").decode("ascii", "replace").strip(),
    )
    found = [units.process(int(pid)) for pid in pids if pid.isdigit() and int(pid)]
    return [one for one in found if one]


def version_of(program):
    """The version that a program says it has; "" where there is none."""
    try:
        return _version(packages.run([program, "--version"], 30)[1])
    except PackagesError:
        return ""


def _version(text):
    found = re.search(r"\d+\.\d+\.\d+[^\s,]*", text)
    return found.group(0) if found else ""


def changelog_of(program):
    """The changelog of the package that a program is from: another one, put before it, gets no credit for it."""
    path = shutil.which(program, path=packages.ENVIRONMENT["PATH"])
    try:
        name = packages.owner(path) if path else ""
    except PackagesError:  # no dpkg: a version has to do
        return ""
    return packages.changelog(name) if name else ""
