"""The directories of images and containers have a file system of their own."""

from __future__ import annotations

from typing import Any

from verdict import ObservedHost, Verdict, failed, passed


def check(host: ObservedHost, control: dict[str, Any], _artifact: dict[str, Any]) -> Verdict:
    found = host.reading["surfaces"]["docker_engine"][control["id"]]
    if found["problem"]:
        return failed(found["problem"])
    shared = [f"{path} is on that of {other}" for path, other in found["shared"].items() if other]
    if shared:
        return failed(f"no file system of its own: {', '.join(shared)}")
    return passed(f"a file system of its own: {', '.join(found['shared'])}")
