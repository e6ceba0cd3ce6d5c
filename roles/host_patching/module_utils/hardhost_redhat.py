"""Updates of the Red Hat family: what dnf says is pending, and its automatic tool. Not run by this project's own CI.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import re

from ansible.module_utils import hardhost_files as files
from ansible.module_utils import hardhost_managed as managed
from ansible.module_utils import hardhost_packages as packages
from ansible.module_utils.hardhost_packages import PackagesError

AUTOMATIC = "dnf-automatic"
PATH = "/etc/dnf/automatic.conf"
TIMER = "dnf-automatic.timer"
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
    """`[{name, before, after, security, held, possible}]`, by name."""
    code, text, errors = packages.run(["dnf", "-q", "check-update"] + words(scope), 300)
    if code not in (0, 100):
        raise PackagesError("dnf check-update: %s" % packages.said(errors + text))
    return parsed(text, packages_of(text))


def packages_of(text):
    """The installed versions of what `dnf check-update` names."""
    names = [name for name, _version in _lines(text)]
    if not names:
        return {}
    shape = "%{NAME} %{EVR}\n"
    _code, answer, _errors = packages.run(["rpm", "--query", "--queryformat", shape] + names, 60)
    pairs = (line.split(" ") for line in answer.splitlines())
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}


def _lines(text):
    body = re.split(r"^Obsoleting Packages", text, flags=re.MULTILINE)[0]
    return re.findall(r"^(\S+)\.\w+ +(\S+) +\S+$", body, re.MULTILINE)


def parsed(text, installed):
    """The words of `dnf check-update` as data."""
    return [
        {
            "name": name,
            "before": installed.get(name, ""),
            "after": version,
            "security": True,
            "held": False,
            "possible": True,
        }
        for name, version in sorted(_lines(text))
    ]


def automatic_files(control):
    """The whole configuration of dnf-automatic: it knows no drop-ins."""
    return [managed.wanted(PATH, TEXT % " ".join(packages.ENGINE), control)]


def automatic_changes(control):
    """The tool itself, and its configuration."""
    code, _text, _errors = packages.run(["rpm", "--query", AUTOMATIC], 60)
    shown = [{"what": "package " + AUTOMATIC, "before": None, "after": "installed"}] if code else []
    return shown + managed.changes(automatic_files(control)).get(control, [])


def observe_automatic():
    """Timer and configuration."""
    code, _text, _errors = packages.run(["rpm", "--query", AUTOMATIC], 60)
    if code:
        return {"problem": "", "installed": False}
    _code, state, _errors = packages.run(["systemctl", "is-active", TIMER], 30)
    text = (files.read(PATH) or b"").decode("utf-8", "replace")
    return {
        "problem": "",
        "installed": True,
        "timers": {TIMER: state.strip()},
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
