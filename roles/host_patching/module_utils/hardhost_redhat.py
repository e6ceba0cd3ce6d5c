"""Updates of the Red Hat family: what dnf says is pending, and its automatic tool. Not run by this project's own CI.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import os
import re

from ansible.module_utils import hardhost_files as files
from ansible.module_utils import hardhost_managed as managed
from ansible.module_utils import hardhost_packages as packages
from ansible.module_utils import hardhost_state as states
from ansible.module_utils import hardhost_unit as units
from ansible.module_utils.hardhost_packages import PackagesError

AUTOMATIC = "dnf-automatic"
PATH = "/etc/dnf/automatic.conf"
TIMER = "dnf-automatic.timer"
DNF = "/usr/bin/dnf"
FIVE = (
    "dnf5 updates this host, whose automatic tool (dnf5-plugin-automatic) this project does not configure: "
    "whether it leaves the engine alone is not known"
)
LOCKS = "/etc/dnf/plugins/versionlock.list"
TEXT = """# Written by hardhost (host_patching/automatic_updates); changes are overwritten.
[commands]
upgrade_type = security
download_updates = yes
apply_updates = yes
reboot = never

[emitters]
emit_via = stdio

[base]
excludepkgs = %s
"""


def words(scope):
    """What chooses the updates, and leaves the engine out."""
    exclude = ["--exclude=" + name for name in packages.ENGINE]
    return (["--security"] if scope == "security" else []) + exclude


def pending(scope):
    """`[{name, before, after, security, held, possible}]`, by name; what is locked is among it, which dnf itself would hide."""
    locked = locks((files.read(LOCKS) or b"").decode("utf-8", "replace"))
    # Not quiet (-q): it would not say which sources it leaves out, those with skip_if_unavailable that are out of reach.
    command = ["dnf"] + (["--disableplugin=versionlock"] if locked else []) + ["check-update"]
    code, text, errors = packages.run(command + words(scope), 300)
    if code not in (0, 100):
        raise PackagesError("dnf check-update: %s" % packages.said(errors + text))
    ignored = re.findall(r"^Ignoring repositories: (.+)$", errors + "\n" + text, re.MULTILINE)
    if ignored:
        raise PackagesError(
            "dnf check-update: %s cannot be read and would be left out (skip_if_unavailable); mend or disable what is named"
            % ", ".join(ignored)
        )
    names = [name for name, _version in _lines(text)]
    return parsed(text, installed(names) if names else {}, locked)


def locks(text):
    """The packages that the list of `dnf versionlock` names, whatever version of them it wants or does not want."""
    entries = [line.strip().lstrip("!") for line in text.splitlines() if line.strip()[:1] != "#"]
    return {re.sub(r"-[^-]*\d[^-]*-[^-]+$|-\*$", "", one) for one in entries if one}


def installed(names=()):
    """`{name: version}` of what rpm has, or of those among `names`; of a kernel that is there more than once all versions."""
    shape = "%{NAME} %{EVR}\n"
    _code, answer, _errors = packages.run(
        ["rpm", "--query", "--queryformat", shape] + (list(names) or ["--all"])
    )
    found = {}
    for pair in (line.split(" ") for line in answer.splitlines()):
        if len(pair) == 2:
            found.setdefault(pair[0], set()).add(pair[1])
    return {name: ", ".join(sorted(versions)) for name, versions in found.items()}


def _lines(text):
    body = re.split(r"^Obsoleting Packages", text, flags=re.MULTILINE)[0]
    return re.findall(r"^(\S+)\.\w+ +(\S+) +\S+$", body, re.MULTILINE)


def parsed(text, there, locked=()):
    """The words of `dnf check-update` as data."""
    return [
        {
            "name": name,
            "before": there.get(name, ""),
            "after": version,
            "security": True,
            "held": name in locked,
            "possible": True,
        }
        for name, version in sorted(_lines(text))
    ]


def automatic_files(control):
    """The whole configuration of dnf-automatic: it knows no drop-ins."""
    return [managed.wanted(PATH, TEXT % " ".join(packages.ENGINE), control)]


def automatic_changes(control):
    """The tool itself, its configuration, and its timer."""
    shown = []
    if not installed([AUTOMATIC]):
        shown.append({"what": "package " + AUTOMATIC, "before": None, "after": "installed"})
    shown += managed.changes(automatic_files(control)).get(control, [])
    known = units.show(TIMER)
    if off(known):
        before = known.get("UnitFileState") or None
        shown.append({"what": TIMER, "before": before, "after": "enabled, and started"})
    return shown


def five():
    """Whether dnf is the program of dnf5, as from Fedora 41 on: another tool with another timer, and another section for what to exclude."""
    return os.path.basename(os.path.realpath(DNF)) == "dnf5"


def masked(known):
    """Whether somebody has seen to it that a unit does not start: that stays so, though it may still run now."""
    return known.get("UnitFileState", "").startswith("masked")


def in_the_way():
    """`(what was found, what can be done)` where unattended updates are not ours to switch on; None where they are."""
    if five():
        return (
            FIVE,
            "configure /etc/dnf/automatic.conf and dnf5-automatic.timer yourself, with the engine's packages excluded, "
            "and except this control",
        )
    if masked(units.show(TIMER)):
        return (
            "%s is masked on this host" % TIMER,
            "systemctl unmask it if it shall run, or except this control",
        )
    return None


def off(known):
    """Whether a timer does not run, or would not after the next boot."""
    stays_off = known.get("UnitFileState") == "disabled" or masked(known)
    return known.get("ActiveState") != "active" or stays_off


def start_timer(state, run, control):
    """Whether the timer had to be switched on; where it was disabled this is recorded first, for a rollback."""
    known = units.show(TIMER)
    if masked(known):
        raise PackagesError("%s is masked on this host, and stays so" % TIMER)
    if not off(known):
        return False
    if known.get("UnitFileState") == "disabled":
        states.record(state, run, control, "unit", TIMER, {"enabled": False}, {"enabled": True})
        states.save(state)
    packages.output(["systemctl", "enable", "--now", TIMER])
    return True


def observe_automatic():
    """Timer and configuration."""
    if five():
        return {"problem": FIVE, "unknown": True}
    if not installed([AUTOMATIC]):
        return {"problem": "", "installed": False}
    text = (files.read(PATH) or b"").decode("utf-8", "replace")
    known = units.show(TIMER)
    return {
        "problem": "",
        "installed": True,
        "timers": {TIMER: "masked" if masked(known) else known.get("ActiveState", "")},
        "wrong": wrong(text),
        "chosen": [],
        "security_origins": True,
        "engine": [],
        "said": "",
    }


def wrong(text):
    """Texts on what the configuration lacks."""
    found = dict(re.findall(r"^(\w+)\s*=\s*(.*?)\s*$", text, re.MULTILINE))
    shown = (
        []
        if found.get("apply_updates", "no").lower() in ("yes", "true", "1")
        else ["apply_updates is off"]
    )
    excluded = re.split(r"[,\s]+", found.get("excludepkgs", found.get("exclude", "")))
    missing = [name for name in packages.ENGINE if name not in excluded]
    return shown + (
        ["the engine's packages are not excluded: %s" % ", ".join(missing)] if missing else []
    )
