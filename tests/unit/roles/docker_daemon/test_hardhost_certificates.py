"""What is wrong with a certificate, its key and its authority is found before dockerd sees them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import hardhost_certificates as certificates

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the files have to be root's")
EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
SERVER = "subjectAltName=DNS:docker.test,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n"


def openssl(folder: Path, *words: str) -> None:
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True, timeout=60)


def authority(folder: Path, name: str) -> None:
    words = ("-days", "30", "-subj", f"/CN={name}", "-addext", "keyUsage=critical,keyCertSign")
    openssl(folder, "req", "-x509", *EC, *words, "-keyout", f"{name}.key", "-out", f"{name}.pem")


CONFIG = """[ca]
default_ca = d
[d]
database = index.txt
serial = serial
new_certs_dir = .
policy = p
default_md = sha256
certificate = ca.pem
private_key = ca.key
[p]
commonName = supplied
"""


def signed(folder: Path, name: str, extensions: str, end: str = "20490101000000Z") -> None:
    """`openssl ca`, for it alone can make a certificate of long ago with every version."""
    openssl(
        folder, "req", "-new", *EC, "-subj", f"/CN={name}",
        "-keyout", f"{name}.key", "-out", f"{name}.csr",
    )  # fmt: skip
    (folder / f"{name}.ext").write_text(extensions)
    openssl(
        folder, "ca", "-batch", "-notext", "-config", "ca.cnf", "-in", f"{name}.csr",
        "-out", f"{name}.pem", "-extfile", f"{name}.ext",
        "-startdate", "20200101000000Z", "-enddate", end,
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("tls")
    authority(made, "ca")
    authority(made, "stranger")
    (made / "ca.cnf").write_text(CONFIG)
    (made / "index.txt").touch()
    (made / "serial").write_text("01\n")
    signed(made, "server", SERVER)
    signed(made, "expired", SERVER, "20200102000000Z")
    signed(made, "client", "subjectAltName=DNS:docker.test\nextendedKeyUsage=clientAuth\n")
    signed(made, "nameless", "extendedKeyUsage=serverAuth\n")
    openssl(made, "ec", "-in", "server.key", "-aes256", "-passout", "pass:x", "-out", "locked.key")
    for path in made.glob("*.key"):
        path.chmod(0o600)
    (made / "open.key").write_bytes((made / "server.key").read_bytes())
    (made / "open.key").chmod(0o640)
    (made / "broken.pem").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n")
    return made


def wrong(folder: Path, **changed: Any) -> str:
    given = {
        "address": "0.0.0.0:2376",
        "ca": "ca.pem",
        "certificate": "server.pem",
        "key": "server.key",
        "names": ["docker.test", "127.0.0.1"],
        **changed,
    }
    for part in certificates.PARTS:
        if "." in given[part] and "/" not in given[part]:
            given[part] = str(folder / given[part])
    found: str = certificates.wrong(given)
    return found


def test_what_serves(folder: Path) -> None:
    assert wrong(folder) == ""
    assert wrong(folder, address="[::]:2376") == ""


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"key": "client.key"}, "is not that of the certificate"),
        ({"key": "locked.key"}, "encrypted"),
        ({"key": "open.key"}, "can be read by others than root"),
        ({"key": "none.key"}, "is not there"),
        ({"key": "-----BEGIN EC PRIVATE KEY-----"}, "the text in docker_daemon_tls_key_pem"),
        ({"key": "/a b"}, "is no path"),
        ({"ca": "stranger.pem"}, "unable to get local issuer certificate"),
        ({"ca": "broken.pem"}, "is no authority's certificate"),
        ({"certificate": "broken.pem"}, "cannot be used"),
        ({"certificate": "expired.pem", "key": "expired.key"}, "certificate has expired"),
        ({"certificate": "client.pem", "key": "client.key"}, "as docker.test: "),
        ({"certificate": "nameless.pem", "key": "nameless.key"}, "ismatch"),
        ({"names": ["other.test"]}, "not valid for 'other.test'"),
        ({"names": ["127.0.0.2"]}, "not valid for '127.0.0.2'"),
        ({"address": "2376"}, "is no address and port"),
        ({"address": "host.test:2376"}, "is no address and port"),
    ],
    ids=lambda one: str(one)[:40],
)
def test_what_does_not(folder: Path, changed: dict[str, Any], said: str) -> None:
    assert said in wrong(folder, **changed)


@pytest.mark.parametrize(("mode", "fine"), [(0o755, True), (0o775, False), (0o1777, True)])
def test_whoever_can_replace_a_file_decides(mode: int, fine: bool, folder: Path) -> None:
    inner = folder / f"inner{mode}"
    inner.mkdir()
    (inner / "key").symlink_to(folder / "server.key")
    inner.chmod(mode)
    found = wrong(folder, key=str(inner / "key"))
    assert found == ("" if fine else f"{inner} can be changed by others than root")


def wrong_texts(folder: Path, **files: str) -> str:
    """What is wrong where all three are given as texts, to be written below the folder."""
    names = {"ca": "ca.pem", "certificate": "server.pem", "key": "server.key", **files}
    texts = {part: (folder / name).read_bytes() for part, name in names.items()}
    tls = {part: f"{folder}/to-be/{part}.pem" for part in names}
    given = {**tls, "address": "0.0.0.0:2376", "names": ["docker.test"]}
    found: str = certificates.wrong(given, texts)
    return found


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, ""),
        ({"key": "client.key"}, "docker_daemon_tls_key_pem is not that of the certificate"),
        ({"key": "locked.key"}, "encrypted"),
        ({"key": "ca.pem"}, "docker_daemon_tls_key_pem cannot be used"),
        ({"ca": "stranger.pem"}, "unable to get local issuer certificate"),
        ({"ca": "broken.pem"}, "docker_daemon_tls_ca_pem is no authority's certificate"),
        ({"certificate": "expired.pem", "key": "expired.key"}, "certificate has expired"),
        ({"certificate": "nameless.pem", "key": "nameless.key"}, "ismatch"),
        ({"certificate": "server.key"}, "docker_daemon_tls_certificate_pem holds a private key"),
    ],
    ids=str,
)
def test_texts_are_tried_without_a_file(folder: Path, changed: dict[str, str], said: str) -> None:
    found = wrong_texts(folder, **changed)
    assert said in found
    assert bool(said) == bool(found)
    assert not (folder / "to-be").exists()
    body = (folder / "server.key").read_text().splitlines()[1]
    assert body not in found


def test_whoever_can_write_above_a_text_s_place_decides(folder: Path) -> None:
    folder.chmod(0o777)
    try:
        assert wrong_texts(folder) == f"{folder} can be changed by others than root"
    finally:
        folder.chmod(0o755)
