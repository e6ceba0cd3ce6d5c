"""Hosts with a registry, a Notary server and signed images, and the project that makes trust real there."""

from __future__ import annotations

import shlex
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.hosts.container_host import Host
from tests.hosts.inventory import inventory
from tests.hosts.local import run
from tests.hosts.project import Project, hardhost

HERE = Path(__file__).parent
REGISTRY = "registry.test:5000"
SERVER = "https://notary.test:4443"
COSIGN = {"debian12trust": "/opt/cosign", "debian13trust": "/usr/bin/cosign"}


@dataclass
class Lab:
    """One host with its servers, the digests in its registry, and the keys that signed them."""

    host: Host
    digests: dict[str, str]
    files: dict[str, str] = field(default_factory=dict)

    def image(self, name: str) -> str:
        path = "free/app" if name == "free" else "app"
        return f"{REGISTRY}/{path}@{self.digests[name]}"

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

    def given(self) -> dict[str, Any]:
        """The inputs under which everything is in order."""
        inputs: dict[str, Any] = {
            "image_trust_keys": {"old": self.file("old.pub"), "new": self.file("new.pub")},
            "image_trust_policy": {
                REGISTRY: {"action": "require", "keys": ["old", "new"]},
                f"{REGISTRY}/free": {"action": "ignore"},
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
            inputs["image_trust_cosign"] = {"path": COSIGN[self.host.os], "sha256": self.sha256()}
        return inputs

    def sha256(self) -> str:
        return self.host.out(f"sha256sum {COSIGN[self.host.os]}").split()[0]


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


@pytest.fixture(scope="session")
def trust(nodes: list[Host], memory: Path) -> Trust:
    directory = memory / "project"
    done = hardhost("render", "trust", "--profiles", str(HERE / "profiles"), "-o", str(directory))
    assert done.code == 0, done.text
    file = directory / "inventory.yml"
    file.write_text(inventory(nodes, ["trust"]))
    share_cosign(nodes)
    with ThreadPoolExecutor() as pool:
        made = Trust(Project(directory, file), list(pool.map(prepared, nodes)))
    made.give()
    return made


def share_cosign(nodes: list[Host]) -> None:
    """Debian 12 has no package of cosign: it gets the one of Debian 13, as an operator would."""
    sources = [node for node in nodes if node.os == "debian13trust"]
    for node in nodes:
        if node.os == "debian12trust" and node.sh("test -e /opt/cosign", check=False).returncode:
            archive = run(["docker", "cp", f"{sources[0].container}:{COSIGN[sources[0].os]}", "-"])
            run(["docker", "cp", "-", f"{node.container}:/opt"], stdin=archive.stdout)


def prepared(node: Host) -> Lab:
    """The servers run; what the registry holds is remembered on the host."""
    for name in ("servers.sh", "images.sh", "publish.sh", "damage.sh", "api.py", "metadata.py"):
        script = (HERE / "files" / name).read_bytes()
        node.sh(f"mkdir -p /srv/trust && cat > /srv/trust/{name}", stdin=script)
    node.sh("id deploy >/dev/null 2>&1 || useradd --create-home --groups docker deploy")
    node.sh(PREPARE)
    lines = node.out("cat /srv/trust/digests").split()
    node.sh("cat > /etc/systemd/system/deploy.service && systemctl daemon-reload", stdin=DEPLOY)
    return Lab(node, dict(line.split("=", 1) for line in lines))


PREPARE = """set -eu
cd /srv/trust
if [ ! -e digests ]; then
    sh servers.sh
    sh images.sh > digests.new
    sh publish.sh
    mv digests.new digests
fi
"""
DEPLOY = f"""[Service]
Type=oneshot
ExecStart=/bin/sh -c 'docker pull {REGISTRY}/app:unsigned > /run/deploy.log 2>&1'
""".encode()
