"""Our profile for containers is in the kernel as written, enforced, and comes back at boot."""

from __future__ import annotations

from typing import Any

from apparmor_boot import toothless, without
from verdict import ObservedHost, Verdict, failed, passed

PROFILE = "hardhost-container"


def check(host: ObservedHost, _control: dict[str, Any], _artifact: dict[str, Any]) -> Verdict:
    found = host.reading["surfaces"]["mandatory_access"]["apparmor"]
    if not found["file"]:
        return failed(f"/etc/apparmor.d/{PROFILE} is not as it was written")
    if found["kernel"] != "on":
        return without(
            found, "it is loaded with the next boot", "the kernel was booted without AppArmor"
        )
    if toothless(found):
        return failed(toothless(found))
    if found["profiles"] is None:
        return failed("the kernel does not say which profiles it holds")
    mode = found["profiles"].get(PROFILE)
    if found["held_back"]:
        return failed(f"{', '.join(found['held_back'])}: it is not enforced after the next boot")
    if mode != "enforce":
        return failed(f"{PROFILE} is {f'in {mode} mode' if mode else 'not loaded'}")
    if found["ours"] is False:
        return failed(f"the kernel holds another text under the name {PROFILE}")
    doubt = f"; its text could not be compared: {found['uncompared']}"
    return passed(f"{PROFILE} is loaded and enforced{doubt if found['ours'] is None else ''}")
