"""Who belongs to a group: by its line, by the primary group of a user, and by processes that still hold it.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import glob
import grp
import os
import pwd
import re

from ansible.module_utils import hardhost_files as files

GROUP = "docker"
ROOT = "root"  # may do everything anyway: naming it wants nobody, having it harms nobody


def members(group=GROUP):
    """`{gid, listed, primary, local}` of a group, None where there is none.

    `local` are those whom its line in /etc/group names: others come from a directory service, which no tool here changes.
    """
    try:
        found = grp.getgrnam(group)
    except KeyError:
        return None
    primary = sorted({one.pw_name for one in pwd.getpwall() if one.pw_gid == found.gr_gid})
    return {
        "gid": found.gr_gid,
        "listed": sorted(set(found.gr_mem)),
        "primary": primary,
        "local": local(group),
    }


def local(group=GROUP, path="/etc/group"):
    """The members in the group's own line; None where the file has no such line."""
    text = (files.read(path) or b"").decode("utf-8", "replace")
    line = re.search(r"(?m)^%s:[^:\n]*:\d*:([^:\n]*)$" % re.escape(group), text)
    return sorted(filter(None, line.group(1).split(","))) if line else None


def edits(found, wanted):
    """`[(user, present)]`: who is to be added to the line and who to be taken out of it."""
    belong = set(found["listed"]) | set(found["primary"])
    added = [(user, True) for user in sorted(set(wanted) - belong - {ROOT})]
    gone = [(user, False) for user in found["local"] or [] if user not in set(wanted) | {ROOT}]
    return added + gone


def strangers(found, wanted):
    """Who belongs to the group and is not wanted: `{"listed": [...], "primary": [...]}`."""
    known = set(wanted) | {ROOT}
    return {
        kind: [user for user in found[kind] if user not in known] for kind in ("listed", "primary")
    }


def missing(found, wanted):
    """Who is wanted and does not belong to it."""
    return sorted(set(wanted) - set(found["listed"]) - set(found["primary"]) - {ROOT})


def unknown(wanted):
    """Those of the wanted users that the host does not have."""
    return sorted(user for user in wanted if not _there(user))


def _there(user):
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


def holders(gid, wanted):
    """`{user: [process ids]}` of unwanted users whose processes hold the group: logins from before it was taken away.

    Processes of containers are left out: there, the same number is another group.
    """
    own, found = _namespace("self"), {}
    for path in glob.glob("/proc/[0-9]*"):
        process = os.path.basename(path)
        uid, groups = _credentials(path)
        if uid and gid in groups and _namespace(process) == own:
            user = _name(uid)
            if user not in wanted:
                found.setdefault(user, []).append(int(process))
    return {user: sorted(processes) for user, processes in sorted(found.items())}


def _namespace(process):
    try:
        return os.readlink("/proc/%s/ns/pid" % process)
    except OSError:
        return ""


def _credentials(path):
    """Effective user and all groups of a process; (0, ()) where it has ended, and for root."""
    try:
        text = (files.read(path + "/status") or b"").decode("utf-8", "replace")
    except OSError:
        return 0, ()
    uid = re.search(r"(?m)^Uid:\s+\d+\s+(\d+)", text)
    groups = re.findall(r"(?m)^(?:Gid|Groups):(.*)$", text)
    return int(uid.group(1)) if uid else 0, {int(one) for line in groups for one in line.split()}


def _name(uid):
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
