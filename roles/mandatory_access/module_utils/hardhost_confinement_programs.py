"""Install the packages of mandatory_access.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from ansible.module_utils.hardhost_programs import SECONDS, Failed, TimedOut, run

INSTALL_SECONDS = 1800  # apt must not be ended in the middle of its work
APT = (
    *("apt-get", "install", "--yes", "--quiet", "--no-install-recommends"),
    *("-o", "DPkg::Lock::Timeout=%d" % SECONDS, "-o", "Dpkg::Options::=--force-confold"),
)


def install(packages, family="debian", again=False):
    """Install packages; `again` where one counts as installed and its programs are gone. Failed with the manager's words."""
    if family != "debian":
        run(["dnf", "-y", "install", *packages], seconds=INSTALL_SECONDS)
        return
    words = [*APT, *(["--reinstall"] if again else []), *packages]
    try:
        run(words, seconds=INSTALL_SECONDS)
    except TimedOut:
        raise
    except Failed:  # a fresh host has no package lists
        run(["apt-get", "update", "--quiet"], seconds=INSTALL_SECONDS)
        run(words, seconds=INSTALL_SECONDS)
