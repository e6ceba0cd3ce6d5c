"""AppArmor on this host: what the kernel, the daemon and the boot configuration say of it, and how profiles get in and out.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess

from ansible.module_utils import hardhost_facts
from ansible.module_utils import hardhost_files as files
from ansible.module_utils import hardhost_managed as managed

SECURITY = "/sys/kernel/security"
ENABLED = "/sys/module/apparmor/parameters/enabled"
SERVICE = "apparmor.service"
BOOT = "/etc/default/grub.d/hardhost-apparmor.cfg"
BOOT_TEXT = (
    "# Written by hardhost: mandatory_access/apparmor_active.\n"
    'GRUB_CMDLINE_LINUX_DEFAULT="$GRUB_CMDLINE_LINUX_DEFAULT apparmor=1 security=apparmor"\n'
)
GRUB = "/boot/grub/grub.cfg"
SECONDS = 300
INSTALL_SECONDS = 1800  # apt must not be ended in the middle of its work


class Failed(Exception):
    """A program did not do what it was to do; the text says which, and its words."""


class TimedOut(Failed):
    """A program has not ended in time."""


def read():
    """What of AppArmor is there: kernel (`on`, `off` or `absent`), parser, service, loaded profiles, boot configuration."""
    service = _service()
    return {
        "shared": shared(),
        "kernel": _kernel(),
        "active": active_modules(),
        "arguments": _text("/proc/cmdline"),
        "parser": shutil.which("apparmor_parser", path=hardhost_facts.PATH) or "",
        "service": service,
        "profiles": profiles(),
        "grub": bool(shutil.which("update-grub", path=hardhost_facts.PATH)),
        "prepared": "apparmor=1 security=apparmor" in _text(GRUB),
    }


def shared():
    """Whether this host shares its kernel with others, as a container does."""
    return (
        subprocess.run(
            ["systemd-detect-virt", "--container", "--quiet"],
            stdin=subprocess.DEVNULL,
            timeout=30,
            check=False,
            env={"PATH": hardhost_facts.PATH},
        ).returncode
        == 0
    )


def _kernel():
    if not os.path.isdir(os.path.dirname(ENABLED)):
        return "absent"
    # The parameter says what was asked for at boot; the list, what the kernel runs with.
    on = _text(ENABLED).startswith("Y") and os.path.isdir(SECURITY + "/apparmor")
    return "on" if on else "off"


def active_modules():
    """The security modules that the kernel runs with, in order; [] where it does not say."""
    return [name for name in _text(SECURITY + "/lsm").split(",") if name]


def _text(path):
    try:
        return (files.read(path) or b"").decode("utf-8", "replace")
    except OSError:
        return ""


def _service():
    done = run(["systemctl", "show", SERVICE, "--property=UnitFileState,ActiveState"], check=False)
    found = dict(line.partition("=")[::2] for line in done.splitlines())
    return {
        "enabled": found.get("UnitFileState") == "enabled",
        "active": found.get("ActiveState") == "active",
    }


def profiles():
    """`{name: mode}` of the profiles in the kernel; None where it cannot be asked."""
    try:
        text = (files.read(SECURITY + "/apparmor/profiles") or b"").decode("utf-8", "replace")
    except OSError:
        return None
    return dict(re.findall(r"^(.*) \((\w+)\)$", text, re.MULTILINE))


def label(pid):
    """`(profile, mode)` of a process as the kernel has it; ("unconfined", "") where none confines it."""
    for path in ("/proc/%d/attr/apparmor/current", "/proc/%d/attr/current"):
        text = _text(path % pid).strip().rstrip("\0")
        if text:
            break
    found = re.match(r"^(.*) \((\w+)\)$", text)
    return (found.group(1), found.group(2)) if found else (text or "unknown", "")


def loaded_digest(name):
    """SHA-1 of the policy that the kernel holds under a name; "" where it does not say."""
    folder = SECURITY + "/apparmor/policy/profiles"
    try:
        found = [one for one in os.listdir(folder) if one.rpartition(".")[0] == name]
        return _text("%s/%s/raw_sha1" % (folder, found[0])).strip() if found else ""
    except OSError:
        return ""


def compiled(text):
    """The policy that the parser makes of a profile's text; nothing is loaded. Failed with the parser's words."""
    return run(
        ["apparmor_parser", "--skip-kernel-load", "--skip-cache", "--stdout"],
        text.encode("utf-8"),
        raw=True,
    )


def load(path):
    """Put a profile's file into the kernel, in place of what it holds under that name."""
    run(["apparmor_parser", "--replace", "--skip-cache", path])


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
            env={"PATH": hardhost_facts.PATH, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"},
        )
    except subprocess.TimeoutExpired as error:
        raise TimedOut("%s has not ended after %d seconds" % (words[0], seconds)) from error
    except OSError as error:
        raise Failed("%s: %s" % (words[0], error)) from error
    if check and done.returncode:
        said = (done.stderr or done.stdout).decode("utf-8", "replace").strip()
        raise Failed("%s ended with %d: %s" % (words[0], done.returncode, said[-600:]))
    return done.stdout if raw else done.stdout.decode("utf-8", "replace")


def boot_file(control):
    """The drop-in that makes GRUB switch AppArmor on."""
    return managed.wanted(BOOT, BOOT_TEXT, control)


def install(package):
    """Install a package; again where it counts as installed and its programs are gone. Failed with apt's words."""
    words = ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", "--reinstall"]
    options = ["-o", "DPkg::Lock::Timeout=%d" % SECONDS, "-o", "Dpkg::Options::=--force-confold"]
    try:
        run(words + options + [package], seconds=INSTALL_SECONDS)
    except TimedOut:
        raise
    except Failed:  # a fresh host has no package lists
        run(["apt-get", "update", "--quiet"], seconds=INSTALL_SECONDS)
        run(words + options + [package], seconds=INSTALL_SECONDS)
