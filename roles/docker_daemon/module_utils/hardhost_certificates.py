"""Whether a certificate, its key and an authority serve for mutual TLS: found out by a handshake in memory, without a daemon.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import contextlib
import os
import re
import ssl
import stat

from ansible.module_utils import hardhost_files as files

PARTS = ("ca", "certificate", "key")
PATHS = {part: "docker_daemon_tls_" + part for part in PARTS}
TEXTS = {part: "docker_daemon_tls_%s_pem" % part for part in PARTS}
PATH = re.compile(r"/[A-Za-z0-9._/@+-]+")
ADDRESS = re.compile(r"(\d+\.\d+\.\d+\.\d+|\[[0-9a-fA-F:.]+\]):(\d{1,5})")
ROUNDS = 20  # steps of one handshake, at the most


def wrong(tls, texts=None):
    """What is wrong with `{address, ca, certificate, key, names}`; "" where dockerd can serve with it and be believed.

    `texts`: `{part: bytes}` of what is to be written to these paths, and need not be there yet.
    """
    texts = texts or {}
    if not ADDRESS.fullmatch(str(tls.get("address"))):
        return "docker_daemon_tls_address is no address and port such as 0.0.0.0:2376"
    for part in PARTS:
        path = str(tls.get(part) or "")
        problem = _text(part, path, texts[part]) if part in texts else _file(part, path)
        if problem:
            return problem
    names = {part: TEXTS[part] if part in texts else tls[part] for part in PARTS}
    with _at_hand(tls, texts) as usable:
        return _pair(usable, names) or _believed(usable, names)


def _file(part, path):
    """A path is a path, leads to root's file, and the key is for nobody else to read."""
    if "-----BEGIN" in path:
        return "%s is text: give a path on the host, or the text in %s" % (PATHS[part], TEXTS[part])
    if not PATH.fullmatch(path):
        return "%s is no path" % PATHS[part]
    found = files.describe(path)
    if not found or not os.path.isfile(path):
        return "%s is not there" % path
    open_one = next(filter(_open_to_others, _above(path)), "")
    if open_one:
        return "%s can be changed by others than root" % open_one
    if part == "key" and found["mode"] & 0o077:
        return "the key %s can be read by others than root: it may be known, make a new one" % path
    return ""


def _text(part, path, data):
    """A text may be read by whom its file is for, and nobody else decides what is at its path."""
    if part != "key" and b"PRIVATE KEY" in data:
        return "%s holds a private key, which everybody could read there" % TEXTS[part]
    open_one = next(
        (one for one in _above(path) if os.path.exists(one) and _open_to_others(one)), ""
    )
    return "%s can be changed by others than root" % open_one if open_one else ""


@contextlib.contextmanager
def _at_hand(tls, texts):
    """`tls` with paths that can be read: of a text one that leads into memory, so that it touches no disk to be tried."""
    with contextlib.ExitStack() as opened:
        usable = dict(tls)
        for part, data in texts.items():
            stream = opened.enter_context(os.fdopen(os.memfd_create("hardhost"), "wb"))
            stream.write(data)
            stream.flush()
            usable[part] = "/proc/self/fd/%d" % stream.fileno()
        yield usable


def _above(path):
    """The path, what it leads to, and all directories above both: whoever changes one of them decides what is there."""
    for one in (path, os.path.realpath(path)):
        there = one
        while there != "/":
            yield there
            there = os.path.dirname(there)


def _open_to_others(path):
    """Whether others than root can put something else at a path. In a sticky directory only a file's owner can."""
    status = os.stat(path)
    sticky = stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX
    return status.st_uid != 0 or (status.st_mode & 0o022 and not sticky)


def _no_password(*_unused):
    return b""  # otherwise OpenSSL would ask at a terminal


def _server(tls):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls["certificate"], tls["key"], password=_no_password)
    return context


def _pair(tls, names):
    """Key and certificate belong together and can be read as such."""
    try:
        _server(tls)
    except ssl.SSLError as error:
        if "MISMATCH" in str(error):
            return "the key %(key)s is not that of the certificate %(certificate)s" % names
        return (
            "%s and %s cannot be used, or the key is encrypted, which dockerd cannot read (%s)"
            % (
                names["certificate"],
                names["key"],
                error.reason or "no PEM",
            )
        )
    except OSError as error:
        return "%s cannot be read: %s" % (error.filename or names["key"], error.strerror)
    return ""


def _believed(tls, names):
    """A client that knows the authority believes the certificate, by every name."""
    try:
        for name in tls.get("names") or []:
            problem = handshake(_server(tls), _client(tls["ca"]), str(name))
            if problem:
                return "%s as %s: %s" % (names["certificate"], name, problem)
    except ssl.SSLError as error:
        return "%s is no authority's certificate (%s)" % (names["ca"], error.reason or "no PEM")
    return ""


def _client(authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(authority)
    context.hostname_checks_common_name = (
        False  # clients written in Go look at subjectAltName alone
    )
    return context


def handshake(server, client, name):
    """Why a client does not believe a server, "" where it does. Both are contexts, nothing leaves this process."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    one = client.wrap_bio(to_client, to_server, server_hostname=name)
    other = server.wrap_bio(to_server, to_client, server_side=True)
    for _round in range(ROUNDS):
        try:
            with contextlib.suppress(ssl.SSLWantReadError):
                one.do_handshake()
                return ""
        except ssl.SSLCertVerificationError as error:
            return error.verify_message
        _step(other)
    return "no handshake comes about"


def _step(side):
    with contextlib.suppress(ssl.SSLWantReadError):
        side.do_handshake()
