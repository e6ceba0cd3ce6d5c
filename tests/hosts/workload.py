"""Containers on a disposable host that serve, and connections to them which must not break."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.hosts.container_host import Host

IMAGE = "workload"
PORT = 8080
ANSWER_SECONDS = 10

# An image of the distribution's static busybox: nothing is pulled from anywhere.
MAKE_IMAGE = """
set -e
root=$(mktemp -d)
mkdir -p "$root/bin" && cp /bin/busybox "$root/bin/"
for name in sh sleep nc cat; do ln -s busybox "$root/bin/$name"; done
tar -C "$root" -c . | docker import - workload >/dev/null
rm -rf "$root"
"""


def make_image(host: Host) -> None:
    host.sh(MAKE_IMAGE)


def serve(host: Host) -> None:
    """An echo server on a published port, and one that only runs."""
    host.sh(f"docker run -d --name web --restart unless-stopped -p {PORT}:7 {echo()}")
    host.sh(f"docker run -d --name worker {IMAGE} /bin/sleep 1000000")
    wait_serving(host)


def echo() -> str:
    return f"{IMAGE} /bin/nc -ll -p 7 -e /bin/cat"


def wait_serving(host: Host) -> None:
    deadline = time.monotonic() + ANSWER_SECONDS
    while True:
        try:
            with Connection(host):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


class Connection:
    """One open connection to the echo server, through the host's NAT from another namespace."""

    def __init__(self, host: Host) -> None:
        address = (host.address, PORT)
        self.host = host
        self.count = 0
        self.socket = socket.create_connection(address, timeout=ANSWER_SECONDS)
        self.answers()

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def answers(self) -> None:
        """Send a line that was never sent before, and demand it back on the same connection."""
        self.count += 1
        line = f"{self.host.name} {self.count}\n".encode()
        self.socket.sendall(line)
        received = b""
        while len(received) < len(line):
            part = self.socket.recv(1024)
            if not part:
                raise ConnectionError(f"{self.host.name}: the connection was closed")
            received += part
        assert received == line


@contextmanager
def connections(host: Host, number: int = 3) -> Iterator[list[Connection]]:
    opened = [Connection(host) for _ in range(number)]
    try:
        yield opened
    finally:
        for connection in opened:
            connection.socket.close()
