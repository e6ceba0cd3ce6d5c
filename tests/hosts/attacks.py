"""A container that tries what a policy should prevent, whatever else it was granted."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from tests.hosts.container_host import Host

IMAGE = "attack"
SCRIPT = Path(__file__).parent / "on_host_steps" / "attack.py"
# Python and what it loads, of the host itself: a machine under emulation fetches nothing for it.
MAKE_IMAGE = """set -e
root=$(mktemp -d)
mkdir -p "$root/usr/bin" "$root/usr/lib" "$root/usr/lib64"
mkdir "$root/etc" "$root/mnt" "$root/tmp" "$root/host" "$root/other"
for name in bin lib lib64; do ln -s "usr/$name" "$root/$name"; done
echo own > "$root/etc/own"
programs="/usr/bin/python3 /usr/bin/sh /usr/bin/true"
{
    printf '%s\\n' $programs
    find /usr/lib/python3.* -name __pycache__ -prune -o -type f -print
    ldd $programs /usr/lib/python3.*/lib-dynload/*.so | grep -o '/[^ ]*' | grep -v ':$' | sort -u
} | sed 's,^/lib,/usr/lib,; s,^/,,' > "$root.list"
tar -C / -c -h -T "$root.list" | tar -C "$root" -x
chmod -R a+rX "$root"
tar -C "$root" -c . | docker import - attack > /dev/null
rm -r "$root" "$root.list"
"""
# Every capability and device, no filter of system calls, no path masked, root of the host.
EVERYTHING = (
    *("--userns=host", "--cap-add=ALL", "--device=/dev/kmsg", "--device=/dev/vda"),
    *("--security-opt=seccomp=unconfined", "--security-opt=systempaths=unconfined"),
    *("--tmpfs=/tmp", "--tmpfs=/mnt"),
)


def make_image(host: Host) -> None:
    host.sh(MAKE_IMAGE, timeout=300)


def attack(host: Host, attempts: Iterable[str], options: Iterable[str]) -> dict[str, int]:
    """Each attempt, and the number of the error that it ended with; 0 where it succeeded."""
    words = " ".join((*EVERYTHING, *options))
    command = f"docker run --rm -i {words} {IMAGE} /usr/bin/python3 -B - {' '.join(attempts)}"
    done = host.sh(command, stdin=SCRIPT.read_bytes(), timeout=300)
    found: dict[str, int] = json.loads(done.stdout)
    return found


def refused(found: dict[str, int]) -> set[str]:
    return {name for name, error in found.items() if error}
