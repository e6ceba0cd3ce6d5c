"""Take what is sent to a port of this host, and append it to a file: a collector of logs.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import contextlib
import gzip
import os
import socket
import socketserver
import ssl
import sys
from pathlib import Path

ADDRESS = "127.0.0.1"


class Stream(socketserver.StreamRequestHandler):
    """One connection, as bytes come."""

    def handle(self) -> None:
        while data := self.request.recv(65536):
            append(data)


class Datagram(socketserver.BaseRequestHandler):
    """One message; GELF packs it."""

    def handle(self) -> None:
        data = self.request[0]
        with contextlib.suppress(OSError):
            data = gzip.decompress(data)
        append(data)


class Streams(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


def append(data: bytes) -> None:
    with Path(sys.argv[3]).open("ab") as stream:
        stream.write(data + b"\n")


def serve(kind: str, port: int, *certificate: str) -> None:
    handler, server = (Datagram, socketserver.UDPServer) if kind == "udp" else (Stream, Streams)
    with server((ADDRESS, port), handler) as listening:
        if kind == "tls":
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            listening.socket = context.wrap_socket(listening.socket, server_side=True)
        ready()
        listening.serve_forever()


def ready() -> None:
    """Tell systemd, which has waited for this with whoever started it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notice:
        notice.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), *sys.argv[4:])
