"""Which kernel runs, which one the next boot would start, and whether the kernel is this host's at all.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import glob
import json
import os
import re

from ansible.module_utils import hardhost_files as files
from ansible.module_utils import hardhost_packages as packages
from ansible.module_utils import hardhost_state as states

# The version, what builds it for a release of the distribution (a newer one counts as the same kind), and the kind.
RELEASE = re.compile(r"([\d.+~-]*)(deb\d+[\d.+~-]*|el\d+(?:_\d+)?\.?|fc\d+\.?|)(.*)")


def shared():
    """Whether this host is a container: its kernel is the machine's below, and no reboot changes it."""
    try:
        _code, text, _errors = packages.run(["systemd-detect-virt", "--container"], 20)
    except packages.PackagesError:
        return os.path.exists("/.dockerenv")
    return text.strip() not in ("none", "")


def found(root="/"):
    """`{running, newest, running_build, newest_build}`; builds "" where the kernel does not tell them."""
    release = os.uname().release
    installed = [
        os.path.basename(path)[len("vmlinuz-") :] for path in glob.glob(root + "boot/vmlinuz-*")
    ]
    newest = newest_of(release, installed)
    version = (files.read("/proc/version") or b"").decode("utf-8", "replace")
    return {
        "running": release,
        "newest": newest,
        "running_build": build(version),
        "newest_build": packages.installed(["linux-image-" + newest]).get(
            "linux-image-" + newest, ""
        )
        if newest == release and build(version)
        else "",
    }


def build(version):
    """Debian's own version of a kernel, of the words of /proc/version; the release name stays when only this changes."""
    match = re.search(r" Debian (\d\S*)", version)
    return match.group(1) if match else ""


def newest_of(release, installed):
    """The newest installed kernel of the running one's flavour; the running one where none is newer than it."""
    same = [one for one in installed if flavour(one) == flavour(release)] or installed
    return max([release] + same, key=order)


def flavour(release):
    """The kind of a kernel: cloud-amd64, generic, x86_64+rt."""
    return RELEASE.match(release).group(3)


def order(release):
    """A key that sorts releases as people read them: numbers as numbers, the distribution's own after the version's."""
    version, distribution, _kind = RELEASE.match(release).groups()
    return [[int(part) for part in re.findall(r"\d+", text)] for text in (version, distribution)]


def outdated(kernels):
    """Why a reboot is due; "" where it is not."""
    if kernels["newest"] != kernels["running"]:
        return "the kernel %s runs, %s is installed" % (kernels["running"], kernels["newest"])
    if kernels["newest_build"] and kernels["newest_build"] != kernels["running_build"]:
        return "the kernel %s runs as built in %s, %s is installed" % (
            kernels["running"],
            kernels["running_build"],
            kernels["newest_build"],
        )
    return ""


def begin_reboot(kernels, boot, path=states.REBOOT):
    """Remember during which boot a reboot was begun, and for which kernel."""
    data = json.dumps({"boot": boot, "newest": _newest(kernels)}).encode()
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    files.replace(path, data, {"uid": 0, "gid": 0, "mode": 0o600})


def rebooted_in_vain(kernels, boot, path=states.REBOOT):
    """Whether this host was rebooted for this very kernel before, and the boot loader has started another one."""
    try:
        last = json.loads((files.read(path) or b"{}").decode("utf-8"))
    except ValueError:
        return False
    return last.get("newest") == _newest(kernels) and last.get("boot") != boot


def _newest(kernels):
    return [kernels["newest"], kernels["newest_build"]]
