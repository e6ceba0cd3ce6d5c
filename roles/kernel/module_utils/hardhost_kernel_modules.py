"""Kernel modules: which are loaded or built in, and what modprobe makes of a request for one.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import os
import re
import subprocess

from ansible.module_utils import hardhost_files as files
from ansible.module_utils import hardhost_programs as programs

LOADED = "/proc/modules"
FOLDER = "/lib/modules"
REFUSES = re.compile(r"^install /(usr/)?bin/(false|true)\s*$")


def normal(name):
    """modprobe takes dashes and underscores for the same."""
    return name.replace("-", "_")


def loaded():
    """The names of the modules that are loaded."""
    text = (files.read(LOADED) or b"").decode("ascii", "replace")
    return {line.split()[0] for line in text.splitlines() if line.strip()}


def built_in():
    """The names of the modules that are part of the running kernel."""
    path = os.path.join(FOLDER, os.uname().release, "modules.builtin")
    text = (files.read(path) or b"").decode("ascii", "replace")
    return {normal(os.path.basename(line).split(".")[0]) for line in text.split()}


def known():
    """Whether the modules of the running kernel can be looked at."""
    return os.path.isdir(os.path.join(FOLDER, os.uname().release))


def refused(name):
    """Whether modprobe ends in a refusal when somebody asks for a module."""
    lines = [line for line in _modprobe(["--show-depends", name])[1].splitlines() if line.strip()]
    return bool(lines) and bool(REFUSES.match(lines[-1].strip()))


def load(name):
    """Load a module; why it could not be loaded, or ""."""
    code, text = _modprobe([name])
    return "" if code == 0 else text.strip() or "modprobe ended with %d" % code


def _modprobe(words):
    try:
        done = subprocess.run(
            ["modprobe"] + words,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=60,
            check=False,
            env={"PATH": programs.PATH, "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return 1, "modprobe: %s" % error
    return done.returncode, done.stdout.decode("utf-8", "replace")
