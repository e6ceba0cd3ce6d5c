"""What the files of a unit say, in the order in which systemd reads them: of today, and as they would be with other bytes.

systemd shows only what it has loaded. Here a drop-in can be left out, or be given other contents, to know what the unit
would be without it.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import glob
import os
import re

from ansible.module_utils import hardhost_files as files

# systemd.unit(5): a file in an earlier directory hides one of the same name in a later one.
DIRECTORIES = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)


def paths(unit, replaced=()):
    """The unit's file and its drop-ins as systemd would read them; `replaced` may add paths that are not there."""
    fragment = [os.path.join(folder, unit) for folder in DIRECTORIES]
    found = [path for path in fragment if os.path.exists(path)][:1]
    drop_ins = {}
    for folder in reversed(DIRECTORIES):
        inner = os.path.join(folder, unit + ".d")
        for path in glob.glob(os.path.join(inner, "*.conf")):
            drop_ins[os.path.basename(path)] = path
        for path in replaced:
            if os.path.dirname(path) == inner:
                drop_ins[os.path.basename(path)] = path
    return found + [drop_ins[name] for name in sorted(drop_ins)]


def assignments(unit, section, key, replaced=None):
    """The values that are assigned to a key, in order; an empty assignment has forgotten those before it.

    `replaced`: `{path: bytes}` to read instead of what is there, None for a file that is taken to be absent.
    """
    replaced, values = replaced or {}, []
    for path in paths(unit, replaced):
        data = replaced[path] if path in replaced else _read(path)
        for value in _assigned(data, section, key):
            values = values + [value] if value else []
    return values


def _read(path):
    try:
        return files.read(path)
    except OSError:  # a directory, a link that leads nowhere: systemd reads nothing there either
        return None


def _assigned(data, section, key):
    """The values of a key in one file, "" for an empty assignment."""
    inside, text = "", (data or b"").decode("utf-8", "replace")
    text = re.sub(r"(?m)^\s*[#;].*\n?", "", text)  # comments may stand between continued lines
    for line in map(str.strip, text.replace("\\\n", " ").splitlines()):
        if line.startswith("["):
            inside = line.strip("[]")
        name, separator, value = line.partition("=")
        if inside == section and separator and name.strip() == key:
            yield value.strip()
