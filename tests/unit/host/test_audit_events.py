"""Records of auditd, as they stand in its log."""

from __future__ import annotations

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
