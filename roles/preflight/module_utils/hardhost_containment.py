"""Whether this host is a container itself: its kernel is the machine's below then, and what is set there is set for everybody.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import os

from ansible.module_utils import hardhost_programs as programs

MARKS = ("/run/.containerenv", "/.dockerenv", "/run/systemd/container")


def kind():
    """What kind of container this host is, "" where it has a kernel of its own."""
    found = programs.answer(["systemd-detect-virt", "--container"], 20).strip()
    if found in ("", "none") and any(os.path.exists(mark) for mark in MARKS):
        return "container"
    return "" if found == "none" else found
