"""Hosts with a registry, a Notary server and signed images, and the project that makes them trust.

What the scenarios `trust` and `signed` share. The servers' scripts are in molecule/trust/files.
"""

from __future__ import annotations

import shlex
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.hosts import notation
from tests.hosts.container_host import Host
from tests.hosts.inventory import inventory
from tests.hosts.local import PROJECT, run
from tests.hosts.project import Project, Run, hardhost

SCRIPTS = PROJECT / "molecule/trust/files"
PROFILES = PROJECT / "molecule/trust/profiles"
REGISTRY = "registry.test:5000"
SERVER = "https://notary.test:4443"
COSIGN = {"debian12trust": "/opt/cosign", "debian13trust": "/usr/bin/cosign"}
NOTATION = "/opt/notation"
PUBLISHER = "/srv/trust/publisher"
PUBLISH = (
    f"DOCKER_CONFIG={PUBLISHER} DOCKER_CONTENT_TRUST=1 DOCKER_CONTENT_TRUST_SERVER={SERVER}"
    " DOCKER_CONTENT_TRUST_ROOT_PASSPHRASE=scenario"
    " DOCKER_CONTENT_TRUST_REPOSITORY_PASSPHRASE=scenario"
)
SUBJECT = "x509.subject: C=DE, ST=Berlin, O=Example, CN="


@dataclass
class Lab:
    """One host with its servers, the digests in its registry, and the keys that signed them."""

    host: Host
    digests: dict[str, str]
    files: dict[str, str] = field(default_factory=dict)
    checksums: dict[str, str] = field(default_factory=dict)

    def image(self, name: str) -> str:
        """`old` is in the repository app, `free` and `noted/old` are in others."""
        folder, _, version = name.rpartition("/")
        path = "free/app" if name == "free" else f"{folder}/app".lstrip("/")
        return f"{REGISTRY}/{path}@{self.digests[version]}"

    def file(self, name: str) -> str:
        """A file of the servers' directory: keys, certificates."""
        if name not in self.files:
            self.files[name] = self.host.out(f"cat /srv/trust/{name}")
        return self.files[name]

    def run(self, command: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
        return self.host.sh(f"{{ {command}\n}} 2>&1", check=False, **options)

    def says(self, command: str) -> tuple[int, str]:
        """Exit code and output of what an operator types."""
        done = self.run(command)
        return done.returncode, done.stdout.decode(errors="replace")

    def has(self, reference: str) -> bool:
        return self.run(f"docker image inspect {shlex.quote(reference)}").returncode == 0

    def certificate_key(self) -> dict[str, str]:
        return {
            "roots": self.file("signing.crt"),
            "identity": "release@example.org",
            "issuer": "https://issuer.test",
        }

    def noted_key(self, name: str = "release", authority: str = "ours") -> dict[str, Any]:
        """A signer of Notation's."""
        return {"notation": self.file(f"notation/{authority}.crt"), "identities": [SUBJECT + name]}

    def given(self) -> dict[str, Any]:
        """The inputs under which everything is in order."""
        inputs: dict[str, Any] = {
            "image_trust_keys": {
                "old": self.file("old.pub"),
                "new": self.file("new.pub"),
                "noted": self.noted_key(),
            },
            "image_trust_notation": {"path": NOTATION, "sha256": self.sha256(NOTATION)},
            "image_trust_policy": {
                REGISTRY: {"action": "require", "keys": ["old", "new"]},
                f"{REGISTRY}/free": {"action": "ignore"},
                f"{REGISTRY}/noted": {"action": "require", "keys": ["noted"]},
                "*": {"action": "require", "keys": ["old"]},
            },
            "image_trust_images": [self.image("old")],
            "image_trust_registries": [REGISTRY],
            "image_trust_registry_certificates": {REGISTRY: {"ca": self.file("ca.crt")}},
            "image_trust_server": SERVER,
            "image_trust_server_ca": self.file("ca.crt"),
            "image_trust_units": ["deploy.service"],
            "image_trust_users": ["root", "deploy"],
            "image_trust_roots": {f"{REGISTRY}/dct": self.file("root.json")},
        }
        if self.host.os == "debian12trust":
            path = COSIGN[self.host.os]
            inputs["image_trust_cosign"] = {"path": path, "sha256": self.sha256(path)}
        return inputs

    def sha256(self, path: str) -> str:
        if path not in self.checksums:
            self.checksums[path] = self.host.out(f"sha256sum {path}").split()[0]
        return self.checksums[path]


@dataclass
class Trust:
    """All hosts of the scenario and the one project for them."""

    project: Project
    labs: list[Lab]

    @property
    def hosts(self) -> list[Host]:
        return [lab.host for lab in self.labs]

    def give(self, **changed: Any) -> None:
        """The inputs of every host, with what a test changes; a function gets the host's lab."""
        folder = self.project.directory / "host_vars"
        folder.mkdir(exist_ok=True)
        for lab in self.labs:
            values = {key: one(lab) if callable(one) else one for key, one in changed.items()}
            path = folder / f"{lab.host.name}.yml"
            path.write_text(yaml.safe_dump({**lab.given(), **values}))


def said(run: Run) -> str:
    """What a run said, however the lines are broken."""
    return " ".join(run.text.split())


def made(nodes: list[Host], directory: Path) -> Trust:
    """The project rendered, the servers of every host running, everything given."""
    done = hardhost("render", "trust", "--profiles", str(PROFILES), "-o", str(directory))
    assert done.code == 0, done.text
    file = directory / "inventory.yml"
    file.write_text(inventory(nodes, ["trust"]))
    share_verifiers(nodes)
    with ThreadPoolExecutor() as pool:
        trust = Trust(Project(directory, file), list(pool.map(prepared, nodes)))
    trust.give()
    return trust


def share_verifiers(nodes: list[Host]) -> None:
    """What a system has no package of is put there, as an operator would."""
    program = notation.program().read_bytes()
    for node in nodes:
        node.sh(f"cat > {NOTATION} && chmod 755 {NOTATION}", stdin=program)
        if node.os == "debian12trust" and node.sh("test -e /opt/cosign", check=False).returncode:
            archive = run(["docker", "cp", f"{cosign_s_host(nodes)}:/usr/bin/cosign", "-"])
            run(["docker", "cp", "-", f"{node.container}:/opt"], stdin=archive.stdout)


def cosign_s_host(nodes: list[Host]) -> str:
    return next(node.container for node in nodes if node.os == "debian13trust")


def prepared(node: Host) -> Lab:
    """The servers run; what the registry holds is remembered on the host."""
    for script in sorted(SCRIPTS.iterdir()):
        place = f"/srv/trust/{script.name}"
        node.sh(f"mkdir -p /srv/trust && cat > {place}", stdin=script.read_bytes())
    node.sh("id deploy >/dev/null 2>&1 || useradd --create-home --groups docker deploy")
    node.sh(PREPARE, timeout=900)
    lines = node.out("cat /srv/trust/digests").split()
    node.sh("cat > /etc/systemd/system/deploy.service && systemctl daemon-reload", stdin=DEPLOY)
    return Lab(node, dict(line.split("=", 1) for line in lines))


PREPARE = """set -eu
cd /srv/trust
if [ ! -e digests ]; then
    sh servers.sh
    sh images.sh > digests.new
    sh noted.sh
    sh publish.sh
    mv digests.new digests
    touch digests
fi
"""
DEPLOY = f"""[Service]
Type=oneshot
ExecStart=/bin/sh -c 'docker pull {REGISTRY}/app:unsigned > /run/deploy.log 2>&1'
""".encode()
