"""Policy and keys are checked before anything is asked; verifiers' words are put into an operator's."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest
from ansible.module_utils import hardhost_cosign as cosign
from ansible.module_utils import hardhost_notation as notation
from ansible.module_utils import hardhost_signatures as signatures

KEY = "-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----\n"
ROOTS = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
CERTIFICATE = {"roots": ROOTS, "identity": "ci@example.org", "issuer": "https://issuer.example"}
NOTATION = {"notation": ROOTS, "identities": ["x509.subject: C=DE, ST=BE, O=Example"]}
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
    for key in (CERTIFICATE, NOTATION, {**NOTATION, "identities": ["*"]}):
        assert signatures.wrong(settings(keys={"release": key})) == []
    for rule in ("localhost:5000/app", "a:5000", "a.test", "docker.io/library/redis"):
        assert signatures.wrong(settings(policy={rule: {"action": "ignore"}})) == []


@pytest.mark.parametrize(
    ("changed", "saying"),
    [
        ({"keys": {"release": "no key"}}, "neither a public key in PEM nor"),
        ({"keys": {"release": {**CERTIFICATE, "issuer": ""}}}, "neither a public key in PEM nor"),
        ({"keys": {"release": {"roots": ROOTS}}}, "neither a public key in PEM nor"),
        ({"keys": {"release": {**NOTATION, "identities": []}}}, "neither a public key in PEM nor"),
        ({"keys": {"release": {**NOTATION, "identities": ["CN=x"]}}}, "neither a public key"),
        ({"keys": {"release": {**NOTATION, "identities": "*"}}}, "neither a public key in PEM nor"),
        ({"keys": {"release": KEY, "../x": KEY}}, "'../x' is no name for a key"),
        ({"policy": {"*": {"action": "require", "keys": ["gone"]}}}, "there is no key gone"),
        ({"policy": {"*": {"action": "require"}}}, "require needs keys"),
        ({"policy": {"*": {"action": "require", "keys": "release"}}}, "keys is a list of names"),
        ({"policy": {"*": {"action": "require", "keys": [{"a": 1}]}}}, "there is no key {'a': 1}"),
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
    assert meaning in signatures.meaning(cosign, said)


@pytest.mark.parametrize(
    ("said", "meaning"),
    [
        ('Error: signature verification failed: no signature is associated with "a.test/app@sha256:1", make sure',
         "it is not signed"),
        ("Error: failed to get manifest descriptor: a.test/app@sha256:0: not found", "or it is not there"),
        ("Error: failed to get manifest descriptor: a.test/not found@sha256:0: strange", "Error: failed to get"),
        ('Error: failed to get manifest descriptor: Head "https://a.test/v2/app/manifests/sha256:1": dial tcp'
         " 10.0.0.1:443: connect: connection refused", "its registry does not answer"),
        ('Error: failed to get manifest descriptor: Head "https://a.test/v2/app/manifests/sha256:1": tls: failed to'
         " verify certificate: x509: certificate signed by unknown authority", "of its registry is of an unknown"),
        ("level=warning msg=Signature sha256:7 failed verification with error: the signature's certificate chain"
         " does not contain any trusted certificate\nError: signature verification failed for all the signatures",
         "not of these authorities"),
        ("level=warning msg=Signature sha256:7 failed verification with error: signing certificate from the digital"
         ' signature does not match the X.509 trusted identities [map["CN":"other"]] defined in the trust policy',
         "another identity"),
        ("level=warning msg=Signature sha256:7 failed verification with error: content descriptor mismatch",
         "another content"),
        ("level=warning msg=Signature sha256:7 failed verification with error: digital signature has expired on"
         ' "Sat, 21 Nov 2026 21:24:10 +0000"', "its signature has expired"),
    ],
)  # fmt: skip
def test_the_words_of_notation_are_explained(said: str, meaning: str) -> None:
    assert meaning in signatures.meaning(notation, said)


def test_every_signature_s_reason_is_named_once() -> None:
    line = "level=warning msg=Signature sha256:7 failed verification with error: "
    said = f"{line}content descriptor mismatch\n" * 2 + f"{line}digital signature has expired on x"
    assert signatures.meaning(notation, said) == (
        "its signature has expired; its signature is for another content"
    )


def test_answers_are_remembered_for_this_policy_and_these_keys_only(tmp_path: Path) -> None:
    memory, given = str(tmp_path / "run" / "signatures.json"), {}

    def verifier(**changed: object) -> signatures.Verifier:
        # No program is there to ask: what is accepted was remembered.
        chosen = {"path": "/nowhere/cosign", "sha256": "0" * 64}
        inputs = {"image_trust_cosign": chosen, **given}
        return signatures.Verifier(settings(**changed), inputs, memory=memory)

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
    given["image_trust_cosign"] = {"path": "/elsewhere/cosign", "sha256": "0" * 64}
    with verifier() as asked:
        assert not asked.judge("a.test/app", [DIGEST])["signed"], "another program is to be asked"


def test_what_is_ignored_is_not_asked_and_what_has_no_digest_is_refused(tmp_path: Path) -> None:
    with signatures.Verifier(settings(), {}, memory=str(tmp_path / "memory")) as asked:
        assert asked.judge("docker.io/library/redis", [])["action"] == "ignore"
        found = asked.judge("a.test/app", [])
    assert (found["action"], found["signed"]) == ("require", False)
    assert "built or loaded" in found["reason"]


def standing_in(folder: Path, script: str) -> dict[str, object]:
    """A stand-in for cosign, given as an operator gives one: what it is told it leaves beside itself."""
    program = folder / "stand-in-for-cosign"
    program.write_text(f'#!/bin/sh\necho "$*" >> {folder}/asked\nenv > {folder}/env\n{script}\n')
    program.chmod(0o755)
    digest = hashlib.sha256(program.read_bytes()).hexdigest()
    return {"image_trust_cosign": {"path": str(program), "sha256": digest}}


@pytest.mark.skipif(os.geteuid() != 0, reason="a verifier has to belong to root")
class TestAsking:
    """What the verifier itself makes of programs that answer in ways a real one rarely does."""

    def judge(self, folder: Path, script: str, *repositories: str) -> list[dict[str, object]]:
        memory = str(folder / "run" / "memory.json")
        inputs = standing_in(folder, script)
        with signatures.Verifier(settings(), inputs, memory=memory, seconds=4) as asked:
            return [asked.judge(repository, [DIGEST]) for repository in repositories]

    def test_who_names_the_digest_has_verified_it(self, tmp_path: Path) -> None:
        [found] = self.judge(tmp_path, f"echo verified {DIGEST}", "a.test/app")
        assert found["signed"]
        assert DIGEST in (tmp_path / "run" / "memory.json").read_text()
        words = (tmp_path / "asked").read_text().split()
        assert words[:2] == ["verify", "--key"]
        assert words[-2:] == ["--insecure-ignore-tlog=true", f"a.test/app@{DIGEST}"]
        variables = {line.partition("=")[0] for line in (tmp_path / "env").read_text().splitlines()}
        assert variables <= {"PATH", "HOME", "LC_ALL", "PWD", "_", "SHLVL", "OLDPWD"}

    @pytest.mark.parametrize("script", ["exit 0", f"echo {DIGEST} >&2", "echo sha256:" + "b" * 64])
    def test_who_only_ends_well_has_verified_nothing(self, tmp_path: Path, script: str) -> None:
        [found] = self.judge(tmp_path, script, "a.test/app")
        assert not found["signed"]
        assert "does not say what it has verified" in str(found["reason"])
        assert not (tmp_path / "run").exists()

    def test_a_registry_that_does_not_answer_is_asked_once_and_costs_the_others_nothing(
        self, tmp_path: Path
    ) -> None:
        script = f'case "$*" in *slow.test*) exec sleep 60;; esac; echo {DIGEST}'
        begun = time.monotonic()
        memory = str(tmp_path / "run" / "memory.json")
        inputs = standing_in(tmp_path, script)
        with signatures.Verifier(settings(), inputs, memory=memory, seconds=4) as asked:
            asked.deadline = time.monotonic() + 2
            slow = asked.judge("slow.test/app", [DIGEST])
            asked.deadline = time.monotonic() + 4
            again = asked.judge("slow.test/other", [DIGEST])
            fine = asked.judge("a.test/app", [DIGEST])
        assert time.monotonic() - begun < 30
        assert "its registry does not answer" in slow["reason"]
        assert "its registry does not answer" in again["reason"]
        assert fine["signed"]
        assert len((tmp_path / "asked").read_text().splitlines()) == 2
