"""What the package manager of a Debian host has installed, could install, and is told to leave alone. Changes nothing.

The words of apt and dpkg become data here, for every role that deals with packages; `hardhost_package_work` acts on them.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import glob
import gzip
import os
import re
import subprocess
import time

from ansible.module_utils import hardhost_sources as sources
from ansible.module_utils import hardhost_state as states

# Engine, client, containerd, runc and the client's plugins: docker_engine's, whoever packaged them.
ENGINE = (
    "docker.io",
    "docker-cli",
    "docker-ce",
    "docker-ce-cli",
    "docker-ce-rootless-extras",
    "docker-buildx",
    "docker-buildx-plugin",
    "docker-compose",
    "docker-compose-plugin",
    "docker-compose-v2",
    "containerd",
    "containerd.io",
    "runc",
    "moby-engine",
    "moby-cli",
)
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C.UTF-8",
    "DEBIAN_FRONTEND": "noninteractive",
    "APT_LISTCHANGES_FRONTEND": "none",
    "NEEDRESTART_SUSPEND": "1",  # what is restarted is decided here, and never by a hook
}
LISTS = "/var/lib/apt/lists"
STAMP = os.path.join(states.DIRECTORY, "package-lists")
OTHER_STAMP = "/var/lib/apt/periodic/update-success-stamp"
LISTS_CHANGE = "package lists"  # no change of the host: it is left out of what counts as one
OLD_LISTS = 172800  # seconds after which lists say nothing of today any more
EVERYTHING = (
    "--ignore-hold",
    "--allow-change-held-packages",
    "dist-upgrade",
)  # only ever simulated
SETTLED = ("installed", "config-files", "not-installed")
SECONDS = 120


class PackagesError(Exception):
    """The package manager could not be asked, or did not do it; the text says why and what the operator can do."""


def run(words, seconds=SECONDS):
    """`(exit code, output, errors)` of a program of the package manager."""
    try:
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=seconds,
            check=False,
            env=ENVIRONMENT,
        )
    except subprocess.TimeoutExpired as error:
        raise PackagesError(
            "%s did not end within %d seconds" % (" ".join(words[:2]), seconds)
        ) from error
    except OSError as error:
        raise PackagesError("%s cannot be run: %s" % (words[0], error.strerror)) from error
    return (
        done.returncode,
        done.stdout.decode("utf-8", "replace"),
        done.stderr.decode("utf-8", "replace"),
    )


def output(words, seconds=SECONDS):
    """What a program says, where it ends well."""
    code, text, errors = run(words, seconds)
    if code:
        raise PackagesError("%s: %s" % (" ".join(words[:2]), said(errors + text)))
    return text


def said(text, lines=4):
    """The errors and warnings of apt and dpkg, else the last lines of what they said."""
    every = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in every if re.match(r"(E|W|dpkg|apt-get|error):? ", line)]
    return "; ".join(dict.fromkeys(telling or every[-lines:])) or "it says nothing"


def installed(names=()):
    """`{name: version}` of the installed packages, or of those among `names`."""
    shape = "${db:Status-Status} ${Package} ${Version}\n"
    _code, text, _errors = run(["dpkg-query", "--show", "--showformat=" + shape] + list(names))
    found = (line.split(" ", 2) for line in text.splitlines())
    return {name: version for status, name, version in found if status == "installed"}


def engine_packages():
    """`{name: version}` of what is installed of the engine."""
    return installed(ENGINE)


def unfinished():
    """The packages that an interrupted dpkg has left half-way; [""] where only its journal is there."""
    text = output(["dpkg-query", "--show", "--showformat=${db:Status-Status} ${Package}\n"])
    found = (line.split(" ", 1) for line in text.splitlines())
    names = sorted(name for status, name in found if status not in SETTLED)
    journal = [name for name in _listed("/var/lib/dpkg/updates") if name.isdigit()]
    return names or ([""] if journal else [])


def _listed(folder):
    try:
        return os.listdir(folder)
    except OSError:
        return []


def held():
    """The packages that somebody has told apt to leave alone."""
    return output(["apt-mark", "showhold"]).split()


def lists_age(now=None):
    """Seconds since the package lists were refreshed; None where there are none, or sources were changed since."""
    if not glob.glob(LISTS + "/*_Packages*") and not glob.glob(LISTS + "/*Release"):
        return None
    refreshed = max(_modified(STAMP), _modified(OTHER_STAMP))
    changed = max([_modified(path) for path in sources.paths()], default=0)
    if not refreshed or changed > refreshed:
        return None
    return max(0, (time.time() if now is None else now) - refreshed)


def list_changes(inputs):
    """For preflight: the package lists, where they are to be fetched before anything is looked for."""
    age, valid = lists_age(), inputs["preflight_package_lists_valid"]
    if age is not None and age <= valid:
        return []
    before = (
        "%d minutes old" % (age // 60) if age is not None else "none, or older than the sources"
    )
    return [{"what": LISTS_CHANGE, "before": before, "after": "refreshed"}]


def _modified(path):
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0


def simulated(text):
    """What `apt-get -s` would do: `[{name, before, after, origins}]`, `before` "" for a new package; removals apart."""
    line = r"^Inst (\S+?)(?::\w+)?(?: \[(\S+)\])? \((\S+) (.*?) \[\w+\]\)"
    return [
        {"name": name, "before": before, "after": after, "origins": origins}
        for name, before, after, origins in re.findall(line, text, re.MULTILINE)
    ]


def removed(text):
    """What `apt-get -s` would remove."""
    return re.findall(r"^(?:Remv|Purg) (\S+)", text, re.MULTILINE)


def simulate(*words):
    """The words of `apt-get -s`; PackagesError with apt's reasons where it cannot."""
    quiet = ["-o", "APT::Get::Show-User-Simulation-Note=0", "-o", "Dir::Log::Planner="]
    return output(["apt-get", "-s", "-y"] + quiet + list(words))


def policies(text):
    """`{name: {installed, candidate, versions: [[version, [place]]]}}` of the words of `apt-cache policy`."""
    found = {}
    for name, body in re.findall(r"^(\S+):\n((?:[ ]+.*\n?)+)", text, re.MULTILINE):
        one = {"versions": []}
        for line in body.splitlines():
            head = re.match(r"  (Installed|Candidate): (\S+)", line)
            version = re.match(r" (?:\*\*\*|   ) (\S+)", line)
            place = re.match(r" {8,} *-?\d+ (\S.*)", line)
            if head:
                one[head.group(1).lower()] = "" if head.group(2) == "(none)" else head.group(2)
            elif place and one["versions"]:
                one["versions"][-1][1].append(place.group(1))
            elif version:
                one["versions"].append([version.group(1), []])
        found[name] = one
    return found


def policy(names):
    """`policies` of these packages."""
    return policies(output(["apt-cache", "policy"] + sorted(names))) if names else {}


def from_security(origins):
    """Whether what `apt-get -s` names as origins is a distribution's security archive."""
    return bool(re.search(r"(?:^|, )(?:[^,:]*-Security:|[^,]*/[^,/ ]*-security(?:,|$))", origins))


def newer_in_security(found):
    """Whether a version that is newer than the installed one is in a security archive, whatever is newer still."""
    for version, places in found["versions"]:
        if version == found.get("installed"):
            return False
        if any(re.search(r" \S*-security/", place) for place in places):
            return True
    return False


def pending(scope="security"):
    """What is not the newest, except of the engine: `[{name, before, after, security, held, possible}]`, by name.

    `possible`: it can be upgraded without removing anything. `scope`: "security" or "all".
    """
    upgrades = [one for one in simulated(simulate(*EVERYTHING)) if one["before"]]
    upgrades = [one for one in upgrades if one["name"] not in ENGINE]
    if not upgrades:
        return []
    known, kept = policy([one["name"] for one in upgrades]), held()
    possible = {one["name"] for one in simulated(simulate("--with-new-pkgs", "upgrade"))}
    for one in upgrades:
        found = known.get(one["name"])
        one["security"] = from_security(one.pop("origins")) or bool(
            found and newer_in_security(found)
        )
        one["held"] = one["name"] in kept
        one["possible"] = one["name"] in possible
    chosen = [one for one in upgrades if scope == "all" or one["security"]]
    return sorted(chosen, key=lambda one: one["name"])


def owner(path):
    """The package that a program is from, "" where it is from none: one of /usr/local, say."""
    real = os.path.realpath(path)
    # A merged /usr: packages of before it know the path without.
    for one in (path, real, real[len("/usr") :] if real.startswith("/usr/") else real):
        code, text, _errors = run(["dpkg-query", "--search", one], 60)
        found = re.match(r"([a-z0-9][a-z0-9.+-]*)(?::\w+)?: ", text)
        if not code and found:
            return found.group(1)
    return ""


def changelog(name):
    """The text of a package's changelogs on this host, "" where it brings none."""
    texts = []
    for path in sorted(glob.glob("/usr/share/doc/%s/changelog*" % name)):
        try:
            with (gzip.open if path.endswith(".gz") else open)(path, "rb") as stream:
                texts.append(stream.read().decode("utf-8", "replace"))
        except (OSError, EOFError):
            continue
    return "\n".join(texts)


def record(state, steps, control, run):
    """Every package that is about to change, with its version before and after."""
    for one in steps:
        if one["before"] == one["after"]:
            continue  # installed once more
        before = {"present": bool(one["before"])}
        if one["before"]:
            before["value"] = one["before"]
        after = {"present": True, "value": one["after"]}
        states.record(state, run, control, "package", one["name"], before, after)
    states.save(state)


def differences(before, after):
    """`{name: [version before, version after]}`."""
    names = sorted(name for name in set(before) | set(after) if before.get(name) != after.get(name))
    return {name: [before.get(name, ""), after.get(name, "")] for name in names}


def worded(changed):
    """`differences` for people, one line for each package."""
    return [
        "%s: %s -> %s" % (name, before or "(not installed)", after or "(removed)")
        for name, (before, after) in sorted(changed.items())
    ]
