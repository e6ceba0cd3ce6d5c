"""Run the host's programs.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import subprocess

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SECONDS = 300


class Failed(Exception):
    """A program did not do what it was to do; the text says which, and its words."""


class TimedOut(Failed):
    """A program has not ended in time."""


def run(words, given=None, check=True, raw=False, seconds=SECONDS):
    """The output of a program. Failed with its words where it fails and `check` is set."""
    try:
        done = subprocess.run(
            words,
            input=given or b"",
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=seconds,
            check=False,
            env={"PATH": PATH, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"},
        )
    except subprocess.TimeoutExpired as error:
        raise TimedOut("%s has not ended after %d seconds" % (words[0], seconds)) from error
    except OSError as error:
        raise Failed("%s: %s" % (words[0], error)) from error
    if check and done.returncode:
        said = (done.stderr or done.stdout).decode("utf-8", "replace").strip()
        raise Failed("%s ended with %d: %s" % (words[0], done.returncode, said[-600:]))
    return done.stdout if raw else done.stdout.decode("utf-8", "replace")


def answer(words, seconds=SECONDS):
    """The output of a program that is only asked; "" where it is not there, or does not answer in time."""
    try:
        return run(words, check=False, seconds=seconds)
    except Failed:
        return ""
