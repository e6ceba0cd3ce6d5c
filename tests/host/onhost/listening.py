"""Containers that listen, and what answers at an address.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import socket

PORT = 7079
EXPOSED = f"{PORT}/tcp"
LONGEST = "600"  # seconds; it is removed when the probe has ended


def listener(laboratory, network):
    """`(id, address)` of a container that listens on a network."""
    identifier = laboratory.start(["listen", str(PORT), LONGEST], {"NetworkMode": network})
    laboratory.wait_for(identifier, "listening")
    networks = laboratory.inspect(identifier)["NetworkSettings"]["Networks"]
    return identifier, networks[network]["IPAddress"]


def published(laboratory, network, address):
    """`{bound, port, gateway}` of a container that publishes its port, on "" for the default."""
    host = {
        "NetworkMode": network,
        "PortBindings": {EXPOSED: [{"HostIp": address, "HostPort": ""}]},
    }
    identifier = laboratory.start(["listen", str(PORT), LONGEST], host, ExposedPorts={EXPOSED: {}})
    laboratory.wait_for(identifier, "listening")
    settings = laboratory.inspect(identifier)["NetworkSettings"]
    first = settings["Ports"][EXPOSED][0]
    return {
        "bound": first["HostIp"],
        "port": int(first["HostPort"]),
        "gateway": settings["Networks"][network]["Gateway"],
    }


def greeting(address, port=PORT):
    """What says the one who listens there, or why nobody does."""
    try:
        with socket.create_connection((address, port), timeout=3) as connection:
            return connection.recv(64).decode("ascii", "replace").strip()
    except OSError as error:
        return str(error)
