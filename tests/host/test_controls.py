"""Every control of the plan on every host, as the audit of the host found it."""

from __future__ import annotations

import pytest
from audit import HostResult


def test_host(audit: HostResult) -> None:
    """Preflight has decided about the host, has not refused it, and the host can be read."""
    if audit.problem:
        pytest.fail(audit.problem, pytrace=False)


def test_control(audit: HostResult, control_id: str) -> None:
    """The control is in force. One that is held back, waived or not applicable is skipped."""
    if audit.problem:
        pytest.fail(audit.problem, pytrace=False)
    [result] = [one for one in audit.results if one.id == control_id]
    if result.status == "fail":
        pytest.fail(result.reason, pytrace=False)
    if result.status != "pass":
        pytest.skip(f"{result.status}: {result.reason}")
