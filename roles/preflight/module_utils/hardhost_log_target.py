"""Where containers' logs are sent: whether a driver and its target go together, and whether the target answers.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import os
import re
import socket

SECONDS = 5
# What each driver takes as its address; moby daemon/logger/{syslog,fluentd,gelf}
SCHEMES = {
    "fluentd": ("tcp", "tls", "unix", ""),
    "gelf": ("tcp", "udp"),
    "journald": (),
    "syslog": ("tcp", "tcp+tls", "udp", "unix", "unixgram"),
}
STREAMS = ("tcp", "tcp+tls", "tls", "")  # of these a driver that cannot connect fails the start
DATAGRAMS = ("udp",)  # nobody answers these, but a name that is not known fails the start too
FLUENTD = 24224


def parse(target):
    """`(scheme, host, port)` of a target; port 0 where it names none, None where it is no target."""
    found = re.match(
        r"^(?:([a-z+]+)://)?(\[[0-9a-fA-F:]+\]|[^/:\s]*)(?::(\d{1,5}))?(/\S*)?$", target
    )
    if not found or not (found.group(2) or found.group(4)):
        return None
    scheme, host, port, path = found.groups()
    return scheme or "", host.strip("[]") or path, int(port or 0)


def wrong(driver, target):
    """Why a driver and a target cannot be used together; "" where they can."""
    schemes = SCHEMES.get(driver, ())
    if not schemes:
        return "%s takes no target" % driver if target else ""
    if not target:
        return "docker_daemon_log_target is not given: where %s sends to" % driver
    found = parse(target)
    if not found or found[0] not in schemes:
        accepted = ", ".join("%s://" % one for one in schemes if one)
        return "docker_daemon_log_target %s: %s takes an address that begins with %s" % (
            target,
            driver,
            accepted,
        )
    if found[0] in ("tcp", "tcp+tls", "udp", "tls") and not found[2]:
        return "docker_daemon_log_target %s names no port" % target
    return ""


def unreadable(path):
    """Why the file with the collector's authority cannot be used; "" where it can or none is given."""
    return (
        "" if not path or os.path.isfile(path) else "docker_daemon_log_tls_ca %s is no file" % path
    )


def unreachable(target):
    """Why a container with this target would not start; "" where it would, as far as can be seen without sending anything."""
    found = parse(target or "")
    if not found:
        return ""
    scheme, host, port = found
    if scheme in ("unix", "unixgram"):
        return "" if os.path.exists(host) else "%s is not there" % host
    try:
        if scheme in STREAMS:
            socket.create_connection((host, port or FLUENTD), SECONDS).close()
        elif scheme in DATAGRAMS:
            socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    except socket.gaierror as error:
        return "%s: its name is not known (%s)" % (target, error.strerror or error)
    except OSError as error:
        return "%s does not answer (%s)" % (target, error.strerror or error)
    return ""
