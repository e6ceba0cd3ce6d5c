"""A signature holds for one manifest and one key; everything else is refused before any host."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from generator import signing
from generator.cli import cli
from generator.errors import HardhostError
from generator.render import MANIFEST, manifest
from generator.write import SIGNATURE, prepare, write, write_signature

FILES = {"site.yml": b"one\n"}


def new_key(path: Path) -> Path:
    words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(path)]
    subprocess.run(words, check=True)
    return path


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return new_key(tmp_path_factory.mktemp("keys") / "key")


@pytest.fixture
def signers(tmp_path: Path, key: Path) -> Path:
    path = tmp_path / "allowed_signers"
    path.write_text(f"ops@example.org {key.with_suffix('.pub').read_text()}")
    return path


@pytest.fixture
def project(tmp_path: Path, key: Path) -> Path:
    out = tmp_path / "out"
    write(prepare(out, {**FILES, MANIFEST: manifest(FILES)}))
    write_signature(out, signing.sign(out, key))
    return out


def test_the_signer_is_named(project: Path, signers: Path) -> None:
    assert signing.check(project, signers) == "ops@example.org"


def a_changed_manifest(project: Path, signers: Path) -> None:
    (project / MANIFEST).write_text((project / MANIFEST).read_text().upper())


def another_key(project: Path, signers: Path) -> None:
    signers.write_text(
        f"ops@example.org {new_key(signers.parent / 'other').with_suffix('.pub').read_text()}"
    )


def another_purpose(project: Path, signers: Path) -> None:
    signers.write_text(
        signers.read_text().replace("ops@example.org ", 'ops@example.org namespaces="git" ')
    )


def no_signature(project: Path, signers: Path) -> None:
    (project / SIGNATURE).unlink()


def a_broken_signature(project: Path, signers: Path) -> None:
    (project / SIGNATURE).write_bytes(b"-----BEGIN SSH SIGNATURE-----\nx\n")


def nobody_allowed(project: Path, signers: Path) -> None:
    signers.write_text("")


@pytest.mark.parametrize(
    "spoil",
    [a_changed_manifest, another_key, another_purpose, no_signature, a_broken_signature, nobody_allowed],
)  # fmt: skip
def test_anything_else_is_refused(
    project: Path, signers: Path, spoil: Callable[[Path, Path], None]
) -> None:
    spoil(project, signers)
    with pytest.raises(HardhostError, match=SIGNATURE):
        signing.check(project, signers)


def test_a_new_manifest_drops_the_old_signature(project: Path) -> None:
    files = {"site.yml": b"two\n"}
    write(prepare(project, {**files, MANIFEST: manifest(files)}))
    assert not (project / SIGNATURE).exists()


def test_the_same_manifest_keeps_it(project: Path) -> None:
    write(prepare(project, {**FILES, MANIFEST: manifest(FILES)}))
    assert (project / SIGNATURE).exists()


def test_a_key_that_is_none_is_told(project: Path, tmp_path: Path) -> None:
    (tmp_path / "none").write_text("no key")
    with pytest.raises(HardhostError, match="none: cannot sign with it"):
        signing.sign(project, tmp_path / "none")


def hardhost(*words: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words], standalone_mode=False)


def test_render_signs_and_verify_demands_it(tmp_path: Path, key: Path, signers: Path) -> None:
    out, inventory = tmp_path / "made", tmp_path / "inventory"
    inventory.write_text("[baseline]\n")
    verify = ("verify", out, "-i", inventory, "--signers", signers)
    assert hardhost("render", "baseline", "-o", out, "--sign", key).exception is None
    assert hardhost(*verify).return_value == 1, "no host is a failure, and the only one"
    (out / SIGNATURE).unlink()
    assert isinstance(hardhost(*verify).exception, HardhostError)
    (out / "filter_plugins").mkdir()
    (out / "filter_plugins/more.py").write_text("")
    hardhost("render", "baseline", "-o", out, "--sign", key)
    assert "filter_plugins/more.py: was not rendered" in str(hardhost(*verify).exception)
