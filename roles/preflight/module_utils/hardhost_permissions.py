"""Owner and mode of the files Docker reads: which paths a subject stands for, what is wrong with them, and the change.

A mode is the most that is allowed: bits outside it are removed, none is added.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import glob
import grp
import os
import pwd
import re
import stat

from ansible.module_utils import hardhost_unit as units


class PermissionsError(Exception):
    """Owner or mode cannot be set; the text says why."""


def paths(subject, facts):
    """The existing paths of a subject: a path, a glob, `unit:NAME` (the file systemd loaded) or `option:KEY`.

    Files, directories and sockets only: a masked unit leads to /dev/null, which is everybody's.
    """
    kind, separator, name = subject.partition(":")
    if separator and kind == "unit":
        found = [_unit_file(name, facts)]
    elif separator and kind == "option":
        found = [_option(name, facts)]
    else:
        found = glob.glob(subject)
    return sorted(path for path in found if path and _ours(path))


def _ours(path):
    """Whether a path leads to something whose owner and mode are to be set."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISSOCK(mode)


def _unit_file(name, facts):
    if name == "docker.service":
        return facts["unit"]["FragmentPath"]
    return units.show(name).get("FragmentPath", "")


def _option(name, facts):
    value = facts["daemon_json"]["options"].get(name) or facts["flags"].get(name)
    return value if isinstance(value, str) else ""


def unusable(rules):
    """Why rules `{subject: {owner, group, mode}}` cannot be obeyed on this host; "" where they can."""
    for subject, rule in sorted(rules.items()):
        try:
            _resolved(rule)
        except PermissionsError as error:
            return "%s: %s" % (subject, error)
    return ""


def _resolved(rule):
    """A rule as `{uid, gid, mode}`."""
    mode = rule.get("mode") if isinstance(rule, dict) else None
    if not isinstance(mode, str) or not re.fullmatch(r"[0-7]{3,4}", mode):
        raise PermissionsError('%r has no mode such as "0640", quoted' % (rule,))
    try:
        return {
            "uid": pwd.getpwnam(rule["owner"]).pw_uid,
            "gid": grp.getgrnam(rule["group"]).gr_gid,
            "mode": int(mode, 8),
        }
    except KeyError as error:
        raise PermissionsError(
            "this host lacks the user or group, or the rule does not name it: %s" % error
        ) from error


def wanted(path, rule, before=None):
    """`(before, after)` of a path as `{uid, gid, mode}`; both are equal where nothing is wrong.

    `before` is for a path that another rule has been applied to; without it the file is asked.
    """
    before = before or _content(os.stat(path))
    allowed = _resolved(rule)
    return before, dict(allowed, mode=before["mode"] & allowed["mode"])


def owners(content):
    """User and group id of a content."""
    return content["uid"], content["gid"]


def _content(status):
    return {"uid": status.st_uid, "gid": status.st_gid, "mode": stat.S_IMODE(status.st_mode)}


def change(path, after, before=None):
    """Give the file at a resolved path (os.path.realpath) another owner and mode.

    OSError or PermissionsError where a part of the path has become a symbolic link, or the file is not `before` any more:
    somebody may be trying to have another file changed.
    """
    descriptor = _open(path)
    try:
        if before and _content(os.fstat(descriptor)) != before:
            raise PermissionsError("somebody else changed it meanwhile; run again")
        # A socket has no descriptor of its own; this names what was opened, and no path that somebody may exchange.
        same = "/proc/self/fd/%d" % descriptor if _is_socket(descriptor) else descriptor
        os.chown(same, after["uid"], after["gid"])
        os.chmod(same, after["mode"])  # last: a change of owner clears the setuid and setgid bits
    finally:
        os.close(descriptor)


def _open(path):
    """A descriptor for the file at an absolute path of which no part is a symbolic link."""
    names = path.strip("/").split("/")
    folder = os.open("/", os.O_PATH | os.O_DIRECTORY)
    try:
        for name in names[:-1]:
            inner = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = inner
        flags = os.O_RDONLY | os.O_NONBLOCK
        if stat.S_ISSOCK(os.stat(names[-1], dir_fd=folder, follow_symlinks=False).st_mode):
            flags = os.O_PATH
        return os.open(names[-1], flags | os.O_NOFOLLOW, dir_fd=folder)
    finally:
        os.close(folder)


def _is_socket(descriptor):
    return stat.S_ISSOCK(os.fstat(descriptor).st_mode)


def worded(content):
    """An owner and a mode as people write them: `root:docker 0660`."""
    return "%s:%s %04o" % (
        _name(pwd.getpwuid, content["uid"]),
        _name(grp.getgrgid, content["gid"]),
        content["mode"],
    )


def _name(look_up, number):
    try:
        return look_up(number)[0]
    except KeyError:
        return str(number)


def changes(rules, facts):
    """What applying `{subject: {owner, group, mode}}` would change: `[{what, before, after}]`, worded."""
    found = []
    for subject, rule in sorted(rules.items()):
        for path in paths(subject, facts):
            before, after = wanted(path, rule)
            if before != after:
                found.append({"what": path, "before": worded(before), "after": worded(after)})
    return found
