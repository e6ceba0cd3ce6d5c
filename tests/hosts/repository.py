"""A small signed repository on a host: builds packages, publishes suites.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path("/srv/repository")
KEYS = Path("/srv/keys")
LONG_AGO = "20200101T000000"


def run(*words: str, stdin: bytes | None = None) -> bytes:
    done = subprocess.run(words, input=stdin, capture_output=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(words)}: {done.stderr.decode(errors='replace')}")
    return done.stdout


def package(name: str, version: str, details: str = "{}") -> None:
    """Build a package; `files` path -> text, `copies` path -> path, `conffiles`, `postinst`."""
    given = json.loads(details)
    with tempfile.TemporaryDirectory() as scratch:
        top = Path(scratch)
        top.chmod(0o755)
        for path, text in given.get("files", {}).items():
            put(top / path.lstrip("/"), text)
        for path, source in given.get("copies", {}).items():
            target = top / path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
            with target.open("ab") as stream:
                stream.write(version.encode())
        control = f"Package: {name}\nVersion: {version}\nArchitecture: {architecture()}\n"
        control += "Maintainer: hardhost <hardhost@example.org>\nDescription: a test\n"
        control += "".join(f"{key}: {value}\n" for key, value in given.get("fields", {}).items())
        put(top / "DEBIAN/control", control)
        if given.get("conffiles"):
            put(top / "DEBIAN/conffiles", "".join(f"{path}\n" for path in given["conffiles"]))
        for script in ("preinst", "postinst"):
            if given.get(script):
                put(top / "DEBIAN" / script, given[script], 0o755)
        build(top)


def put(path: Path, text: str, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def build(top: Path) -> None:
    pool = ROOT / "pool"
    pool.mkdir(parents=True, exist_ok=True)
    run("dpkg-deb", "--root-owner-group", "-Znone", "--build", str(top), str(pool))


def repack(name: str, version: str, replaced: str = "{}") -> None:
    """Build the installed package under a newer version, some files `replaced` by texts."""
    with tempfile.TemporaryDirectory() as scratch:
        run("sh", "-c", f"cd {scratch} && dpkg-repack --generate {name}")
        top = next(Path(scratch).iterdir())
        control = top / "DEBIAN/control"
        lines = control.read_text().splitlines(keepends=True)
        control.write_text(
            "".join(
                line if not line.startswith("Version:") else f"Version: {version}\n"
                for line in lines
            )
        )
        for path, text in json.loads(replaced).items():
            put(top / path.lstrip("/"), text, 0o755)
        build(top)


def publish(suite: str, label: str, key: str, *names: str) -> None:
    """Publish these `name_version` from the pool as a suite, signed with a key, or with none."""
    folder = ROOT / "dists" / suite / "main" / f"binary-{architecture()}"
    shutil.rmtree(ROOT / "dists" / suite, ignore_errors=True)
    folder.mkdir(parents=True)
    index = "".join(described(name) for name in names)
    (folder / "Packages").write_text(index)
    path = f"main/binary-{architecture()}/Packages"
    digest = hashlib.sha256(index.encode()).hexdigest()
    date = run("date", "-u", "-R").decode().strip()
    release = (
        f"Origin: Debian\nLabel: {label}\nSuite: {suite}\nCodename: {suite}\nDate: {date}\n"
        f"Components: main\nArchitectures: {architecture()}\n"
        f"SHA256:\n {digest} {len(index.encode())} {path}\n"
    )
    (ROOT / "dists" / suite / "Release").write_text(release)
    if key != "none":
        words = ["gpg", "--homedir", str(KEYS / key), "--batch", "--yes", "--clearsign"]
        (ROOT / "dists" / suite / "InRelease").write_bytes(run(*words, stdin=release.encode()))


def described(name: str) -> str:
    paths = list((ROOT / "pool").glob(f"{name}*.deb"))
    if not paths:
        sys.exit(f"{name} is not in the pool")
    data = paths[0].read_bytes()
    control = run("dpkg-deb", "--field", str(paths[0])).decode()
    return (
        f"{control}Filename: pool/{paths[0].name}\nSize: {len(data)}\n"
        f"SHA256: {hashlib.sha256(data).hexdigest()}\n\n"
    )


def keys() -> None:
    """A key that is good, and one that signs on although it ended long ago."""
    for name in ("good", "expired"):
        gpg(name, "--quick-generate-key", f"{name}@test", "rsa2048", "sign", "never")
    shutil.copytree(KEYS / "expired", KEYS / "ended", ignore=shutil.ignore_patterns("S.*"))
    fingerprint = (
        gpg("ended", "--with-colons", "--list-keys").decode().split("fpr:::::::::")[1].split(":")[0]
    )
    gpg("ended", "--quick-set-expire", fingerprint, "seconds=1")
    for name, home in (("good", "good"), ("expired", "ended")):
        (ROOT / f"{name}.asc").write_bytes(gpg(home, "--armor", "--export"))


def gpg(home: str, *words: str) -> bytes:
    """gpg with a key ring of its own. All its keys were made long ago."""
    folder = KEYS / home
    folder.mkdir(parents=True, mode=0o700, exist_ok=True)
    options = ("--batch", "--passphrase", "", "--pinentry-mode", "loopback")
    return run("gpg", "--homedir", str(folder), *options, "--faked-system-time", LONG_AGO, *words)


def architecture() -> str:
    return run("dpkg", "--print-architecture").decode().strip()


if __name__ == "__main__":
    ROOT.mkdir(parents=True, exist_ok=True)
    {"package": package, "repack": repack, "publish": publish, "keys": keys}[sys.argv[1]](
        *sys.argv[2:]
    )
