"""Where the package manager gets packages from, as its files say, and which of it nobody has to have signed.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import glob
import os
import re

from ansible.module_utils import hardhost_files as files

APT = "/etc/apt"
DNF = "/etc/yum.repos.d"
YES = ("yes", "true", "1", "on")
# What makes apt or dnf take a source that it should not.
UNSIGNED = {"trusted": YES, "allow-insecure": YES, "allow-weak": YES}
UNSAFE_OPTIONS = (
    "Acquire::AllowInsecureRepositories",
    "Acquire::AllowWeakRepositories",
    "Acquire::AllowDowngradeToInsecureRepositories",
    "APT::Get::AllowUnauthenticated",
)


def paths(root=APT):
    """The files that name sources, and those that say whom to trust; their change makes package lists old."""
    patterns = (
        "sources.list",
        "sources.list.d",
        "sources.list.d/*.list",
        "sources.list.d/*.sources",
    )
    return sorted(path for pattern in patterns for path in glob.glob(os.path.join(root, pattern)))


def listed(root=APT):
    """`[{place, words, options}]` of the sources that are switched on; `options` in lower case."""
    found = []
    for path in paths(root):
        if os.path.isfile(path):
            text = (files.read(path) or b"").decode("utf-8", "replace")
            found += (_stanzas if path.endswith(".sources") else _lines)(path, text)
    return found


def _lines(path, text):
    """The one-line style: `deb [option=value ...] URI suite component ...`."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r"\s*deb(?:-src)?\s+(?:\[([^\]]*)\]\s*)?([^#]+)", line)
        if match:
            pairs = (word.partition("=") for word in (match.group(1) or "").split())
            options = {name.rstrip("+-").lower(): value.lower() for name, _equal, value in pairs}
            found.append(
                {
                    "place": "%s:%d" % (path, number),
                    "words": " ".join(match.group(2).split()),
                    "options": options,
                }
            )
    return found


def _stanzas(path, text):
    """The deb822 style."""
    found = []
    for stanza in re.split(r"\n\s*\n", text):
        lines = [line for line in stanza.splitlines() if not line.startswith("#")]
        fields = {
            name.lower(): value.strip()
            for name, value in re.findall(r"^([\w-]+):[ \t]*(.*)$", "\n".join(lines), re.MULTILINE)
        }
        if fields.get("uris") and fields.get("enabled", "yes").lower() in YES:
            words = "%s %s" % (fields["uris"], fields.get("suites", ""))
            options = {name: value.lower() for name, value in fields.items()}
            found.append({"place": path, "words": words, "options": options})
    return found


def unsigned(found, configuration=""):
    """Texts on what of these sources, and of the words of `apt-config dump`, lets in what nobody has signed."""
    wrong = [
        "%s: %s has %s: %s" % (one["place"], one["words"], name, one["options"][name])
        for one in found
        for name, values in sorted(UNSIGNED.items())
        if one["options"].get(name) in values
    ]
    for name in UNSAFE_OPTIONS:
        value = re.search(r'^%s "([^"]*)";' % re.escape(name), configuration, re.MULTILINE | re.I)
        if value and value.group(1).lower() in YES:
            wrong.append('apt\'s configuration has %s "%s"' % (name, value.group(1)))
    return wrong


def repositories(root=DNF):
    """The Red Hat family's: `[{place, words, options}]` of the repositories that are switched on."""
    found = []
    for path in sorted(glob.glob(os.path.join(root, "*.repo"))):
        text = (files.read(path) or b"").decode("utf-8", "replace")
        for name, body in re.findall(r"^\[([^\]]+)\]\n((?:(?!\[).*\n?)*)", text, re.MULTILINE):
            pairs = re.findall(r"^(\w+)\s*=\s*(.*?)\s*$", body, re.MULTILINE)
            options = {key.lower(): value.lower() for key, value in pairs}
            if options.get("enabled", "1") in YES:
                found.append({"place": "%s [%s]" % (path, name), "words": name, "options": options})
    return found


def unchecked(found, main=""):
    """Texts on repositories of which dnf checks no signature; `main` is the text of dnf.conf."""
    default = re.search(r"^gpgcheck\s*=\s*(\S+)", main, re.MULTILINE)
    default = default.group(1).lower() if default else "0"
    return [
        "%s: gpgcheck is off" % one["place"]
        for one in found
        if one["options"].get("gpgcheck", default) not in YES
    ]
