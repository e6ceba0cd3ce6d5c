"""What a host without AppArmor in its kernel is told: to reboot, or why that does not help."""

from __future__ import annotations

from typing import Any

from verdict import Verdict, failed, pending


def without(found: dict[str, Any], wait: str, lacks: str) -> Verdict:
    """`wait` where the next boot brings it, `lacks` where nothing was prepared."""
    if found["unheeded"]:
        return failed(found["unheeded"])
    return pending(f"{wait}: reboot the host") if found["prepared"] else failed(lacks)
