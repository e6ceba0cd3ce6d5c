"""Policy and keys are checked before anything is asked; cosign's words are put into an operator's."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from ansible.module_utils import hardhost_signatures as signatures

KEY = "-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----\n"
ROOTS = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
CERTIFICATE = {"roots": ROOTS, "identity": "ci@example.org", "issuer": "https://issuer.example"}
POLICY = {"*": {"action": "require", "keys": ["release"]}, "docker.io": {"action": "ignore"}}
DIGEST = "sha256:" + "a" * 64


def settings(**changed: object) -> dict[str, object]:
    return {
        "keys": {"release": KEY},
        "policy": POLICY,
        "images": [f"a.test/app@{DIGEST}"],
        **changed,
    }


def test_a_sound_policy_has_nothing_wrong() -> None:
    assert signatures.wrong(settings()) == []
    assert signatures.wrong(settings(keys={"release": CERTIFICATE})) == []
    for rule in ("localhost:5000/app", "a:5000", "a.test", "docker.io/library/redis"):
        assert signatures.wrong(settings(policy={rule: {"action": "ignore"}})) == []


@pytest.mark.parametrize(
    ("changed", "saying"),
    [
        ({"keys": {"release": "no key"}}, "neither a public key in PEM nor"),
        ({"keys": {"release": {**CERTIFICATE, "issuer": ""}}}, "neither a public key in PEM nor"),
        ({"keys": {"release": {"roots": ROOTS}}}, "neither a public key in PEM nor"),
        ({"keys": {"release": KEY, "../x": KEY}}, "'../x' is no name for a key"),
        ({"policy": {"*": {"action": "require", "keys": ["gone"]}}}, "there is no key gone"),
        ({"policy": {"*": {"action": "require"}}}, "require needs keys"),
        ({"policy": {"*": {"action": "allow"}}}, "wanted is {action: require|report|ignore"),
        ({"policy": {"*": "ignore"}}, "wanted is {action: require|report|ignore"),
        ({"policy": {"https://a.test": {"action": "ignore"}}}, "not a registry"),
        ({"policy": {"redis": {"action": "ignore"}}}, "not a registry"),
        ({"policy": {"a.test/app:1": {"action": "ignore"}}}, "not a registry"),
        ({"images": ["a.test/app:1"]}, "is no registry/path@sha256"),
        ({"images": [f"--help@{DIGEST}"]}, "is no registry/path@sha256"),
    ],
)
def test_what_cannot_be_meant_is_said(changed: dict[str, object], saying: str) -> None:
    found = signatures.wrong(settings(**changed))
    assert any(saying in text for text in found), found


def test_what_no_rule_covers_is_required_of_nobody_and_so_refused() -> None:
    assert signatures.rule_for("a.test/app", {"b.test": {"action": "ignore"}}) == (
        "",
        "require",
        [],
    )


@pytest.mark.parametrize(
    ("said", "meaning"),
    [
        ("WARNING: x\nError: no signatures found\nerror during command execution: no", "not signed"),
        ("Error: no matching signatures: invalid signature when validating ASN.1", "by these keys"),
        ("Error: no matching signatures: invalid or missing digest in claim: sha256:1", "another content"),
        ("Error: no matching signatures: cert verification failed: x509: certificate signed by unknown"
         " authority.", "not of these authorities"),
        ('Error: Get "https://a.test/v2/": tls: failed to verify certificate: x509: certificate signed by'
         " unknown authority", "of its registry is of an unknown authority"),
        ("Error: no matching signatures: expected a signed timestamp to verify an expired certificate",
         "has expired"),
        ("Error: no matching signatures: none of the expected identities matched what was in", "another identity"),
        ('Error: Get "https://a.test/v2/": dial tcp 10.0.0.1:443: connect: connection refused', "not answer"),
        ("Error: something new", "Error: something new"),
    ],
)  # fmt: skip
def test_the_words_of_cosign_are_explained(said: str, meaning: str) -> None:
    assert meaning in signatures.meaning(said)


def test_a_given_cosign_needs_its_checksum_and_belongs_to_root_alone(tmp_path: Path) -> None:
    program = tmp_path / "cosign"
    program.write_bytes(b"program")
    program.chmod(0o755)
    digest = hashlib.sha256(b"program").hexdigest()
    assert signatures.program({"path": str(program)})[0] == ""
    assert "checksum" in signatures.program({"path": str(program), "sha256": "0" * 64})[1]
    if os.geteuid() == 0:
        assert signatures.program({"path": str(program), "sha256": digest}) == (str(program), "")
    program.chmod(0o777)
    assert (
        "can be changed by others"
        in signatures.program({"path": str(program), "sha256": digest})[1]
    )


def test_answers_are_remembered_for_this_policy_and_these_keys_only(tmp_path: Path) -> None:
    memory = str(tmp_path / "run" / "signatures.json")

    def verifier(**changed: object) -> signatures.Verifier:
        # No program is there to ask: what is accepted was remembered.
        chosen = {"path": "/nowhere/cosign", "sha256": "0" * 64}
        return signatures.Verifier(settings(**changed), chosen, memory=memory)

    with verifier() as asked:
        asked.known[f"a.test/app@{DIGEST} {asked._key_fingerprint('release')}"] = 1
    with verifier() as asked:
        assert asked.judge("a.test/app", [DIGEST])["signed"]
        assert not asked.judge("a.test/other", [DIGEST])["signed"]
        assert not asked.judge("a.test/app", ["sha256:" + "b" * 64])["signed"]
    with verifier(policy={**POLICY, "b.test": {"action": "ignore"}}) as asked:
        assert not asked.judge("a.test/app", [DIGEST])["signed"], "the policy has changed"
    with verifier(keys={"release": KEY.replace("MFkw", "MFkx")}) as asked:
        assert not asked.judge("a.test/app", [DIGEST])["signed"], "the key is another one"


def test_what_is_ignored_is_not_asked_and_what_has_no_digest_is_refused(tmp_path: Path) -> None:
    with signatures.Verifier(settings(), {}, memory=str(tmp_path / "memory")) as asked:
        assert asked.judge("docker.io/library/redis", [])["action"] == "ignore"
        found = asked.judge("a.test/app", [])
    assert (found["action"], found["signed"]) == ("require", False)
    assert "built or loaded" in found["reason"]
