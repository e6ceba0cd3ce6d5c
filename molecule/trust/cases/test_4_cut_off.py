"""The connection dies or the controller is killed at every remote step of what makes images trusted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.hosts.cut_off import cut_here, interrupt, points, steps_of
from tests.hosts.inventory import inventory
from tests.hosts.observation import differences, observe
from tests.hosts.project import Project
from tests.hosts.serving import wait_settled
from tests.hosts.trust_lab import Lab, Trust

STEPS = {"site": 3, "rollback": 2}
# Of earlier cases; and what a rollback leaves, for images are the operator's.
FRESH = "docker ps -aq | xargs -r docker rm -f; docker image rm -f {image}; rm -rf /run/hardhost"


def remains(lab: Lab) -> dict[str, Any]:
    found = observe(lab.host)
    return {"etc": found["etc"], "process": found["process"]}


def test_cut_off_at_every_remote_step(trust: Trust, memory: Path) -> None:
    lab = trust.labs[0]
    trust.give()
    inventory_of_one = memory / "cut-inventory.yml"
    inventory_of_one.write_text(inventory([lab.host], ["trust"]))
    cut = Project(trust.project.directory, inventory_of_one)
    cut.play("rollback").assert_converged(lab.host)
    fresh = FRESH.format(image=lab.image("old"))
    lab.run(fresh)
    wanted = remains(lab)
    with cut_here(lab.host, cut):
        steps = {play: steps_of(lab.host, cut, play) for play in STEPS}
        assert all(steps[play] >= least for play, least in STEPS.items()), steps
        assert not differences(wanted, remains(lab))
        for point in points(steps):
            lab.run(fresh)
            if point.play == "rollback":
                cut.play().assert_converged(lab.host)
            interrupt(lab.host, cut, point)
            wait_settled(lab.host)
            cut.play().assert_converged(lab.host)
            assert lab.has(lab.image("old"))
            cut.play().assert_unchanged(lab.host)
            cut.play("rollback").assert_converged(lab.host)
            assert not differences(wanted, remains(lab))
