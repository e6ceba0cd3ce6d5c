"""What AppArmor and SELinux refuse and allow elsewhere, with the kernel's own record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import confinement_probes as probes
import kernel_records
import pytest
from conclusions import NotInForce, ProvesNothing

# Of a Debian 12 and a Debian 13, shortened.
APPARMOR = (
    'type=AVC msg=audit(1795296300.863:1578): apparmor="DENIED" operation="{}" profile="{}"'
    ' pid=1021 comm="probe" family="inet" sock_type="raw" protocol=1\n'
)
SELINUX = (
    "type=AVC msg=audit(1795296300.863:1578): avc:  denied  { create } for  pid=1021"
    ' comm="probe" scontext=system_u:system_r:hardhost_container_t:s0:c463,c638'
    " tclass=rawip_socket permissive=0\n"
)
LINES = {
    "apparmor_container_profile": APPARMOR.format("create", "hardhost-container"),
    "apparmor_docker_default": APPARMOR.format("mount", "docker-default"),
    "selinux_container_policy": SELINUX,
}
PROBES = {name: probes.PROBES[f"mandatory_access/{name}"] for name in LINES}
OPEN = (
    ["seccomp=unconfined", "apparmor=unconfined"],
    ["seccomp=unconfined"],
    ["seccomp=unconfined", "label=disable"],
)


class Laboratory:
    """Containers of which one is refused, and a log that the refusal leaves a line in."""

    def __init__(self, log: Path, line: str, name: str) -> None:
        self.log, self.line, self.name = log, line, name
        self.within, self.without = (1, "errno=13\n"), (0, "errno=0\n")

    def run(self, _command: list[str], host: dict[str, Any]) -> tuple[int, str]:
        assert host["CapAdd"], "else a missing capability may be what refuses"
        security = host["SecurityOpt"]
        # What is open for one control is what another is about.
        mounts = self.name == "apparmor_docker_default"
        if security in OPEN and not (mounts and security == ["seccomp=unconfined"]):
            return self.without
        with self.log.open("a") as stream:
            stream.write(self.line)
        return self.within


@pytest.fixture(params=LINES)
def laboratory(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Laboratory:
    log = tmp_path / "audit.log"
    log.write_text(LINES[request.param])  # an earlier one, which is no record of this attempt
    monkeypatch.setattr(kernel_records, "audit_log", lambda: log)
    monkeypatch.setattr(kernel_records, "KERNEL", str(tmp_path / "none"))
    monkeypatch.setattr(kernel_records, "SECONDS", 0.1)
    return Laboratory(log, LINES[request.param], request.param)


def attempt(laboratory: Laboratory) -> str:
    return str(PROBES[laboratory.name](laboratory, {}))


def test_the_record_is_shown(laboratory: Laboratory) -> None:
    if laboratory.name == "apparmor_docker_default":
        assert "refused a mount" in attempt(laboratory)  # whose denials are silent
        return
    assert attempt(laboratory).endswith(laboratory.line.partition(": ")[2].strip())


def test_an_earlier_record_or_another_program_s_is_not_taken_for_it(laboratory: Laboratory) -> None:
    laboratory.line = laboratory.line.replace('comm="probe"', 'comm="nginx"')
    assert "nginx" not in attempt(laboratory)


def test_what_goes_through_is_not_in_force(laboratory: Laboratory) -> None:
    laboratory.within = 0, "errno=0\n"
    with pytest.raises(NotInForce):
        attempt(laboratory)


@pytest.mark.parametrize("answer", [(1, "errno=1\n"), (2, "usage"), (125, "")])
def test_another_error_proves_nothing(laboratory: Laboratory, answer: tuple[int, str]) -> None:
    laboratory.within = answer
    with pytest.raises(ProvesNothing):
        attempt(laboratory)


def test_what_fails_everywhere_proves_nothing(laboratory: Laboratory) -> None:
    laboratory.without = 1, "errno=13\n"
    with pytest.raises(ProvesNothing):
        attempt(laboratory)


@pytest.mark.parametrize(
    ("free", "labels", "outcome"),
    [
        ("u:r:spc_t:s0", ["u:r:container_t:s0:c1,c2", "u:r:container_t:s0:c3,c4"], None),
        ("u:r:spc_t:s0", ["u:r:container_t:s0:c1,c2", "u:r:container_t:s0:c1,c2"], NotInForce),
        ("u:r:spc_t:s0", ["u:r:spc_t:s0:c1,c2", "u:r:spc_t:s0:c3,c4"], NotInForce),
        ("unconfined", ["unconfined", "unconfined"], ProvesNothing),
    ],
)
def test_labels(
    monkeypatch: pytest.MonkeyPatch, free: str, labels: list[str], outcome: type[Exception] | None
) -> None:
    given = iter([free, *labels])
    monkeypatch.setattr(probes, "_label", lambda _laboratory, _host: next(given))
    if outcome is None:
        assert labels[0] in probes.selinux_labels(None, {})
    else:
        with pytest.raises(outcome):
            probes.selinux_labels(None, {})
