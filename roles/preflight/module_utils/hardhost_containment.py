"""Whether this host is a container itself: its kernel is the machine's below then, and what is set there is set for everybody.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import os
import subprocess

from ansible.module_utils import hardhost_facts

MARKS = ("/run/.containerenv", "/.dockerenv", "/run/systemd/container")


def kind():
    """What kind of container this host is, "" where it has a kernel of its own."""
    try:
        done = subprocess.run(
            ["systemd-detect-virt", "--container"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=20,
            check=False,
            env={"PATH": hardhost_facts.PATH, "LC_ALL": "C"},
        )
        found = done.stdout.decode("ascii", "replace").strip()
    except (OSError, subprocess.TimeoutExpired):
        found = ""
    if found in ("", "none") and any(os.path.exists(mark) for mark in MARKS):
        return "container"
    return "" if found == "none" else found
