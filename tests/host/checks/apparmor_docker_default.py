"""docker-default is enforced, and the kernel confines every running container by some profile."""

from __future__ import annotations

from typing import Any

from apparmor_boot import toothless, without
from verdict import ObservedHost, Verdict, failed, named, passed

PROFILE = "docker-default"


def check(host: ObservedHost, _control: dict[str, Any], _artifact: dict[str, Any]) -> Verdict:
    found = host.reading["surfaces"]["mandatory_access"]["apparmor"]
    if found["kernel"] != "on":
        return without(
            found,
            "AppArmor is on with the next boot",
            "the kernel was booted without AppArmor: no container is confined",
        )
    if toothless(found):
        return failed(toothless(found))
    if found["profiles"] is None:
        return failed("the kernel does not say which profiles it holds")
    free = [one["name"] for one in found["containers"] if one["mode"] != "enforce"]
    mode = found["profiles"].get(PROFILE)
    if mode is None:
        return failed(
            f"{PROFILE} is not loaded; dockerd loads it when it starts a container. {_list(free)}"
        )
    if mode != "enforce":
        return failed(
            f"{PROFILE} is in {mode} mode; restart Docker after unloading it, then the containers"
        )
    if free:
        return failed(_list(free))
    return passed(f"{PROFILE} is enforced; {len(found['containers'])} running containers confined")


def _list(free: list[str]) -> str:
    return f"not confined, start them again with a profile: {named(free)}" if free else ""
