"""The user and the subordinate id ranges that userns-remap needs, overlapping nobody else's.

dockerd 28 and 29 look at root's ranges only when they choose one, and so hand out ids that a person already has; before
23.0 and under SELinux they cannot create the user at all. So both exist before any dockerd sees the option.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

COUNT = 65536  # ids in a range; what dockerd asks for (moby daemon/internal/usergroup)
FIRST = 100000  # SUB_UID_MIN of login.defs(5)
DEFAULT_USER = "dockremap"


def user_of(option):
    """The user name in a userns-remap value: "default" -> dockremap, "name:group" -> name."""
    return DEFAULT_USER if option == "default" else option.partition(":")[0]


def free_start(identities):
    """The start of a range that is free in subuid, in subgid and among real user and group ids."""
    taken = [
        (start, start + count)
        for _name, start, count in identities["subuid"] + identities["subgid"]
    ]
    taken += [
        (number, number + 1)
        for number in list(identities["users"].values()) + list(identities["groups"].values())
    ]
    start = FIRST
    for begin, end in sorted(taken):
        if begin < start + COUNT and end > start:
            start = end
    return start


def needed(option, identities):
    """What is missing for a userns-remap value: `{user, create_user, subuid, subgid}`; the last two are lines or None."""
    user = user_of(option)
    start = free_start(identities)
    line = "%s:%d:%d" % (user, start, COUNT)
    return {
        "user": user,
        "create_user": user not in identities["users"],
        "subuid": None if _enough(identities["subuid"], user) else line,
        "subgid": None if _enough(identities["subgid"], user) else line,
    }


def _enough(ranges, user):
    return any(name == user and count >= COUNT for name, _start, count in ranges)
