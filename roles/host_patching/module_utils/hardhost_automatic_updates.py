"""Unattended upgrades by the distribution's own tool: its configuration, and what it says it would do.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import re

from ansible.module_utils import hardhost_packages as packages

PACKAGE = "unattended-upgrades"
PATH = "/etc/apt/apt.conf.d/90hardhost-automatic-updates"
TIMERS = ("apt-daily.timer", "apt-daily-upgrade.timer")
# Effective values as `apt-config dump` words them.
WANTED = (
    ("APT::Periodic::Enable", "1"),
    ("APT::Periodic::Update-Package-Lists", "1"),
    ("APT::Periodic::Unattended-Upgrade", "1"),
    ("Unattended-Upgrade::Automatic-Reboot", "false"),
)
LIST = "Unattended-Upgrade::Package-Blacklist"
DRY_RUN = ["unattended-upgrade", "--dry-run", "--debug"]
DRY_RUN_SECONDS = 300


def text():
    """The drop-in: on, without a reboot of its own, and without the engine."""
    lines = ["// Written by hardhost (host_patching/automatic_updates); changes are overwritten."]
    lines += ['%s "%s";' % pair for pair in WANTED]
    lines += ["%s {" % LIST] + ['    "%s";' % pattern for pattern in patterns()] + ["};"]
    return "\n".join(lines) + "\n"


def patterns():
    """The engine's packages as the tool's regular expressions: they match from the beginning of a name."""
    return ["%s$" % re.escape(name).replace(r"\-", "-") for name in packages.ENGINE]


def wrong(configuration):
    """Texts on what the effective configuration (`apt-config dump`) lacks."""
    found = []
    for name, value in WANTED:
        values = re.findall(r'^%s "([^"]*)";' % re.escape(name), configuration, re.MULTILINE | re.I)
        if name == "APT::Periodic::Enable" and not values:
            values = ["1"]  # its default
        if not _same(values[-1] if values else "", value):
            found.append("%s is %s, not %s" % (name, values[-1] if values else "not set", value))
    excluded = re.findall(r'^%s:: "([^"]*)";' % re.escape(LIST), configuration, re.MULTILINE)
    missing = [name for name in packages.ENGINE if not _excluded(name, excluded)]
    if missing:
        found.append("the engine's packages are not excluded: %s" % ", ".join(missing))
    return found


def _same(value, wanted):
    if wanted == "1":
        return value not in ("", "0", "false")
    return value.lower() in ("false", "0", "no", "")


def _excluded(name, expressions):
    for one in expressions:
        try:
            if re.match(one.replace("\\\\", "\\"), name):
                return True
        except re.error:
            continue
    return False


def chosen(said):
    """What the dry run would upgrade, of its words; None where it does not say."""
    found = re.search(r"^Packages that will be upgraded: ?(.*)$", said, re.MULTILINE)
    if found:
        return found.group(1).split()
    if re.search(r"^No packages found that can be upgraded unattended", said, re.MULTILINE):
        return []
    return None


def allows_security(said):
    """Whether its allowed origins hold a security archive."""
    found = re.search(r"^Allowed origins are: (.*)$", said, re.MULTILINE)
    return bool(found and re.search(r"-security|Debian-Security", found.group(1)))
