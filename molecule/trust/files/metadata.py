"""A trust server for one question: what do clients make of metadata that has expired?

Runs on a host: `python3 metadata.py DIGEST SIZE` serves, over TLS, trust data for registry.test:5000/static/fresh and
registry.test:5000/static/expired, both signed by keys made here. They differ in the dates alone: clients that take the first
one refuse the second for its dates, and for nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import ssl
import subprocess
import sys
from pathlib import Path

HERE = Path("/srv/trust/static")
ROLES = ("root", "targets", "snapshot", "timestamp")
LATER, EARLIER = "2036-01-01T00:00:00Z", "2020-01-01T00:00:00Z"


def openssl(*words, data=None):
    return subprocess.run(["openssl", *words], input=data, capture_output=True, check=True).stdout


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def text(data):
    return base64.b64encode(data).decode()


def new_key(role, name):
    """A key as the metadata describes it: the root's in a certificate that names the repository."""
    path = str(HERE / f"{role}.pem")
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", path)
    if role == "root":
        subject = "/CN=" + name.replace("/", r"\/")
        leaf = ("-addext", "basicConstraints=critical,CA:FALSE")
        words = ("req", "-x509", "-new", "-key", path, "-days", "30", "-subj", subject, *leaf)
        public = openssl(*words)
    else:
        public = openssl("pkey", "-in", path, "-pubout", "-outform", "DER")
    kind = "ecdsa-x509" if role == "root" else "ecdsa"
    key = {"keytype": kind, "keyval": {"private": None, "public": text(public)}}
    return hashlib.sha256(canonical(key)).hexdigest(), key


def raw(signature):
    """The two numbers of an ECDSA signature, 32 bytes each, from its DER."""
    first = 4 + signature[3]
    numbers = signature[4:first], signature[first + 2 :]
    return b"".join(one.lstrip(b"\0").rjust(32, b"\0") for one in numbers)


def signed(role, identity, content):
    found = openssl("dgst", "-sha256", "-sign", str(HERE / f"{role}.pem"), data=canonical(content))
    signature = {"keyid": identity, "method": "ecdsa", "sig": text(raw(found))}
    return canonical({"signatures": [signature], "signed": content})


def described(data):
    hashes = {kind: text(hashlib.new(kind, data).digest()) for kind in ("sha256", "sha512")}
    return {"hashes": hashes, "length": len(data)}


def metadata(name, digest, size, expires):
    """`{role: bytes}`; all of them expire at one moment, but for the root's."""
    keys = {role: new_key(role, name) for role in ROLES}
    common = {"version": 1, "expires": expires}
    files = {}
    roles = {role: {"keyids": [keys[role][0]], "threshold": 1} for role in ROLES}
    root = {
        "_type": "Root",
        "consistent_snapshot": False,
        "keys": dict(keys.values()),
        "roles": roles,
    }
    files["root"] = signed("root", keys["root"][0], {**root, **common, "expires": LATER})
    target = {"hashes": {"sha256": text(bytes.fromhex(digest))}, "length": size}
    targets = {
        "_type": "Targets",
        "delegations": {"keys": {}, "roles": []},
        "targets": {"1": target},
    }
    files["targets"] = signed("targets", keys["targets"][0], {**targets, **common})
    meta = {role: described(files[role]) for role in ("root", "targets")}
    files["snapshot"] = signed(
        "snapshot", keys["snapshot"][0], {"_type": "Snapshot", "meta": meta, **common}
    )
    meta = {"snapshot": described(files["snapshot"])}
    files["timestamp"] = signed(
        "timestamp", keys["timestamp"][0], {"_type": "Timestamp", "meta": meta, **common}
    )
    return files


class Server(http.server.BaseHTTPRequestHandler):
    served = {}

    def do_GET(self):
        name, _, file = self.path.removeprefix("/v2/").partition("/_trust/tuf/")
        data = (
            b"{}"
            if self.path.rstrip("/") == "/v2"
            else self.served.get(name, {}).get(file.split(".")[0])
        )
        self.send_response(200 if data else 404)
        self.end_headers()
        self.wfile.write(data or b"{}")

    def log_message(self, *_words):
        pass


def main():
    digest, size = sys.argv[1].removeprefix("sha256:"), int(sys.argv[2])
    HERE.mkdir(exist_ok=True)
    for name, expires in (("fresh", LATER), ("expired", EARLIER)):
        repository = f"registry.test:5000/static/{name}"
        Server.served[repository] = metadata(repository, digest, size, expires)
    server = http.server.ThreadingHTTPServer(("", 4444), Server)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain("/srv/trust/notary.crt", "/srv/trust/notary.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
