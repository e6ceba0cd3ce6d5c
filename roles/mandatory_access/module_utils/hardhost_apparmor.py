"""AppArmor on this host: what the kernel, the daemon and the boot configuration say of it, and how profiles get in and out.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import glob
import os
import re
import shutil
import time

from ansible.module_utils import hardhost_containment as containment
from ansible.module_utils import hardhost_files as files
from ansible.module_utils import hardhost_managed as managed
from ansible.module_utils import hardhost_programs as programs
from ansible.module_utils import hardhost_selinux_host as boot
from ansible.module_utils.hardhost_programs import run

SECURITY = "/sys/kernel/security"
ENABLED = "/sys/module/apparmor/parameters/enabled"
MODE = "/sys/module/apparmor/parameters/mode"
SERVICE = "apparmor.service"
PARSER = "/sbin/apparmor_parser"  # dockerd asks for this path alone (containerd pkg/apparmor, hostSupports)
PROFILES = "/etc/apparmor.d/"
ARGUMENTS = "apparmor=1 security=apparmor"
BOOT = "/etc/default/grub.d/hardhost-apparmor.cfg"
BOOT_TEXT = (
    "# Written by hardhost: mandatory_access/apparmor_active.\n"
    'GRUB_CMDLINE_LINUX_DEFAULT="$GRUB_CMDLINE_LINUX_DEFAULT %s"\n' % ARGUMENTS
)


def read():
    """What of AppArmor is there: kernel (`on`, `off` or `absent`), parser, service, loaded profiles, boot configuration."""
    service, kernel = _service(), _kernel()
    parser = PARSER if os.path.exists(PARSER) else ""
    return {
        "shared": bool(containment.kind()),
        "kernel": kernel,
        # Over each profile's own, which goes on saying `enforce`; "" where it cannot be read.
        "mode": _text(MODE).strip(),
        "parser": parser,
        "parser_since": os.stat(parser).st_ctime if parser else None,  # seconds since the epoch
        "service": service,
        "profiles": profiles(),
        # The package may be there where another boot loader boots: then there is no menu.
        "grub": bool(shutil.which("update-grub", path=programs.PATH)) and os.path.exists(boot.MENU),
        "prepared": prepared(),
        "unheeded": unheeded() if kernel == "off" else "",
    }


def prepared():
    """Whether GRUB's menu boots with AppArmor."""
    return boot.in_menu(ARGUMENTS)


def unheeded():
    """Why another reboot does not switch AppArmor on, with the way out; "" where none of the reasons is known to hold."""
    given = boot.arguments()
    if all(one in given for one in ARGUMENTS.split()):
        others = [one for one in given if one.startswith(("lsm=", "apparmor=0", "security="))]
        return (
            "the kernel was booted with %s and runs without AppArmor all the same: take out what contradicts it "
            "(lsm= without apparmor, apparmor=0, another security=), and reboot; it was booted with %s"
            % (ARGUMENTS, " ".join(others))
        )
    if prepared() and files.describe(boot.MENU)["mtime_ns"] < _booted() * 1e9:
        return (
            "GRUB's menu had %s before this boot, which did not take them from there: give them to the boot loader, or "
            "the entry of the menu, that boots this host, and reboot" % ARGUMENTS
        )
    return ""


def _booted():
    """When the kernel was started, in seconds since the epoch."""
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)


def _kernel():
    if not os.path.isdir(os.path.dirname(ENABLED)):
        return "absent"
    # The parameter says what was asked for at boot; the list, what the kernel runs with.
    on = _text(ENABLED).startswith("Y") and os.path.isdir(SECURITY + "/apparmor")
    return "on" if on else "off"


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
        "failed": found.get("ActiveState") == "failed",
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
    """`(algorithm, digest)` of the policy that the kernel holds under a name: SHA-256 from Linux 6.8 on, SHA-1 before.

    None where it does not say.
    """
    for algorithm in ("sha256", "sha1"):
        held = "%s/apparmor/policy/profiles/%s.[0-9]*/raw_%s" % (SECURITY, name, algorithm)
        digests = list(filter(None, (_text(path).strip() for path in glob.glob(held))))
        if digests:
            return algorithm, digests[0]
    return None


def held_back(name):
    """What keeps the parser from loading a profile's file as it is, at boot too: `{path: what it does}`."""
    found = {"disable": "is not loaded", "force-complain": "is loaded in complain mode"}
    paths = {os.path.join(PROFILES, one, name): does for one, does in found.items()}
    return {path: does for path, does in paths.items() if os.path.lexists(path)}


def compiled(text):
    """The policy that the parser makes of a profile's text; nothing is loaded. Failed with the parser's words."""
    return run(
        [PARSER, "--skip-kernel-load", "--skip-cache", "--stdout"],
        text.encode("utf-8"),
        raw=True,
    )


def load(path):
    """Put a profile's file into the kernel, in place of what it holds under that name."""
    run([PARSER, "--replace", "--skip-cache", path])


def boot_file(control):
    """The drop-in that makes GRUB switch AppArmor on."""
    return managed.wanted(BOOT, BOOT_TEXT, control)
