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
    start = FIRST
    for begin, end in _taken(identities):
        if begin < start + COUNT and end > start:
            start = end
    return start


def _taken(identities):
    """`[(first, first behind)]` of all ids that somebody has, lowest first."""
    ranges = identities["subuid"] + identities["subgid"]
    numbers = list(identities["users"].values()) + list(identities["groups"].values())
    taken = [(start, start + count) for _name, start, count in ranges]
    return sorted(taken + [(number, number + 1) for number in numbers])


def _start(identities, user):
    """The range that the user has in one of the files (a run was killed between the two), where the other has room for it."""
    kinds = ("subuid", "subgid")
    own = [one for kind in kinds for one in identities[kind] if _is_enough(one, user)]
    rest = {kind: [one for one in identities[kind] if one not in own] for kind in kinds}
    taken = _taken(dict(identities, **rest))
    for _name, start, _count in own:
        if not any(begin < start + COUNT and end > start for begin, end in taken):
            return start
    return free_start(identities)


def needed(option, identities):
    """What is missing for a userns-remap value: `{user, create_user, subuid, subgid}`; the last two are lines or None."""
    user = user_of(option)
    start = _start(identities, user)
    line = "%s:%d:%d" % (user, start, COUNT)
    return {
        "user": user,
        "create_user": user not in identities["users"],
        "subuid": None if _enough(identities["subuid"], user) else line,
        "subgid": None if _enough(identities["subgid"], user) else line,
    }


def _enough(ranges, user):
    return any(_is_enough(one, user) for one in ranges)


def _is_enough(one, user):
    name, _begin, count = one
    return name == user and count >= COUNT
