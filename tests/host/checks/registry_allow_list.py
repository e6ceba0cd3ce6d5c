"""What runs, and the mirrors of the daemon, come from registries that somebody named."""

from __future__ import annotations

from typing import Any

from verdict import ObservedHost, Verdict, failed, passed


def check(host: ObservedHost, _control: dict[str, Any], _artifact: dict[str, Any]) -> Verdict:
    found = host.reading["surfaces"]["image_trust"]["registry_allow_list"]
    wrong = [
        f"{one['name']} runs {one['reference']} (from {', '.join(one['from']) or 'nowhere known'})"
        for one in found["containers"]
        if not one["allowed"]
    ]
    wrong += [
        f"the daemon has the mirror {one['url']}" for one in found["mirrors"] if not one["allowed"]
    ]
    if wrong:
        return failed(f"not in image_trust_registries: {'; '.join(wrong[:10])}")
    containers, mirrors = len(found["containers"]), len(found["mirrors"])
    return passed(
        f"{containers} running containers and {mirrors} mirrors, all from named registries"
    )
