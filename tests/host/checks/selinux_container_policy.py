"""SELinux: the kernel has our type for containers, and allows and refuses it what it should."""

from __future__ import annotations

from typing import Any

from verdict import ObservedHost, Verdict, failed, passed

ASKS_ENGINE = False  # the kernel is asked


def check(host: ObservedHost, _control: dict[str, Any], _artifact: dict[str, Any]) -> Verdict:
    found = host.reading["surfaces"]["mandatory_access"]["selinux"]["policy"]
    if not found or not found["known"]:
        return failed("the loaded policy does not know hardhost_container_t")
    if found["permissive"]:
        return failed("hardhost_container_t is permissive: nothing is refused to it")
    if found["wrong"]:
        return failed(f"the kernel would not keep to our policy: {'; '.join(found['wrong'])}")
    if not found["current"]:
        return failed("the module in the policy's store is not ours of this version")
    if found.get("unlabelled"):
        return failed(
            f"the data root has not the labels that containers need: {found['unlabelled']}"
        )
    different = [
        f"{name} is {'on' if found['booleans'].get(name) else 'off'}"
        for name, value in sorted(found["wanted"].items())
        if found["booleans"].get(name) is not value
    ]
    if different:
        return failed(f"booleans are not as chosen: {', '.join(different)}")
    passing = [
        f"{name} is {'on' if value else 'off'}"
        for name, value in sorted(found["wanted"].items())
        if found["lasting"].get(name) is not value
    ]
    if passing:
        return failed(
            f"{', '.join(passing)}, but not after the next boot by what setsebool -P has recorded"
        )
    return passed("the kernel knows hardhost_container_t and refuses it what it should")
