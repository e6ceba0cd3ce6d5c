"""Containers that serve while something is done to their host, held against how they were."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.hosts import workload
from tests.hosts.container_host import Host
from tests.hosts.observation import observe
from tests.hosts.workload import Connection

SETTLE_SECONDS = 180


@dataclass(frozen=True)
class Serving:
    """A host with open connections to its containers, and how all of it was at the beginning."""

    host: Host
    before: dict[str, Any]
    connections: list[Connection]

    def assert_unbroken(self) -> None:
        """The engine answers, the same processes run, and so do the connections opened before."""
        assert self.before["containers"]
        assert observe(self.host)["containers"] == self.before["containers"]
        assert self.connections
        for connection in self.connections:
            connection.answers()

    def assert_old_file(self) -> None:
        now = observe(self.host)["etc"]
        path = "/etc/docker/daemon.json"
        assert now.get(path) == self.before["etc"].get(path)

    def assert_old_or_in_force(self) -> None:
        """`daemon.json` is as it was byte for byte, or older than the process that runs with it."""
        if content(self.host) != self.before_content():
            assert started_after_file(self.host), f"{self.host.name}: a new file, not in force"

    def before_content(self) -> str:
        known: str = self.before["etc"].get("/etc/docker/daemon.json", "absent")
        return known.rpartition(" ")[2]

    def assert_daemon_untouched(self) -> None:
        assert observe(self.host)["process"] == self.before["process"]


@contextmanager
def serving(host: Host) -> Iterator[Serving]:
    """Start containers on a host, connect to them, and remember."""
    workload.make_image(host)
    workload.serve(host)
    with workload.connections(host) as opened:
        before = observe(host)
        assert sorted(name for name, _ in before["containers"].values()) == ["/web", "/worker"]
        yield Serving(host, before, opened)


def content(host: Host) -> str:
    found = host.sh("cat /etc/docker/daemon.json", check=False)
    return hashlib.sha256(found.stdout).hexdigest() if found.returncode == 0 else "absent"


def started_after_file(host: Host) -> bool:
    started = float(host.out("stat -c %.Z /proc/$(systemctl show -p MainPID --value docker)"))
    changed = host.sh("stat -c %.Y /etc/docker/daemon.json", check=False)
    return changed.returncode != 0 or float(changed.stdout) <= started


def wait_settled(host: Host) -> None:
    """Wait until no job of hardhost runs on the host and the engine answers."""
    command = (
        "! systemctl list-units --no-legend --type=service --state=active,activating 'hardhost*'"
        " | grep -q . && docker version >/dev/null"
    )
    deadline = time.monotonic() + SETTLE_SECONDS
    while host.sh(command, check=False).returncode != 0:
        assert time.monotonic() < deadline, f"{host.name} has not settled in {SETTLE_SECONDS} s"
        time.sleep(0.5)
