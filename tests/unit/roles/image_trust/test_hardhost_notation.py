"""The question to Notation: under a policy and a store of its own, with nothing of the operator's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible.module_utils import hardhost_notation as notation
from ansible.module_utils import hardhost_registries as registries

ROOTS = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
SUBJECT = "x509.subject: C=DE, ST=BE, O=Example, CN=release"
KEY = {"notation": ROOTS, "identities": [SUBJECT]}
REFERENCE = "a.test:5000/app@sha256:" + "a" * 64


@pytest.fixture
def certificates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(registries, "CERTS", str(tmp_path / "certs.d"))
    return tmp_path / "certs.d"


def test_the_question_brings_its_own_policy_and_store(tmp_path: Path, certificates: Path) -> None:
    folder = tmp_path / "question"
    folder.mkdir()
    words, environment = notation.question("/n", KEY, REFERENCE, "a.test:5000", str(folder))
    assert words == ["/n", "verify", "--verbose", REFERENCE]
    assert environment == {
        "XDG_CONFIG_HOME": str(folder),
        "NOTATION_CONFIG": str(folder / "notation"),
    }
    files = {str(path.relative_to(folder)): path for path in folder.rglob("*") if not path.is_dir()}
    assert set(files) == {
        "notation/trustpolicy.json",
        "notation/truststore/x509/ca/key/authorities.crt",
    }
    assert files["notation/truststore/x509/ca/key/authorities.crt"].read_text() == ROOTS
    [policy] = json.loads(files["notation/trustpolicy.json"].read_text())["trustPolicies"]
    assert policy["trustedIdentities"] == [SUBJECT]
    assert policy["trustStores"] == ["ca:key"]
    assert policy["signatureVerification"]["level"] == "strict"
    # Notation takes no policy that others can write.
    assert files["notation/trustpolicy.json"].stat().st_mode & 0o777 == 0o600


def test_it_believes_the_registry_as_the_daemon_does(tmp_path: Path, certificates: Path) -> None:
    (certificates / "a.test:5000").mkdir(parents=True)
    for name in ("a", "b"):
        (certificates / "a.test:5000" / f"{name}.crt").write_text(f"authority {name}")
    folder = tmp_path / "question"
    folder.mkdir()
    _words, environment = notation.question("/n", KEY, REFERENCE, "a.test:5000", str(folder))
    assert Path(environment["SSL_CERT_FILE"]).read_text() == "authority a\nauthority b\n"


@pytest.mark.parametrize(
    "key",
    [
        "-----BEGIN PUBLIC KEY-----",
        {"notation": "no certificate", "identities": ["*"]},
        {"notation": ROOTS},
        {"notation": ROOTS, "identities": ["*", SUBJECT]},
        {"notation": ROOTS, "identities": [1]},
        {**KEY, "more": "x"},
    ],
)
def test_what_is_no_key_of_its_kind(key: object) -> None:
    assert not notation.usable(key)
    assert notation.usable(KEY)
    assert notation.usable({"notation": ROOTS, "identities": ["*"]})
