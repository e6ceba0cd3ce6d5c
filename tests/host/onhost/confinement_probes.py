"""Prove by effect what AppArmor and SELinux refuse to a container; show the kernel's record.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from pathlib import Path

from conclusions import NotInForce, ProvesNothing
from kernel_records import Records

REFUSED = "errno=13"  # EACCES: what both answer. Who lacks a capability gets EPERM
RAW = {"CapAdd": ["NET_RAW"]}
MOUNT = {"CapAdd": ["SYS_ADMIN"]}
PROFILE, TYPE = "hardhost-container", "hardhost_container_t"
PROBE = 'comm="probe"'
DENIED = (PROBE, 'apparmor="DENIED"')


def options(granted, *security):
    """A container that was granted what it tries: only the kernel's policy is in its way."""
    return {**granted, "SecurityOpt": ["seccomp=unconfined", *security]}


def apparmor_container_profile(laboratory, _settings):
    within = options(RAW, "apparmor=" + PROFILE)
    record = _refused(
        laboratory, "rawsocket", within, options(RAW), *DENIED, f'profile="{PROFILE}"'
    )
    return f"{PROFILE} refused a raw socket, which docker-default allows{record}"


def apparmor_docker_default(laboratory, _settings):
    without = options(MOUNT, "apparmor=unconfined")
    # Its rules say `deny` without `audit`: of what they refuse the kernel writes nothing down.
    _refused(laboratory, "mount", options(MOUNT), without)
    return "docker-default refused a mount, which went through without a profile"


def selinux_container_policy(laboratory, _settings):
    within, without = options(RAW, "label=type:" + TYPE), options(RAW, "label=disable")
    record = _refused(laboratory, "rawsocket", within, without, PROBE, "denied", f":{TYPE}:")
    return f"{TYPE} refused a raw socket, which went through without a label{record}"


def _refused(laboratory, command, within, without, *words):
    """The kernel's record, found by these words, of what only one of two containers may."""
    code, output = laboratory.run([command], without)
    if code != 0:
        raise ProvesNothing(f"the attempt fails where it is allowed: {code}, {output.strip()}")
    with Records() as records:
        code, output = laboratory.run([command], within)
        if code == 0:
            raise NotInForce(f"the attempt ({command}) went through")
        if code != 1 or output.strip() != REFUSED:
            raise ProvesNothing(f"the attempt ended with {code}: {output.strip()}")
        found = records.line(*words) if words else ""
    return f": {found}" if found else "; the kernel left no record of it"


def selinux_labels(laboratory, _settings):
    free = _label(laboratory, options({}, "label=disable"))
    one, other = _label(laboratory, {}), _label(laboratory, {})
    if _kind(one) == _kind(free):
        raise NotInForce(f"a container runs as {_kind(one)}, as one without a label does")
    if one == other:
        raise NotInForce(f"two containers have the same categories: {one}")
    return f"containers run as {one} and {other}, and as {free} with label=disable"


def _label(laboratory, host):
    identifier = laboratory.start(["sleep", "60"], host)
    process = laboratory.inspect(identifier)["State"]["Pid"]
    return Path(f"/proc/{process}/attr/current").read_text("utf-8").strip("\0\n")


def _kind(label):
    parts = label.split(":")
    if len(parts) < 4:
        raise ProvesNothing(f"the kernel says {label!r} of a container's process")
    return parts[2]


PROBES = {
    "docker_daemon/selinux_labels": selinux_labels,
    "mandatory_access/apparmor_container_profile": apparmor_container_profile,
    "mandatory_access/apparmor_docker_default": apparmor_docker_default,
    "mandatory_access/selinux_container_policy": selinux_container_policy,
}
