"""Every state of tests/sabotage/image_trust takes exactly its controls out of force, and is mended."""

from __future__ import annotations

import pytest

from tests.sabotage import states

CONTROLS = [control for control in states.controls() if control.startswith("image_trust/")]
STATES = [state for control in CONTROLS for state in states.load(control)]


@pytest.fixture(scope="module")
def hardened(trust):
    """Everything is in force, a container runs from a digest, and every control passes."""
    trust.give()
    trust.project.play().assert_converged(*trust.hosts)
    for lab in trust.labs:
        lab.host.sh("docker ps -aq | xargs -r docker rm -f")  # what a case that failed has left
        lab.host.sh(f"docker run -d --restart always --name standing {lab.image('old')}")
    report = trust.project.verify()
    assert report.code == 0, report.text
    found = {host.name: report.statuses(host.name) for host in trust.hosts}
    for statuses in found.values():
        assert statuses == dict.fromkeys(CONTROLS, "pass"), report.text
    yield found
    # What the last state took away has come back; the ones before it were seen by their successors.
    report = trust.project.verify()
    assert report.code == 0, report.text
    for lab in trust.labs:
        lab.host.sh("docker rm -f standing")


@pytest.mark.parametrize("state", STATES, ids=lambda state: f"{state.control}-{state.name}")
def test_state(state, trust, hardened):
    for lab in trust.labs:
        lab.host.sh(state.script())
    report = trust.project.verify()
    for lab in trust.labs:
        wanted = {
            control: state.status(control, status)
            for control, status in hardened[lab.host.name].items()
        }
        assert report.statuses(lab.host.name) == wanted, f"{state.why}\n{report.text}"
    assert "hunter2" not in report.text
    assert "dXNlcjpodW50ZXIy" not in report.text
    assert report.code == 1, report.text
    for lab in trust.labs:
        if state.mend_script():
            lab.host.sh(state.mend_script())
    if not state.mend_script():
        trust.project.play().assert_converged(*trust.hosts)
