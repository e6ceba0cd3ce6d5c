"""The drop-in by which docker.service serves its API over TCP to clients with a certificate, and its local socket as before.

Listeners and certificates stand together in one file of the unit: no moment comes at which one half is there without the
other, and no key stands in daemon.json that is a flag of the unit as well.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import os
import socket
import ssl

from ansible.module_utils import hardhost_certificates as certificates
from ansible.module_utils import hardhost_drop_ins as drop_ins
from ansible.module_utils import hardhost_files as files
from ansible.module_utils import hardhost_given as given
from ansible.module_utils import hardhost_managed as managed
from ansible.module_utils import hardhost_permissions as permissions
from ansible.module_utils import hardhost_unit as units

KEYS = ("hosts", "tls", "tlsverify", "tlscacert", "tlscert", "tlskey")
LOCAL = "unix:///var/run/docker.sock"  # what dockerd serves where no address is given
RULES = {"ca": "0444", "certificate": "0444", "key": "0400"}
SECONDS = 5
TEXT = """# Written by hardhost (%s); rollback.yml takes it back.
[Service]
ExecStart=
ExecStart=%s
"""


def wanted(control, tls, unit):
    """The drop-in: the packaged command, and what it lacks for mutual TLS."""
    without = {drop_ins.LISTEN: None}
    hosts = units.flags(drop_ins.command(unit, without)).get("hosts") or []
    words = [drop_ins.raw_command(without)]
    if not hosts:
        words.append("-H " + LOCAL)
    if address(tls) not in hosts:
        words.append("-H " + address(tls))
    words.append("--tlsverify --tlscacert=%(ca)s --tlscert=%(certificate)s --tlskey=%(key)s" % tls)
    return managed.wanted(drop_ins.LISTEN, TEXT % (control, " ".join(words)), control)


def parts(texts):
    """`{part: bytes}` of those parts of which the text was given."""
    return {part: texts[name] for part, name in certificates.TEXTS.items() if name in texts}


def wanted_texts(control, texts):
    """The files of the texts that were given."""
    return [
        managed.wanted(given.path(part, data), data, control, int(RULES[part], 8))
        for part, data in sorted(parts(texts).items())
    ]


def address(tls):
    """The address as dockerd takes it."""
    return "tcp://" + str(tls["address"])


def closed(tls):
    """What is to be taken from the modes of the files: `[{path, before, after}]`.

    By the file that a link leads to; one that is two of the parts gets what both rules leave. A text is written with its mode.
    """
    known = {}
    for part, mode in sorted(RULES.items()):
        if os.path.dirname(str(tls[part])) == given.DIRECTORY:
            continue
        rule = {"owner": "root", "group": "root", "mode": mode}
        for path in map(os.path.realpath, permissions.paths(str(tls[part]), {})):
            before, after = permissions.wanted(path, rule, known.get(path))
            known[path] = after
            if before != after:
                yield {"path": path, "before": before, "after": after}


def in_the_way(facts):
    """Why the unit cannot be given these flags; "" where it can."""
    there = [key for key in KEYS if key in facts["daemon_json"]["options"]]
    if there:
        return "%s has %s, which cannot stand there and be flags of the unit" % (
            facts["daemon_json"]["path"],
            ", ".join(there),
        )
    if not drop_ins.raw_command({drop_ins.LISTEN: None}):
        return "docker.service has no single ExecStart"
    return ""


def observe(tls, facts):
    """How dockerd answers a stranger: `{running, following, serves, refusal, answer}`.

    `running`, `following`: whether it was started so, with this authority, and will be the next time. `serves`: which certificate is shown, that
    of the "file", an "other" one, or any because the file is "missing". `refusal`: what the server says to a client without one. `answer`: whether it gets the API nevertheless.
    """
    running = units.flags((facts["process"] or {}).get("arguments") or ["dockerd"])
    following = units.flags(drop_ins.command(facts["unit"]) or ["dockerd"])
    found = {"serves": "", "refusal": "", "answer": False}
    found.update(running=_mutual(running, tls), following=_mutual(following, tls))
    host, _colon, port = str(tls.get("address")).rpartition(":")
    host = {"0.0.0.0": "127.0.0.1", "[::]": "::1"}.get(host, host.strip("[]"))
    try:
        found.update(_ask(host, int(port), tls["certificate"]))
    except (OSError, ValueError) as error:
        found["refusal"] = getattr(error, "reason", "") or str(error)
    return found


def _mutual(flags, tls):
    return (
        flags.get("tlsverify") is True
        and flags.get("tlscacert") == tls["ca"]  # another authority lets others in
        and address(tls) in (flags.get("hosts") or [])
    )


def _ask(host, port, certificate):
    """Ask for the API without a certificate of our own; which certificate is shown does not matter for that."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    found, plain = {}, socket.create_connection((host, port), SECONDS)
    with plain, context.wrap_socket(plain) as secured:
        shown = secured.getpeercert(True)
        known = _first(certificate)
        found["serves"] = "missing" if known is None else "file" if shown == known else "other"
        try:
            secured.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            found["answer"] = secured.recv(64).startswith(b"HTTP/")
        except OSError as error:
            found["refusal"] = getattr(error, "reason", "") or str(error)
    return found


def _first(path):
    """The first certificate of a file, in DER: the server's own. None where no file is there."""
    data = files.read(path)
    if data is None:
        return None
    text = data.decode("ascii", "replace")
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    inner = text.partition(begin)[2].partition(end)[0]
    try:
        return ssl.PEM_cert_to_DER_cert(begin + inner + end)
    except ValueError:
        return b""
