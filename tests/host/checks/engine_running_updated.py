"""The processes of dockerd and containerd are the programs that are on the disk."""

from __future__ import annotations

from typing import Any

from verdict import ObservedHost, Verdict, failed, passed


def check(host: ObservedHost, control: dict[str, Any], _artifact: dict[str, Any]) -> Verdict:
    found = host.reading["surfaces"]["docker_engine"][control["id"]]
    if found["problem"]:
        return failed(found["problem"])
    if found["why"]:
        return failed(f"{found['why']}: restart Docker under live-restore")
    if found["containerd"]:
        return failed(f"{found['containerd']}: restart containerd, containers run on meanwhile")
    return passed(f"dockerd {host.reading['engine']['version']} runs from the program on the disk")
