"""Have the package manager do something: one at a time, with a limit on every wait, and never half of it.

apt runs in a unit of its own, so that neither a lost connection nor a killed module ends it in the middle of a package.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import struct
import time

from ansible.module_utils import hardhost_files as files
from ansible.module_utils import hardhost_packages as packages
from ansible.module_utils import hardhost_programs as programs
from ansible.module_utils import hardhost_state as states
from ansible.module_utils import hardhost_unit as units
from ansible.module_utils.hardhost_packages import PackagesError

UNIT = "hardhost-packages.service"
FOLDER = os.path.join(states.DIRECTORY, "packages")
LOCKS = (
    "/var/lib/dpkg/lock-frontend",
    "/var/lib/dpkg/lock",
    "/var/lib/apt/lists/lock",
    "/var/cache/apt/archives/lock",
)
REFRESH_SECONDS = 300
KEEP_CONFIGURATION = (
    "-o",
    "Dpkg::Options::=--force-confdef",
    "-o",
    "Dpkg::Options::=--force-confold",
)
PAUSE = 0.5  # seconds between two looks
# What apt says of a source, and what it means.
REASONS = (
    (r"EXPKEYSIG|KEYEXPIRED|key .*expired|expired on", "its signing key has expired"),
    (r"NO_PUBKEY|Missing key", "it is signed with a key that this host does not know"),
    (r"BADSIG|Bad signature|signatures were invalid|OpenPGP signature verification failed", "its signature is not valid"),
    (r"is not signed|no longer signed", "it is not signed"),
    (r"Release file .*expired|is expired|is not valid yet", "its index is out of date, or the host's clock is wrong"),
    (r"Could not resolve|Temporary failure|Cannot initiate|Could not connect|Unable to connect|Network is unreachable"
     r"|Connection (?:failed|refused|timed out)", "it cannot be reached"),
    (r"does not have a Release file|404|File not found|No such file", "it has no such index"),
    (r"Hash Sum mismatch|unexpected size", "its index is damaged, or is being changed"),
)  # fmt: skip


def holder(path):
    """The process that holds a lock file of dpkg or apt, as "name (pid)"; "" where nobody does."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        asked = struct.pack("hhqqi", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        kind, _whence, _start, _length, pid = struct.unpack(
            "hhqqi", fcntl.fcntl(descriptor, fcntl.F_GETLK, asked)
        )
    finally:
        os.close(descriptor)
    if kind == fcntl.F_UNLCK:
        return ""
    name = (files.read("/proc/%d/comm" % pid) or b"somebody").decode("utf-8", "replace").strip()
    return "%s (process %d)" % (name, pid)


def wait_for_locks(seconds, locks=LOCKS):
    """Wait until nobody is at work with the package manager; PackagesError says who is."""
    deadline = time.monotonic() + seconds
    while True:
        found = [(path, holder(path)) for path in locks]
        busy = next(((path, who) for path, who in found if who), None)
        if not busy:
            return
        if time.monotonic() > deadline:
            raise PackagesError(
                "%s is held by %s for longer than %d seconds (preflight_package_lock_timeout): nothing was installed; "
                "let it end, and run again" % (busy[0], busy[1], seconds)
            )
        time.sleep(PAUSE)


def complaints(text):
    """What apt says of sources: `[sentence]`, each with the source's name and apt's own words."""
    found = []
    for line in text.splitlines():
        match = re.match(r"(?:E|W): (.*)", line.strip())
        if match and "Some index files failed" not in line:
            why = next((why for sign, why in REASONS if re.search(sign, line, re.I)), "")
            found.append("%s%s" % (why + ": " if why else "", match.group(1)))
    return list(dict.fromkeys(found))


def refresh(lock_seconds):
    """Fetch the package lists. One source that fails is a failure: what it would bring is not known."""
    wait_for_locks(lock_seconds)
    words = ["apt-get", "update", "-q", "-o", "APT::Update::Error-Mode=any"]
    words += ["-o", "Acquire::http::Timeout=30", "-o", "Acquire::Retries=1"]
    code, text, errors = packages.run(words, REFRESH_SECONDS)
    wrong = complaints(errors + text) if code or re.search(r"^Err:", text, re.MULTILINE) else []
    wrong = wrong or (["apt-get update: %s" % packages.said(errors + text)] if code else [])
    if wrong:
        raise PackagesError(
            "the package lists could not be refreshed, nothing was installed: %s" % "; ".join(wrong)
        )
    os.makedirs(states.DIRECTORY, mode=0o700, exist_ok=True)
    files.replace(packages.STAMP, b"", {"uid": 0, "gid": 0, "mode": 0o600})


def refresh_where_old(valid, lock_seconds):
    """Whether the lists were fetched: only where they are older than `valid` seconds."""
    age = packages.lists_age()
    if age is not None and age <= valid:
        return False
    refresh(lock_seconds)
    return True


def mend(seconds):
    """Let dpkg end what was interrupted; the packages it was about. PackagesError where that is not enough."""
    names = packages.unfinished()
    if not names:
        return []
    engine = [name for name in names if name in packages.ENGINE]
    if engine:
        raise PackagesError(
            "dpkg was interrupted while it was at work on %s; that is left to you, for it may restart the engine: run "
            "dpkg --configure -a, then run again" % ", ".join(engine)
        )
    code, text = in_unit(
        ["dpkg", "--force-confdef", "--force-confold", "--configure", "-a"], seconds
    )
    left = packages.unfinished()
    if code or left:
        raise PackagesError(
            "dpkg was interrupted earlier, and dpkg --configure -a does not mend %s: %s"
            % (", ".join(left) or "it", packages.said(text))
        )
    return names


def install(words, seconds, lock_seconds):
    """apt-get install with these words: everything is fetched before the first package is touched."""
    wait_for_locks(lock_seconds)
    command = ["apt-get", "-y", "-q", "--no-remove", "-o", "DPkg::Lock::Timeout=%d" % lock_seconds]
    command += list(KEEP_CONFIGURATION)
    code, text = in_unit(command + ["--download-only", "install"] + words, seconds)
    if code:
        wrong = complaints(text) or [packages.said(text)]
        raise PackagesError(
            "packages could not be fetched, nothing was installed: %s" % "; ".join(wrong)
        )
    code, text = in_unit(command + ["install"] + words, seconds)
    if code:
        left = packages.unfinished()
        raise PackagesError(
            "packages could not be installed%s: %s"
            % (
                "; half-way are %s, see dpkg --audit" % ", ".join(left) if left else "",
                packages.said(text, 8),
            )
        )


def add(state, family, names, control, run, inputs, engine=False, again=False):
    """Install packages that are missing; they and what they bring along are recorded first.

    `engine`: they are the engine's own, and come with what they recommend. Others come without, and never change the engine.
    `again`: one that counts as installed, and whose programs are gone, is unpacked anew (Debian family).
    The names and versions that changed, as `hardhost_packages.differences` gives them.
    """
    seconds = inputs["preflight_package_timeout"]
    if family == "redhat":
        steps = [{"name": name, "before": "", "after": "installed"} for name in names]
        packages.record(state, steps, control, run)
        code, text = in_unit(["dnf", "-y", "install"] + names, seconds)
        if code:
            raise PackagesError("dnf install: %s" % packages.said(text, 8))
        return {name: ["", "installed"] for name in names}
    lock_seconds = inputs["preflight_package_lock_timeout"]
    wait_for_locks(lock_seconds)
    refresh_where_old(inputs["preflight_package_lists_valid"], lock_seconds)
    words = (["--reinstall"] if again else []) + names
    words = words if engine else ["--no-install-recommends"] + words
    steps = packages.simulated(packages.simulate("--no-remove", "install", *words))
    if not engine:
        without_engine(steps)
    before = packages.installed()
    packages.record(state, steps, control, run)
    install(words, seconds, lock_seconds)
    return packages.differences(before, packages.installed())


def longest(inputs):
    """Seconds that one call of `add`, or of `install`, may take: it fetches, and then installs."""
    return 2 * inputs["preflight_package_timeout"]


def without_engine(steps):
    """PackagesError where these steps would change the engine too."""
    engine = [one["name"] for one in steps if one["name"] in packages.ENGINE]
    if engine:
        raise PackagesError(
            "this would change %s as well, which is docker_engine/engine_updated's: nothing was installed"
            % ", ".join(engine)
        )


def at_work():
    """Whether what was started last is still at work."""
    return units.show(UNIT).get("ActiveState") in ("active", "activating", "deactivating")


def in_unit(words, seconds):
    """`(exit code, output)` of a command that is not ended by what happens to this process, nor after `seconds`."""
    if at_work():
        raise PackagesError("%s is still at work, for an earlier run; nothing was done" % UNIT)
    shutil.rmtree(FOLDER, ignore_errors=True)
    os.makedirs(FOLDER, mode=0o700)
    log, code = os.path.join(FOLDER, "log"), os.path.join(FOLDER, "code")
    script = '"$@" >%s 2>&1 </dev/null; echo $? >%s.new; mv %s.new %s' % (log, code, code, code)
    start = ["systemd-run", "--unit=" + UNIT, "--collect", "--quiet"]
    start += ["--setenv=%s=%s" % pair for pair in sorted(packages.ENVIRONMENT.items())]
    start += ["--description=hardhost: " + " ".join(words[:1]), "/bin/sh", "-c", script, "sh"]
    try:
        programs.run(start + words, seconds=60)
    except programs.Failed as error:
        raise PackagesError("%s could not be started: %s" % (words[0], error)) from error
    return _ended(words[0], log, code, seconds)


def _ended(program, log, code, seconds):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        data = files.read(code)
        if data:
            return int(data), (files.read(log) or b"").decode("utf-8", "replace")
        if units.show(UNIT).get("ActiveState") not in ("active", "activating") and not files.read(
            code
        ):
            raise PackagesError("%s was ended by somebody; see journalctl -u %s" % (program, UNIT))
        time.sleep(PAUSE)
    raise PackagesError(
        "%s is still at work after %d seconds (preflight_package_timeout); it is not ended in the middle of a package and "
        "goes on in %s: see %s, and run again when it has ended" % (program, seconds, UNIT, log)
    )
