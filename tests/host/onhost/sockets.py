"""Which TCP ports a process listens on, and whether the Docker API answers a stranger there.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import http.client
import ipaddress
import os
import ssl
from pathlib import Path

LISTENING = "0A"  # the state of a listening socket in /proc/net/tcp, from the kernel's tcp_states.h
TIMEOUT = 3


def listeners(pid):
    """`[{address, port, answers}]`; `answers`: "plain" or "tls" where the API serves all."""
    found = []
    own = _inodes(pid)
    for name in ("tcp", "tcp6"):
        for fields in _table(f"/proc/{pid}/net/{name}"):
            if fields[3] == LISTENING and fields[9] in own:
                address, port = decode(fields[1])
                found.append({"address": address, "port": port, "answers": _answers(address, port)})
    return sorted(found, key=lambda one: (one["address"], one["port"]))


def _inodes(pid):
    found = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = os.readlink(link)
        except OSError:
            continue
        if target.startswith("socket:["):
            found.add(target[len("socket:[") : -1])
    return found


def _table(path):
    try:
        return [line.split() for line in Path(path).read_text(encoding="ascii").splitlines()[1:]]
    except OSError:
        return []


def decode(text):
    """Address and port of `0100007F:0947`, as the kernel writes them (words in host order)."""
    digits, _colon, port = text.partition(":")
    words = [bytes.fromhex(digits[at : at + 8])[::-1] for at in range(0, len(digits), 8)]
    address = ipaddress.ip_address(b"".join(words))
    return str(getattr(address, "ipv4_mapped", None) or address), int(port, 16)


def _answers(address, port):
    target = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)
    if _pings(http.client.HTTPConnection(target, port, timeout=TIMEOUT)):
        return "plain"
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return (
        "tls"
        if _pings(http.client.HTTPSConnection(target, port, timeout=TIMEOUT, context=context))
        else ""
    )


def _pings(connection):
    try:
        connection.request("GET", "/_ping")
        return connection.getresponse().getheader("Api-Version") is not None
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
