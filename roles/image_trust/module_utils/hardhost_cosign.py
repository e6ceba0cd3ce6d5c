"""One question to cosign, and what its answers mean. No transparency log is asked.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import os

from ansible.module_utils import hardhost_registries as registries

NAME = "cosign"
CERTIFICATE = {"roots", "identity", "issuer"}

# It also says "no signatures found" of an image that is not there.
MEANINGS = (
    (
        r"no matching signatures: cert verification failed",
        "the certificate of its signature is not of these authorities",
    ),
    (r"no signatures found", "it is not signed, or it is not there"),
    (
        r"certificate has expired|expired certificate|certificate is not yet valid|expected a signed timestamp",
        "the certificate of its signature has expired",
    ),
    (
        r"none of the expected identities matched|expected identit|expected issuer",
        "the certificate of its signature is for another identity",
    ),
    (
        r"digest .*does not match|invalid or missing digest|missing digest",
        "its signature is for another content",
    ),
    (r"no matching signatures|invalid signature", "none of its signatures is by these keys"),
)


def usable(key):
    """Whether this is a public key in PEM, or `{roots, identity, issuer}`."""
    if isinstance(key, dict):
        return (
            set(key) == CERTIFICATE
            and all(isinstance(one, str) and one for one in key.values())
            and "-----BEGIN CERTIFICATE-----" in key["roots"]
        )
    return isinstance(key, str) and "-----BEGIN PUBLIC KEY-----" in key


def question(program, key, reference, registry, folder):
    """`(words, environment)` that ask whether an image is signed by this key; its files are put into the folder."""
    path = os.path.join(folder, "key")
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(key["roots"] if isinstance(key, dict) else key)
    words = ["--key", path]
    if isinstance(key, dict):
        words = [
            "--certificate-chain",
            path,
            "--certificate-identity",
            key["identity"],
            "--certificate-oidc-issuer",
            key["issuer"],
            "--insecure-ignore-sct=true",
        ]
    words += _registry_words(registry, folder)
    return [program, "verify"] + words + ["--insecure-ignore-tlog=true", reference], {}


def _registry_words(registry, folder):
    """What the daemon is told of the registry below certs.d."""
    words, path = [], registries.authorities(registry, folder)
    if path:
        words = ["--registry-cacert", path]
    for certificate in registries.client_certificates(registry)[:1]:
        words += [
            "--registry-client-cert",
            certificate,
            "--registry-client-key",
            certificate[: -len("cert")] + "key",
        ]
    return words


def reasons(said):
    """The lines of what it said that tell why not."""
    return [line for line in said if line.startswith("Error:")][:1]
