"""The connection dies or the controller is killed at every remote step, while packages and the engine are others."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.hosts.cut_off import cut_here, interrupt, points, steps_of
from tests.hosts.inventory import inventory
from tests.hosts.observation import differences, observe
from tests.hosts.package_lab import Lab, demo
from tests.hosts.project import Project
from tests.hosts.serving import serving, wait_settled
from tests.hosts.steps import LONG

# Modules at least: preflight and the lease, packages, the engine, reading again, dockerd's restart.
STEPS = {"site": 6, "rollback": 3}
GO_BACK = """set -e
cd /srv/repository/pool
dpkg --install --force-confold docker.io_{old}_*.deb demo_1.0_*.deb
systemctl daemon-reload && systemctl restart docker demo
docker rm -f web worker || true
"""


@dataclass(frozen=True)
class Updates:
    """An older engine and an older package, and the newer ones that the repository offers."""

    lab: Lab
    old: str
    new: str

    def pend(self) -> None:
        """Take the host back to the older ones."""
        self.lab.host.sh(GO_BACK.format(old=self.old.partition(":")[2] or self.old), timeout=300)
        self.lab.refresh_lists()

    def assert_done(self) -> None:
        versions = self.lab.version("docker.io"), self.lab.version("demo")
        assert versions == (self.new, "9.0")
        running = self.lab.host.out(
            "readlink /proc/$(systemctl show -p MainPID --value docker)/exe"
        )
        assert running.strip() == "/usr/sbin/dockerd", "a replaced program runs on"

    def remains(self) -> dict[str, Any]:
        """What a converge and a rollback leave: packages stay, everything else goes."""
        host = self.lab.host
        assert host.sh("test -e /usr/sbin/policy-rc.d", check=False).returncode
        assert host.sh("dpkg --audit").stdout == b""
        return {"etc": observe(host)["etc"], "packages": self.lab.dpkg()}


def offered(lab: Lab) -> Updates:
    installed = lab.version("docker.io")
    found = Updates(lab, f"{installed}+before", f"{installed}+newer")
    for version in (found.old, found.new):
        lab.repository("repack", "docker.io", version)
    names = [f"docker.io_{found.new.partition(':')[2] or found.new}_"]
    lab.publish([demo(lab, "9.0")], names)
    return found


@LONG
def test_cut_off_at_every_remote_step(labs: list[Lab], project: Project, memory: Path) -> None:
    lab = labs[0]
    inventory_of_one = memory / "cut-inventory.yml"
    inventory_of_one.write_text(inventory([lab.host], ["patching"]))
    cut = Project(project.directory, inventory_of_one)
    lab.sources()
    cut.play("rollback").assert_converged(lab.host)
    updates = offered(lab)
    with cut_here(lab.host, cut):
        updates.pend()
        steps = {play: steps_of(lab.host, cut, play) for play in STEPS}
        updates.assert_done()
        assert all(steps[play] >= least for play, least in STEPS.items()), steps
        wanted = updates.remains()
        for point in points(steps):
            updates.pend()
            with serving(lab.host) as served:
                if point.play == "rollback":
                    cut.play().assert_converged(lab.host)
                interrupt(lab.host, cut, point)
                wait_settled(lab.host)
                served.assert_unbroken()
                cut.play().assert_converged(lab.host)
                updates.assert_done()
                cut.play().assert_unchanged(lab.host)
                cut.play("rollback").assert_converged(lab.host)
                served.assert_unbroken()
            assert not differences(wanted, updates.remains())
