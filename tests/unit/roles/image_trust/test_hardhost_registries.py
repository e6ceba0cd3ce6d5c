"""Client configurations and authorities of registries."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible.module_utils import hardhost_registries as registries

PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"
SECRET = "dXNlcjpodW50ZXIy"


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ({"auths": {"a.test": {"auth": SECRET}, "b.test": {}}}, ["a.test"]),
        ({"auths": {"a.test": {"identitytoken": SECRET}}}, ["a.test"]),
        ({"auths": {"a.test": {}}, "credsStore": "pass"}, None),
        ({"auths": {"a.test": {"email": "a@example.org"}}}, None),
        ({"auths": None}, None),
        ({"auths": []}, None),
        ({}, None),
    ],
)
def test_logins_in_clear_text(tmp_path: Path, content: object, found: list[str] | None) -> None:
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker/config.json").write_text(json.dumps(content))
    answer = registries.credentials([("me", str(tmp_path))])
    assert [one["registries"] for one in answer] == ([] if found is None else [found])
    assert SECRET not in json.dumps(answer)


def test_a_configuration_that_cannot_be_read_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / ".dockercfg").write_text("{" + SECRET)
    answer = registries.credentials([("me", str(tmp_path))])
    assert answer[0]["error"]
    assert SECRET not in json.dumps(answer)


@pytest.mark.parametrize(
    ("given", "saying"),
    [
        ({"a.test:5000": {"ca": PEM}}, ""),
        ({"../x": {"ca": PEM}}, "no host or host:port"),
        ({"a.test/path": {"ca": PEM}}, "no host or host:port"),
        ({"a.test": {"ca": "text"}}, "no certificate in PEM"),
        ({"a.test": {}}, "wanted is {ca, certificate, key}"),
        ({"a.test": {"ca": PEM, "certificate": PEM}}, "belong together"),
        ({"a.test": {"certificate": PEM, "key": "-----BEGIN PRIVATE KEY-----"}}, "is a secret"),
        ({"a.test": {"certificate": PEM, "key": "/nowhere"}}, "is not there"),
    ],
)
def test_what_cannot_be_meant_is_said(given: dict[str, dict[str, str]], saying: str) -> None:
    found = registries.wrong(given)
    assert bool(found) == bool(saying), found
    assert saying in "; ".join(found)


def test_a_registry_s_files_go_where_the_daemon_looks() -> None:
    (one,) = registries.wanted_files({"a.test:5000": {"ca": PEM}})
    assert one["path"] == "/etc/docker/certs.d/a.test:5000/ca.crt"
    assert (one["mode"], one["data"]) == (0o444, PEM.encode() + b"\n")
