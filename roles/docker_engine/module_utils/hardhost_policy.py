"""Keep the scripts of packages from restarting the engine, by the policy that Debian's tools ask before they touch a service.

Somebody's own policy is asked for every other service meanwhile, and stands there again afterwards, the same file.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import contextlib
import os

from ansible.module_utils import hardhost_files as files
from ansible.module_utils import hardhost_package_work as work

POLICY = "/usr/sbin/policy-rc.d"
KEPT = POLICY + ".hardhost-kept"  # somebody's own, for as long as ours stands in its place
# Left behind by whoever is killed, it decides nothing any more once the packages are done.
TEXT = b"""#!/bin/sh
# Written by hardhost while it upgrades the engine, and taken away after it: containerd and dockerd are restarted once,
# by the run itself. The policy that was here before is beside it as policy-rc.d.hardhost-kept, and asked for all else.
if systemctl is-active --quiet hardhost-packages.service; then
    case "$1" in docker | docker.* | containerd | containerd.*) exit 101 ;; esac
fi
[ -x "$0.hardhost-kept" ] || exit 0
exec "$0.hardhost-kept" "$@"
"""


@contextlib.contextmanager
def no_restart_by_packages():
    """While this lasts, no package restarts dockerd or containerd, whatever somebody's own policy says to that."""
    try:
        _put()
        yield
    finally:
        if not work.at_work():  # else their scripts are still to come
            _take_away()


def _put():
    """Ours in its place in one step, so that there is always one of the two; a killed run may have done so before."""
    if files.read(POLICY) == TEXT:
        return
    _forget_kept()
    if os.path.lexists(POLICY):
        os.link(POLICY, KEPT, follow_symlinks=False)
    new = POLICY + ".hardhost-new"
    files.replace(new, TEXT, {"uid": 0, "gid": 0, "mode": 0o755})
    os.rename(new, POLICY)
    files.sync_directory(os.path.dirname(POLICY))


def _take_away():
    """Theirs back where it was; one that somebody has put there meanwhile stays."""
    if files.read(POLICY) != TEXT:
        _forget_kept()
    elif os.path.lexists(KEPT):
        os.rename(KEPT, POLICY)
    else:
        os.unlink(POLICY)
    files.sync_directory(os.path.dirname(POLICY))


def _forget_kept():
    with contextlib.suppress(FileNotFoundError):
        os.unlink(KEPT)
