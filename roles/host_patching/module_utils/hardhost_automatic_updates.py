"""Unattended upgrades by the distribution's own tool: its configuration, and what it says it would do.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import os
import re
import tempfile

from ansible.module_utils import hardhost_files as files
from ansible.module_utils import hardhost_packages as packages

PACKAGE, PROGRAM = "unattended-upgrades", "unattended-upgrade"
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
DRY_RUN_SECONDS = 300
# Its dry run fetches packages, mends an interrupted dpkg, runs the hooks of others and writes stamps and logs: what asks may do
# none of it. Without apt's methods it ends before all that, and has said by then what it would take (2.9 and 2.12).
ASKING = """\
Dir::Bin::Methods "%(folder)s/none/";
Dir::Cache::archives "%(folder)s/archives/";
Dir::State "%(folder)s/state/";
Dir::State::lists "/var/lib/apt/lists/";
Dir::State::status "/var/lib/dpkg/status";
Dir::State::extended_states "/var/lib/apt/extended_states";
Unattended-Upgrade::LogDir "%(folder)s/log/";
Unattended-Upgrade::AutoFixInterruptedDpkg "false";
"""


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


def dry_run():
    """What the tool says that it would do; nothing of the host is changed."""
    with tempfile.TemporaryDirectory(prefix="hardhost-") as folder:
        for name in ("archives/partial", "state", "log"):
            os.makedirs(os.path.join(folder, name))
        configuration = os.path.join(folder, "apt.conf")
        files.replace(configuration, (ASKING % {"folder": folder}).encode("ascii"))
        asked = ["env", "APT_CONFIG=" + configuration, PROGRAM, "--dry-run", "--debug"]
        _code, text, errors = packages.run(asked, DRY_RUN_SECONDS)
    return text + errors


def mends(configuration):
    """Whether the host's own files (`apt-config dump`) order it to mend an interrupted dpkg: they are read after ours."""
    order = r'^Unattended-Upgrade::AutoFixInterruptedDpkg "(?!false|no|0)'
    return bool(re.search(order, configuration, re.MULTILINE | re.I))


def chosen(said):
    """What the dry run would upgrade, of its words: a line for each; None where it does not say."""
    found = re.search(
        r"^pkgs that look like they should be upgraded: ?(.*(?:\n[a-z0-9][a-z0-9.+-]+$)*)",
        said,
        re.MULTILINE,
    )
    return found.group(1).split() if found else None


def allows_security(said):
    """Whether its allowed origins hold a security archive."""
    found = re.search(r"^Allowed origins are: (.*)$", said, re.MULTILINE)
    return bool(found and re.search(r"-security|Debian-Security", found.group(1)))
