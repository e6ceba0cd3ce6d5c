"""Records of auditd, as they stand in its log."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from onhost import audit_events

# Of auditd 3.0.9 on Debian 12, shortened.
CHANGE = (
    "type=SYSCALL msg=audit(1795297000.123:456): arch=c000003e syscall=90 success=yes exit=0"
    ' ppid=900 pid=901 auid=0 uid=0 comm="python3" exe="/usr/bin/python3.11"'
    ' key="hardhost-etc_docker"\n'
)
MESSAGE = (
    "type=USER msg=audit(1795297000.120:455): pid=880 uid=0 auid=0 ses=3 subj=unconfined"
    " msg='text=hardhost probe exe=\"/usr/sbin/auditctl\" res=success'\n"
)
KEY = 'key="'


def test_a_record_is_found_by_its_process_and_that_a_rule_asked_for_it() -> None:
    assert audit_events.record(901, KEY).search(MESSAGE + CHANGE)
    assert audit_events.record(880, "hardhost probe").search(MESSAGE + CHANGE)


def test_what_others_did_is_no_proof() -> None:
    assert not audit_events.record(900, KEY).search(MESSAGE)
    assert not audit_events.record(90, KEY).search(CHANGE)
    assert not audit_events.record(901, KEY).search(CHANGE.replace(KEY, "key=(null) was "))
    assert not audit_events.record(880, KEY).search(MESSAGE + CHANGE)


@pytest.fixture
def touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """auditd's log, of a host on which process 901 touches what is watched."""
    log = tmp_path / "audit.log"
    log.write_text("")
    monkeypatch.setattr(audit_events, "SECONDS", 0.1)
    monkeypatch.setattr(audit_events, "_problem", lambda: "")
    monkeypatch.setattr(audit_events, "_facts", dict)
    monkeypatch.setattr(audit_events, "audit_log", lambda: log)
    monkeypatch.setattr(audit_events.surface, "watched", lambda *_: ["/etc/docker/daemon.json"])
    return log


def leaves(log: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_events, "_touch", lambda _path: log.write_text(text) and 901)


def test_a_record_of_ours_is_the_proof(touched: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That of the directory above comes first."""
    leaves(touched, MESSAGE + CHANGE, monkeypatch)
    assert "left its record" in audit_events.prove("docker_audit/daemon_json", {})


def test_a_record_of_somebody_elses_rule_proves_nothing(
    touched: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leaves(touched, CHANGE.replace("hardhost-etc_docker", "docker"), monkeypatch)
    with pytest.raises(audit_events.NothingKept, match=re.escape("with the key docker, by a rule")):
        audit_events.prove("docker_audit/daemon_json", {})


def test_no_record_is_a_failure(touched: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leaves(touched, MESSAGE, monkeypatch)
    with pytest.raises(audit_events.NoRecord):
        audit_events.prove("docker_audit/daemon_json", {})
