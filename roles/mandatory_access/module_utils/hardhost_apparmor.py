"""AppArmor on this host: what the kernel, the daemon and the boot configuration say of it, and how profiles get in and out.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import glob
import os
import re
import shutil

from ansible.module_utils import hardhost_containment as containment
from ansible.module_utils import hardhost_facts
from ansible.module_utils import hardhost_files as files
from ansible.module_utils import hardhost_managed as managed
from ansible.module_utils.hardhost_programs import run

SECURITY = "/sys/kernel/security"
ENABLED = "/sys/module/apparmor/parameters/enabled"
SERVICE = "apparmor.service"
BOOT = "/etc/default/grub.d/hardhost-apparmor.cfg"
BOOT_TEXT = (
    "# Written by hardhost: mandatory_access/apparmor_active.\n"
    'GRUB_CMDLINE_LINUX_DEFAULT="$GRUB_CMDLINE_LINUX_DEFAULT apparmor=1 security=apparmor"\n'
)
GRUB = "/boot/grub/grub.cfg"


def read():
    """What of AppArmor is there: kernel (`on`, `off` or `absent`), parser, service, loaded profiles, boot configuration."""
    service = _service()
    parser = shutil.which("apparmor_parser", path=hardhost_facts.PATH) or ""
    return {
        "shared": bool(containment.kind()),
        "kernel": _kernel(),
        "arguments": _text("/proc/cmdline"),
        "parser": parser,
        "parser_since": os.stat(parser).st_ctime if parser else None,  # seconds since the epoch
        "service": service,
        "profiles": profiles(),
        "grub": bool(shutil.which("update-grub", path=hardhost_facts.PATH)),
        "prepared": "apparmor=1 security=apparmor" in _text(GRUB),
    }


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


def boot_file(control):
    """The drop-in that makes GRUB switch AppArmor on."""
    return managed.wanted(BOOT, BOOT_TEXT, control)
