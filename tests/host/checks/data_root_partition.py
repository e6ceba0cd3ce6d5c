"""The directories of images and containers are file systems of their own."""

from __future__ import annotations

from typing import Any

from verdict import ObservedHost, Verdict, failed, passed


def check(host: ObservedHost, control: dict[str, Any], _artifact: dict[str, Any]) -> Verdict:
    found = host.reading["surfaces"]["docker_engine"][control["id"]]
    if found["problem"]:
        return failed(found["problem"])
    together = [path for path, apart in found["paths"].items() if not apart]
    if together:
        return failed(f"on the file system of /: {', '.join(together)}")
    return passed(f"apart from /: {', '.join(found['paths'])}")
