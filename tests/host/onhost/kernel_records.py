"""Find what the kernel has written down of a refusal: in its own log, or in that of auditd.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

SECONDS = 10  # for a record to be written
CONFIGURATION, LOG = Path("/etc/audit/auditd.conf"), "/var/log/audit/audit.log"
KERNEL = "/dev/kmsg"


def audit_log():
    """Where auditd keeps its records."""
    text = CONFIGURATION.read_text("utf-8", "replace") if CONFIGURATION.is_file() else ""
    named = re.search(r"^log_file\s*=\s*(/\S+)", text, re.MULTILINE)
    return Path(named.group(1) if named else LOG)


def after(path, begin):
    """What a log has after a place; all of it, where a new one was begun since."""
    with path.open("rb") as stream:
        if os.fstat(stream.fileno()).st_size >= begin:
            stream.seek(begin)
        return stream.read().decode("utf-8", "replace")


class Records:
    """`with Records() as records:` sees what is written down from then on."""

    def __enter__(self):
        self._path, self._kernel, self._text = audit_log(), None, ""
        self._begin = self._path.stat().st_size if self._path.is_file() else 0
        try:
            self._kernel = os.open(KERNEL, os.O_RDONLY | os.O_NONBLOCK)
            os.lseek(self._kernel, 0, os.SEEK_END)
        except OSError:  # a kernel that is not the host's own
            pass
        return self

    def __exit__(self, *_unused):
        if self._kernel is not None:
            os.close(self._kernel)

    def line(self, *words):
        """The first record in which all these words stand; "" where none comes in time."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            for one in self._written().splitlines():
                if all(word in one for word in words):
                    return one.partition("audit")[2].partition(": ")[2].strip() or one.strip()
            time.sleep(0.05)
        return ""

    def _written(self):
        self._text += self._said_by_kernel()
        recorded = after(self._path, self._begin) if self._path.is_file() else ""
        return self._text + recorded

    def _said_by_kernel(self):
        said = []
        while self._kernel is not None:
            try:
                said.append(os.read(self._kernel, 8192).decode("utf-8", "replace"))
            except BlockingIOError:
                break
            except BrokenPipeError:  # records were overwritten before they were read
                continue
        return "".join(said)
