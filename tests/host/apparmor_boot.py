"""What a host is told whose kernel confines nobody: it has no AppArmor, or one that complains."""

from __future__ import annotations

from typing import Any

from verdict import Verdict, failed, pending


def without(found: dict[str, Any], wait: str, lacks: str) -> Verdict:
    """`wait` where the next boot brings it, `lacks` where nothing was prepared."""
    if found["unheeded"]:
        return failed(found["unheeded"])
    return pending(f"{wait}: reboot the host") if found["prepared"] else failed(lacks)


def toothless(found: dict[str, Any]) -> str:
    """Why no profile holds, whatever the kernel says of each; "" where nothing is known of that."""
    if found["mode"] != "complain":
        return ""
    return (
        "the kernel as a whole only complains: "
        "printf enforce > /sys/module/apparmor/parameters/mode, "
        "and take apparmor.mode= off the kernel's command line"
    )
