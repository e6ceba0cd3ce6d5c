"""Prove by effect what the kernel refuses, on the host and to a container without a filter.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import socket

from conclusions import NotInForce, ProvesNothing

FAMILY = 38  # AF_ALG; Python may have been built without it
UNFILTERED = {"SecurityOpt": ["seccomp=unconfined"]}


def af_alg_blocked(laboratory, _settings):
    code, output = laboratory.run(["ids"], UNFILTERED)
    if code != 0:
        raise ProvesNothing(f"the probe ended with {code}: {output.strip()}")
    said = refused_by_host()
    if not said:
        raise NotInForce("the host opens a socket of the kernel's cryptography")
    code, output = laboratory.run(["afalg"], UNFILTERED)
    if code == 0:
        raise NotInForce("a container opened a socket of the kernel's cryptography")
    if code != 1:
        raise ProvesNothing(f"the attempt ended with {code}: {output.strip()}")
    return f"neither the host ({said}) nor a container without a filter opens such a socket"


def refused_by_host():
    """Why the host opens no AF_ALG socket; "" where it does."""
    try:
        socket.socket(FAMILY, socket.SOCK_SEQPACKET, 0).close()
    except OSError as error:
        return str(error)
    return ""


PROBES = {"kernel/af_alg_blocked": af_alg_blocked}
