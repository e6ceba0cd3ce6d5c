"""The kernel runs with AppArmor, its profiles come back with a boot, and dockerd uses it."""

from __future__ import annotations

from typing import Any

from apparmor_boot import toothless, without
from verdict import ObservedHost, Verdict, failed, passed


def check(host: ObservedHost, _control: dict[str, Any], _artifact: dict[str, Any]) -> Verdict:
    found = host.reading["surfaces"]["mandatory_access"]["apparmor"]
    if found["kernel"] != "on":
        return without(
            found,
            "the boot configuration switches AppArmor on",
            "the kernel was booted without AppArmor",
        )
    if toothless(found):
        return failed(toothless(found))
    if not found["parser"]:
        return failed("apparmor_parser is missing: from its next start on dockerd confines nothing")
    if not found["service"]["enabled"]:
        return failed("apparmor.service is not enabled: no profile is loaded at boot")
    if found["service"]["failed"]:
        return failed(
            "apparmor.service has failed, and does not load all profiles of this host: "
            "journalctl -u apparmor.service says which"
        )
    if not found["service"]["active"]:
        return failed("apparmor.service is not active: the profiles with files were not loaded")
    if found["blind"]:
        return failed(f"{found['blind']}: restart it, then the containers")
    return passed("the kernel runs with AppArmor, and dockerd uses it")
