"""Which sockets a process listens on, and what answers there: on real sockets of this one."""

from __future__ import annotations

import datetime
import http.server
import os
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sockets
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


class Engine(http.server.BaseHTTPRequestHandler):
    """Answers as the Docker API does."""

    version: str | None = "1.45"

    def do_GET(self) -> None:
        self.send_response(200)
        if self.version:
            self.send_header("Api-Version", self.version)
        self.end_headers()

    def log_message(self, *_unused: object) -> None:
        """Nothing to say."""


class Other(Engine):
    """Some other HTTP service, such as metrics."""

    version = None


def serve(handler: type[Engine], context: ssl.SSLContext | None = None) -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.handle_error = lambda *_unused: None  # type: ignore[method-assign]
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def answers(port: int) -> list[str]:
    return [one["answers"] for one in sockets.listeners(os.getpid()) if one["port"] == port]


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "both.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(private + built.public_bytes(serialization.Encoding.PEM))
    return path


def tls(certificate: Path, *, asks_client: bool) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    if asks_client:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(certificate)
    return context


@pytest.mark.parametrize(("handler", "expected"), [(Engine, "plain"), (Other, "")])
def test_plain_http(handler: type[Engine], expected: str) -> None:
    for port in serve(handler):
        assert answers(port) == [expected]


@pytest.mark.parametrize(("asks_client", "expected"), [(False, "tls"), (True, "")])
def test_tls_serves_strangers_only_where_it_asks_no_certificate(
    certificate: Path, asks_client: bool, expected: str
) -> None:
    for port in serve(Engine, tls(certificate, asks_client=asks_client)):
        assert answers(port) == [expected]


def test_sockets_of_other_processes_are_not_ours() -> None:
    for port in serve(Engine):
        assert port not in [one["port"] for one in sockets.listeners(os.getppid())]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0100007F:0947", ("127.0.0.1", 2375)),
        ("00000000:0948", ("0.0.0.0", 2376)),
        ("00000000000000000000000000000000:0947", ("::", 2375)),
        ("00000000000000000000000001000000:0001", ("::1", 1)),
        ("0000000000000000FFFF00000100007F:0050", ("127.0.0.1", 80)),
    ],
)
def test_addresses_are_read_as_the_kernel_writes_them(text: str, expected: tuple[str, int]) -> None:
    assert sockets.decode(text) == expected
