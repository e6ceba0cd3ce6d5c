"""Ways to break a host's engine so that it is broken only with a new `daemon.json`."""

from __future__ import annotations

from tests.hosts.container_host import Host

DROP_IN = "/etc/systemd/system/docker.service.d/breakage.conf"
REAL = "/usr/libexec/breakage/dockerd"

# In place of dockerd: the real one, but for a start with a file that holds the marker.
WRAPPER = """#!/bin/bash
case " $* " in
    *" --validate "* | *" --version "*) ;;
    *) if grep -q '{marker}' /etc/docker/daemon.json 2>/dev/null; then
        {instead}
    fi ;;
esac
exec -a /usr/sbin/dockerd {real} "$@"
"""
# PATH on|off, as chattr +i and -i.
IMMUTABLE = r"""
import fcntl, os, struct, sys
descriptor = os.open(sys.argv[1], os.O_RDONLY)
flags = struct.unpack("l", fcntl.ioctl(descriptor, 0x80086601, b"\0" * 8))[0]
flags = flags | 0x10 if sys.argv[2] == "on" else flags & ~0x10
fcntl.ioctl(descriptor, 0x40086602, struct.pack("l", flags))
"""
HANG = "exec sleep infinity"
NO_CONTAINERS = 'set -- "$@" --add-runtime broken=/bin/false --default-runtime broken'


def make_immutable(host: Host, path: str, *, on: bool) -> None:
    """Set or clear the attribute that keeps root from changing and removing a file."""
    host.sh(f"python3 - {path} {'on' if on else 'off'}", stdin=IMMUTABLE.encode())


def exits_at_start(host: Host, marker: str) -> None:
    """The unit's start fails while the file holds the marker."""
    text = f"[Service]\nExecStartPre=/bin/sh -c '! grep -q {marker} /etc/docker/daemon.json'\n"
    host.sh(f"mkdir -p $(dirname {DROP_IN}) && cat > {DROP_IN}", stdin=text.encode())
    host.sh("systemctl daemon-reload")


def fills_disk_at_start(host: Host, marker: str, folder: str) -> None:
    """The unit's start fails while the file holds the marker, and fills the disk of a folder."""
    filled = f"cat /dev/zero > {folder}/ballast; exit 1"
    check = f"! grep -q {marker} /etc/docker/daemon.json || {{ {filled}; }}"
    text = f"[Service]\nExecStartPre=/bin/sh -c '{check}'\n"
    host.sh(f"mkdir -p $(dirname {DROP_IN}) && cat > {DROP_IN}", stdin=text.encode())
    host.sh("systemctl daemon-reload")


def hangs_at_start(host: Host, marker: str) -> None:
    """dockerd never says that it is ready, and the unit waits for ever."""
    replace_dockerd(host, marker, HANG)


def cannot_start_containers(host: Host, marker: str) -> None:
    """dockerd starts and answers, and every container start fails."""
    replace_dockerd(host, marker, NO_CONTAINERS)


def replace_dockerd(host: Host, marker: str, instead: str) -> None:
    script = WRAPPER.format(marker=marker, instead=instead, real=REAL)
    host.sh(f"mkdir -p $(dirname {REAL}) && mv /usr/sbin/dockerd {REAL}")
    host.sh("cat > /usr/sbin/dockerd && chmod 755 /usr/sbin/dockerd", stdin=script.encode())
    # The running daemon is then the one that the unit would start.
    host.sh("systemctl restart docker")


def mend(host: Host) -> None:
    """Take any of these back, without touching the running daemon."""
    host.sh(f"rm -f {DROP_IN}; rmdir --ignore-fail-on-non-empty $(dirname {DROP_IN}) || true")
    host.sh(f"[ ! -e {REAL} ] || mv {REAL} /usr/sbin/dockerd")
    host.sh("systemctl daemon-reload")
