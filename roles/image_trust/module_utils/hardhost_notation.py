"""One question to Notation, under a trust policy and a trust store made for this question, and what its answers mean.

The operator's own policies, stores and plugins play no part: its configuration is the folder of the question.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import json
import os

from ansible.module_utils import hardhost_registries as registries

NAME = "notation"
PARTS = {"notation", "identities"}
SUBJECT = "x509.subject:"
STORE = "key"
FAILED = "failed verification with error: "  # what it says with -v of each signature

MEANINGS = (
    (r"no signature is associated", "it is not signed"),
    (r"failed to get manifest descriptor: .*: not found$", "it is not signed, or it is not there"),
    (
        r"does not contain any trusted certificate",
        "the certificate of its signature is not of these authorities",
    ),
    (
        r"does not match the X\.509 trusted identities",
        "the certificate of its signature is for another identity",
    ),
    (r"content descriptor mismatch", "its signature is for another content"),
    (r"digital signature has expired", "its signature has expired"),
    (r"validity period|certificate .*expired", "the certificate of its signature has expired"),
)


def usable(key):
    """Whether this is `{notation: authorities in PEM, identities: ["x509.subject: ..."]}`."""
    if (
        not isinstance(key, dict)
        or set(key) != PARTS
        or "-----BEGIN CERTIFICATE-----" not in str(key["notation"])
    ):
        return False
    identities = key["identities"]
    return (
        isinstance(identities, list)
        and bool(identities)
        and (
            identities == ["*"]
            or all(isinstance(one, str) and one.startswith(SUBJECT) for one in identities)
        )
    )


def question(program, key, reference, registry, folder):
    """`(words, environment)` that ask whether an image is signed by this key; its files are put into the folder."""
    place = os.path.join(folder, "notation")
    store = os.path.join(place, "truststore", "x509", "ca", STORE)
    os.makedirs(store, mode=0o700)
    with open(os.path.join(store, "authorities.crt"), "w", encoding="utf-8") as stream:
        stream.write(key["notation"])
    with open(os.path.join(place, "trustpolicy.json"), "w", encoding="utf-8") as stream:
        json.dump(policy(key), stream)
    os.chmod(stream.name, 0o600)
    environment = {"XDG_CONFIG_HOME": folder, "NOTATION_CONFIG": place}
    authorities = registries.authorities(registry, folder)
    if authorities:  # besides those of the system
        environment["SSL_CERT_FILE"] = authorities
    return [program, "verify", "--verbose", reference], environment


def policy(key):
    """One key in Notation's own words. Nobody but the registry is asked, so no authority for what it has revoked."""
    return {
        "version": "1.0",
        "trustPolicies": [
            {
                "name": STORE,
                "registryScopes": ["*"],
                "trustStores": ["ca:" + STORE],
                "trustedIdentities": key["identities"],
                "signatureVerification": {"level": "strict", "override": {"revocation": "skip"}},
            }
        ],
    }


def reasons(said):
    """Why each of the signatures does not count; without any, its last word."""
    found = [line.partition(FAILED)[2] for line in said if FAILED in line]
    return found or [line for line in said if line.startswith("Error:")][:1]
