"""Known ways out of a container through engine, containerd and runc, and the versions that closed them, as dated data.

A version is not all: distributions mend old versions and name the CVE in the package's changelog. Both are looked at.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import re

DATE = "2026-11-21"
COMPONENTS = ("engine", "containerd", "runc")
# `fixed`: the first version of each line that is not affected; lines newer than the newest of them never were.
# `since`: the first affected one, where that is known. `advisory` is the project's own, under
# github.com/advisories/<advisory>; what none is found for is not here. Of the backports to 25.0 the newest release counts
# where it is not said which one has them. What only Kubernetes' interface to containerd reaches is left out.
ADVISORIES = (
    {"cve": "CVE-2024-21626", "advisory": "GHSA-xr7r-f8xq-vfvv", "component": "runc", "fixed": ["1.1.12"], "effect": "a leaked descriptor opens the host's files"},
    {"cve": "CVE-2024-23651", "advisory": "GHSA-m3r6-h7wv-7xxv", "component": "engine", "fixed": ["24.0.9", "25.0.2"], "effect": "a build reads and writes the host's files"},
    {"cve": "CVE-2024-23652", "advisory": "GHSA-4v98-7qmw-rqr8", "component": "engine", "fixed": ["24.0.9", "25.0.2"], "effect": "a build deletes the host's files"},
    {"cve": "CVE-2024-23653", "advisory": "GHSA-wr6v-9f75-vh2g", "component": "engine", "fixed": ["24.0.9", "25.0.2"], "effect": "a build runs privileged containers"},
    {"cve": "CVE-2024-24557", "advisory": "GHSA-xw73-rw38-6vjc", "component": "engine", "fixed": ["24.0.9", "25.0.2"], "effect": "the classic builder's cache can be poisoned"},
    {"cve": "CVE-2024-29018", "advisory": "GHSA-mq39-4gv4-mvpx", "component": "engine", "fixed": ["23.0.11", "25.0.5", "26.0.0"], "effect": "an internal network's names leave it by DNS"},
    {"cve": "CVE-2024-41110", "advisory": "GHSA-v23v-6jw2-98fq", "component": "engine", "fixed": ["25.0.6", "26.1.5", "27.1.1"], "effect": "a body of length zero gets past authorization plugins"},
    {"cve": "CVE-2024-45310", "advisory": "GHSA-jfvp-7x6p-h2pv", "component": "runc", "fixed": ["1.1.14", "1.2.0-rc.3"], "effect": "empty files appear on the host"},
    {"cve": "CVE-2024-40635", "advisory": "GHSA-265r-hfxg-fhmg", "component": "containerd", "fixed": ["1.6.38", "1.7.27", "2.0.4"], "effect": "a large user id becomes root"},
    {"cve": "CVE-2024-25621", "advisory": "GHSA-pwhc-rpq9-4c8w", "component": "containerd", "fixed": ["1.7.29", "2.0.7", "2.1.5", "2.2.0"], "effect": "local users read containerd's directories"},
    {"cve": "CVE-2025-47290", "advisory": "GHSA-cm76-qm8v-3j95", "component": "containerd", "since": "2.1.0", "fixed": ["2.1.1"], "effect": "an image being unpacked writes to the host"},
    {"cve": "CVE-2025-54388", "advisory": "GHSA-x4rx-4gw3-53p4", "component": "engine", "since": "28.2.0", "fixed": ["28.3.3"], "effect": "a firewalld reload exposes loopback ports"},
    {"cve": "CVE-2025-54410", "advisory": "GHSA-4vq8-7jfc-9cvp", "component": "engine", "fixed": ["25.0.13", "28.0.0"], "effect": "a firewalld reload takes the isolation of networks away"},
    {"cve": "CVE-2025-31133", "advisory": "GHSA-9493-h29p-rfm2", "component": "runc", "fixed": ["1.2.8", "1.3.3", "1.4.0-rc.3"], "effect": "masked paths are replaced: escape"},
    {"cve": "CVE-2025-52565", "advisory": "GHSA-qw9x-cqr3-wc7r", "component": "runc", "fixed": ["1.2.8", "1.3.3", "1.4.0-rc.3"], "effect": "the console's mount is redirected: escape"},
    {"cve": "CVE-2025-52881", "advisory": "GHSA-cgrx-mc8f-2prm", "component": "runc", "fixed": ["1.2.8", "1.3.3", "1.4.0-rc.3"], "effect": "writes to /proc are redirected: escape"},
    {"cve": "CVE-2026-33747", "advisory": "GHSA-4c29-8rgm-jvjj", "component": "engine", "fixed": ["29.3.1"], "effect": "a build writes outside its tree"},
    {"cve": "CVE-2026-33748", "advisory": "GHSA-4vrq-3vrq-g6gg", "component": "engine", "fixed": ["29.3.1"], "effect": "a build reads outside its tree"},
    {"cve": "CVE-2026-34040", "advisory": "GHSA-x744-4wpc-v9h2", "component": "engine", "fixed": ["25.0.17", "29.3.1"], "effect": "an oversized body gets past authorization plugins"},
    {"cve": "CVE-2026-33997", "advisory": "GHSA-pxq6-2prw-chj9", "component": "engine", "fixed": ["25.0.17", "29.3.1"], "effect": "a plugin gets privileges that nobody granted"},
    {"cve": "CVE-2026-41567", "advisory": "GHSA-x86f-5xw2-fm2r", "component": "engine", "fixed": ["25.0.17", "29.5.1"], "effect": "docker cp runs a container's program on the host"},
    {"cve": "CVE-2026-41568", "advisory": "GHSA-vp62-88p7-qqf5", "component": "engine", "fixed": ["25.0.17", "29.5.1"], "effect": "docker cp creates files on the host"},
    {"cve": "CVE-2026-42306", "advisory": "GHSA-rg2x-37c3-w2rh", "component": "engine", "fixed": ["25.0.17", "29.5.1"], "effect": "docker cp follows a redirected mount"},
    {"cve": "CVE-2026-46680", "advisory": "GHSA-fqw6-gf59-qr4w", "component": "containerd", "fixed": ["1.7.32", "2.0.9", "2.1.8", "2.2.4", "2.3.1"], "effect": "a user name resolves to another user"},
    {"cve": "CVE-2026-47262", "advisory": "GHSA-jpcc-p29g-p8mq", "component": "containerd", "fixed": ["1.7.33", "2.0.10", "2.1.9", "2.2.5", "2.3.2"], "effect": "an image makes containerd take all memory"},
    {"cve": "CVE-2026-41579", "advisory": "GHSA-xjvp-4fhw-gc47", "component": "runc", "fixed": ["1.3.6", "1.4.3"], "effect": "a link below /dev is followed"},
)  # fmt: skip


def number(version):
    """A version as something that sorts: numbers, and a release candidate before its release; None where it is none."""
    found = re.search(r"(\d+(?:\.\d+)+)(?:[-~]?rc\.?(\d+))?", version)
    if not found:
        return None
    parts = tuple(int(part) for part in found.group(1).split("."))
    parts += (0,) * (3 - len(parts))
    return parts[:3], (int(found.group(2)) if found.group(2) else 10**6)


def affected(version, advisory):
    """Whether a component's own version is affected, before any changelog is looked at."""
    ours = number(version)
    if advisory.get("since") and ours < number(advisory["since"]):
        return False
    fixes = sorted(number(one) for one in advisory["fixed"])
    line = [one for one in fixes if one[0][:2] == ours[0][:2]]
    if line:
        return ours < line[0]
    return ours < fixes[-1]


def findings(versions, changelogs):
    """`[{cve, component, version, effect}]` of what is open; `changelogs` is `{component: text}`.

    A component without a version is not judged here.
    """
    return [
        {
            "cve": one["cve"],
            "component": one["component"],
            "version": versions[one["component"]],
            "effect": one["effect"],
        }
        for one in ADVISORIES
        if number(versions.get(one["component"], ""))
        and affected(versions[one["component"]], one)
        and not re.search(re.escape(one["cve"]) + r"(?!\d)", changelogs.get(one["component"], ""))
    ]
