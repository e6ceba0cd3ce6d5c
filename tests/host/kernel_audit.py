"""Whether the kernel and auditd record anything at all."""

from __future__ import annotations

from typing import Any

LOCKED = 2


def silent(reading: dict[str, Any]) -> str:
    """Why nothing at all is recorded; "" where it is."""
    if not reading["status"]["enabled"]:
        return "the kernel's recording of audit events is switched off"
    if not (reading["active"] and reading["status"]["pid"]):
        return "auditd does not run: what the kernel records is kept nowhere"
    if reading["suppressed"]:
        return f"the rule `{reading['suppressed']}` of somebody else keeps every event away"
    return ""
