"""A disposable host with a small signed repository of its own, and what is published there."""

from __future__ import annotations

import json
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.hosts.container_host import Host

SCRIPT = Path(__file__).with_name("repository.py")
CODENAMES = {"debian12patching": "bookworm", "debian13patching": "trixie"}
REPOSITORY = "/srv/repository"
CONFFILE = "/etc/demo.conf"
STATE = "/var/lib/hardhost"
STAMP = f"{STATE}/package-lists"


@dataclass
class Lab:
    """One host and its repository: suites `<codename>` and `<codename>-security`."""

    host: Host
    newest: str = ""  # the version of the demo package that is pending

    @property
    def suite(self) -> str:
        return CODENAMES[self.host.os]

    def run(self, command: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
        return self.host.sh(f"{{ {command}\n}} 2>&1", check=False, **options)

    def repository(self, *words: str) -> None:
        command = " ".join(shlex.quote(word) for word in words)
        self.host.sh(f"python3 /srv/repository.py {command}", timeout=300)

    def package(self, name: str, version: str, **details: Any) -> str:
        """Build a package; its name in the pool."""
        self.repository("package", name, version, json.dumps(details))
        return f"{name}_{version}"

    def publish(
        self, security: list[str], main: list[str] | None = None, key: str = "good"
    ) -> None:
        """What the two suites hold from now on."""
        self.repository("publish", f"{self.suite}-security", "Debian-Security", key, *security)
        self.repository("publish", self.suite, "Debian", key, *(main or []))
        self.forget_lists()

    def sources(self, text: str | None = None) -> None:
        """What apt gets packages from; without a text, the two suites."""
        line = f"deb [signed-by={REPOSITORY}/good.asc] file:{REPOSITORY} %s main\n"
        given = text or line % self.suite + line % f"{self.suite}-security"
        self.host.sh("cat > /etc/apt/sources.list", stdin=given.encode())
        self.forget_lists()

    def forget_lists(self) -> None:
        """The next run fetches lists, as after their validity has ended."""
        self.host.sh(f"rm -f {STAMP}")

    def refresh_lists(self) -> None:
        """Fetch lists now: preflight goes by them, and no run fetches them for an hour."""
        self.host.sh("apt-get update -q")
        self.host.sh(f"mkdir -p -m 700 {STATE} && touch {STAMP}")

    def version(self, name: str) -> str:
        return self.host.out(f"dpkg-query -W -f '${{Version}}' {name}")

    def dpkg(self) -> str:
        """Every package with its status and version: nothing may be half of what it was."""
        return self.host.out("dpkg-query -W -f '${db:Status-Abbrev} ${Package} ${Version}\\n'")


def prepared(node: Host) -> Lab:
    """The demo package runs as a service, with a configuration that was changed by hand."""
    lab = Lab(node)
    node.sh("cat > /srv/repository.py", stdin=SCRIPT.read_bytes())
    if node.sh(f"test -e {REPOSITORY}/good.asc", check=False).returncode:
        lab.repository("keys")
        node.sh("rm -f /etc/apt/sources.list.d/*")
        lab.publish([], [demo(lab, "1.0"), lab.package("kept", "1.0"), lab.package("plain", "1.0")])
        lab.sources()
        node.sh("apt-get update -q && apt-get install -y -q demo kept plain", timeout=300)
        node.sh(f"echo 'set by hand' > {CONFFILE} && apt-mark auto plain")
        node.sh("apt-mark hold kept && systemctl daemon-reload && systemctl start demo")
    return lab


def demo(lab: Lab, version: str) -> str:
    """A service; each version replaces its program and ships its configuration anew."""
    unit = "[Service]\nExecStart=/usr/lib/demo/busybox-demo sleep 1000000\n"
    return lab.package(
        "demo",
        version,
        files={
            "/etc/demo.conf": f"shipped by {version}\n",
            "/lib/systemd/system/demo.service": unit,
        },
        copies={"/usr/lib/demo/busybox-demo": "/bin/busybox"},
        conffiles=["/etc/demo.conf"],
    )
