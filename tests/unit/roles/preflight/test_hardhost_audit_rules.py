"""Rules as they are written, as auditctl 3.0.9 and 4.0.2 list them, and which is which."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible.module_utils import hardhost_audit_rules as audit_rules

CONTROL = "docker_audit/etc_docker"
KEY = "hardhost-etc_docker"

# What was written, and what `auditctl -l` said of it afterwards; perm's system calls shortened.
LISTED = [
    # both versions
    ("-w /etc/docker -p wa -k KEY", "-w /etc/docker -p wa -k KEY"),
    ("-w /usr/sbin/dockerd -p wxa -k KEY", "-w /usr/sbin/dockerd -p wxa -k KEY"),
    # 3.0.9
    (
        "-a always,exit -F arch=b64 -F dir=/etc/docker -F perm=wa -F auid!=unset -k KEY",
        "-a always,exit -F arch=b64 -S all -F dir=/etc/docker -F perm=wa -F auid!=-1 -F key=KEY",
    ),
    # 4.0.2
    (
        "-a always,exit -F arch=b32 -F path=/etc/file -F perm=wa -k KEY",
        "-a always,exit -F arch=b32 -S open,chmod,openat,fchmodat,unlinkat"
        " -F path=/etc/file -F perm=wa -F key=KEY",
    ),
]
FOREIGN = [
    "-w /etc/docker -p wa -k docker",
    "-a always,exit -F arch=b64 -S execve -F auid>=1000 -F auid!=-1 -F key=exec",
    "-a always,exit -F arch=b64 -S open -F exit=-EACCES -F a1&0100 -F key=access",
    "-a never,exit -F arch=b64 -S all -F exe=/usr/bin/backup",
]


@pytest.mark.parametrize(("written", "listed"), LISTED)
def test_a_rule_is_recognised_in_the_kernels_list(written: str, listed: str) -> None:
    written, listed = written.replace("KEY", KEY), listed.replace("KEY", KEY)
    assert audit_rules.canonical(written) == audit_rules.canonical(listed)
    assert audit_rules.ours([*FOREIGN, listed], CONTROL) == {audit_rules.canonical(written)}


@pytest.mark.parametrize(
    "narrowed",
    [
        "-w /etc/docker -p w -k KEY",
        "-w /etc/docker/certs.d -p wa -k KEY",
        "-a always,exit -S all -F dir=/etc/docker -F perm=wa -F auid=1000 -F key=KEY",
        "-a always,exit -S mkdir -F dir=/etc/docker -F perm=wa -F key=KEY",
        "-a never,exit -S all -F dir=/etc/docker -F perm=wa -F key=KEY",
    ],
)
def test_a_narrower_rule_under_our_key_is_another(narrowed: str) -> None:
    wanted = audit_rules.canonical(f"-w /etc/docker -p wa -k {KEY}")
    found = audit_rules.ours([narrowed.replace("KEY", KEY)], CONTROL)
    assert found
    assert wanted not in found


def test_rules_of_others_are_not_ours() -> None:
    assert audit_rules.ours(FOREIGN, CONTROL) == set()
    assert audit_rules.ours([f"-w /etc/docker -p wa -k {KEY}_too"], CONTROL) == set()


def test_what_is_no_rule_has_no_form() -> None:
    assert [audit_rules.canonical(line) for line in ("-D", "-c", "-e 2", "No rules", "")] == [
        None
    ] * 5


@pytest.mark.parametrize("line", ["-a never,task", "-a task,never"])
def test_a_rule_that_keeps_everything_away_is_found(line: str) -> None:
    assert audit_rules.suppressed([*FOREIGN, line]) == line
    assert audit_rules.suppressed(FOREIGN) == ""
    assert audit_rules.suppressed(["-a never,task -F auid=1000"]) == ""


def test_the_file_goes_on_after_an_error_as_its_auditd_needs_it() -> None:
    rules = {CONTROL: [f"-w /etc/docker -p wa -k {KEY}"]}
    assert (audit_rules.text(rules, tolerant=False) or b"").splitlines()[1] == b"-c"
    assert (audit_rules.text(rules, tolerant=True) or b"").splitlines()[1] == b"-i"
    assert audit_rules.text({CONTROL: []}, tolerant=True) is None


def test_one_controls_rules_leave_the_file_alone(tmp_path: Path) -> None:
    file = tmp_path / "00-hardhost.rules"
    other = "docker_audit/dockerd"
    rules = {
        CONTROL: [f"-w /etc/docker -p wa -k {KEY}"],
        other: ["-w /usr/sbin/dockerd -p wxa -k hardhost-dockerd"],
    }
    file.write_bytes(audit_rules.text(rules, tolerant=False) or b"")
    assert audit_rules.of_file(CONTROL, str(file)) == rules[CONTROL]
    left = audit_rules.without([CONTROL], str(file))
    assert left == audit_rules.text({other: rules[other]}, tolerant=False)
    assert audit_rules.without([CONTROL, other], str(file)) is None


def test_no_file_holds_no_rule(tmp_path: Path) -> None:
    assert audit_rules.of_file(CONTROL, str(tmp_path / "none")) == []
    assert audit_rules.without([CONTROL], str(tmp_path / "none")) is None


@pytest.fixture
def etc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """/etc/audit, and an augenrules that does what the real one does."""
    (tmp_path / "rules.d").mkdir()
    monkeypatch.setattr(audit_rules, "PATH", str(tmp_path / "rules.d/00-hardhost.rules"))
    monkeypatch.setattr(audit_rules, "MERGED", str(tmp_path / "audit.rules"))
    monkeypatch.setattr(audit_rules, "PROGRAMS", f"{tmp_path}:/usr/bin:/bin")
    program = tmp_path / "augenrules"
    program.write_text(f"#!/bin/sh\ncat {tmp_path}/rules.d/*.rules > {tmp_path}/audit.rules\n")
    program.chmod(0o755)
    return tmp_path


THEIRS, OURS = "-w /etc/shadow -p wa -k mine", "-w /etc/docker -p wa -k hardhost-etc_docker"


def test_what_is_loaded_at_boot_is_made_of_the_parts(etc: Path) -> None:
    (etc / "rules.d/10-theirs.rules").write_text(f"-D\n{THEIRS}\n")
    (etc / "rules.d/00-hardhost.rules").write_text(f"-c\n{OURS}\n")
    (etc / "audit.rules").write_text(f"-D\n  {THEIRS}\n")
    assert audit_rules.by_hand() == []
    audit_rules.merge()
    assert (etc / "audit.rules").read_text() == f"-c\n{OURS}\n-D\n{THEIRS}\n"


def test_rules_that_are_there_alone_are_never_lost(etc: Path) -> None:
    (etc / "audit.rules").write_text(f"-D\n{OURS}\n{THEIRS}\n")
    assert audit_rules.by_hand() == [THEIRS]
    audit_rules.merge()
    assert (etc / "audit.rules").read_text() == f"-D\n{THEIRS}\n"


def test_our_own_that_left_the_parts_are_not_somebody_elses(etc: Path) -> None:
    (etc / "audit.rules").write_text(f"-D\n{OURS}\n")
    assert audit_rules.by_hand() == []
