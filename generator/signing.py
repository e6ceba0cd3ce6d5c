"""Signs a project's manifest with an ssh key and checks the signature: `ssh-keygen -Y`."""

from __future__ import annotations

import subprocess
from pathlib import Path

from generator.errors import HardhostError, shown
from generator.render import MANIFEST
from generator.write import SIGNATURE

NAMESPACE = "hardhost"  # a signature made for git or for mail is none for a manifest


def sign(directory: Path, key: Path) -> bytes:
    """The signature of a directory's manifest; ssh-keygen asks for a passphrase itself."""
    words = ["-Y", "sign", "-f", str(key), "-n", NAMESPACE]
    done = _keygen(words, (directory / MANIFEST).read_bytes())
    if done.returncode:
        raise HardhostError(f"{shown(key)}: cannot sign with it: {_said(done)}")
    return done.stdout


def check(directory: Path, signers: Path) -> str:
    """Who signed the manifest; raises where nobody did whom the file of allowed signers names."""
    path = directory / SIGNATURE
    if not path.is_file():
        raise HardhostError(
            f"{shown(path)}: is missing; render with --sign, or leave out --signers"
        )
    place = ["-f", str(signers), "-s", str(path)]
    found = _keygen(["-Y", "find-principals", *place], b"")
    names = found.stdout.decode(errors="replace").splitlines()
    if found.returncode or not names:
        raise HardhostError(f"{shown(path)}: not by a key that {shown(signers)} names")
    words = ["-Y", "verify", *place, "-n", NAMESPACE, "-I", names[0]]
    done = _keygen(words, (directory / MANIFEST).read_bytes())
    if done.returncode:
        raise HardhostError(f"{shown(path)}: not a signature of this manifest: {_said(done)}")
    return names[0]


def _keygen(words: list[str], manifest: bytes) -> subprocess.CompletedProcess[bytes]:
    command = ["ssh-keygen", *words]
    try:
        return subprocess.run(command, input=manifest, capture_output=True, check=False)  # noqa: S603
    except FileNotFoundError:
        raise HardhostError("ssh-keygen is not installed; signatures need it") from None


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    lines = (done.stderr or done.stdout).decode(errors="replace").splitlines()
    return lines[-1].strip() if lines else f"exit code {done.returncode}"
