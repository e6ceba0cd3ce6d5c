"""What runs and what was wanted by digest is signed as the policy demands: cosign says so."""

from __future__ import annotations

from typing import Any

from verdict import ObservedHost, Verdict, failed, passed, pending


def check(host: ObservedHost, _control: dict[str, Any], _artifact: dict[str, Any]) -> Verdict:
    found = host.reading["surfaces"]["image_trust"]["image_signatures"]
    if found["problem"]:
        return failed(f"nothing can be verified: {found['problem']}")
    judged = found["containers"] + found["images"]
    refused = [_worded(one) for one in judged if one["action"] == "require" and not one["signed"]]
    if refused:
        return failed("; ".join(refused[:10]))
    missing = [one["reference"] for one in found["images"] if not one["present"]]
    if missing:
        return pending(f"signed, and not pulled yet: {', '.join(missing[:10])}; run site.yml")
    reported = [_worded(one) for one in judged if one["action"] == "report" and not one["signed"]]
    signed = sum(1 for one in judged if one["signed"])
    note = f"; reported only: {'; '.join(reported[:10])}" if reported else ""
    return passed(
        f"{signed} of {len(judged)} images of containers and of the list are signed{note}"
    )


def _worded(one: dict[str, Any]) -> str:
    name = f"{one['name']} runs {one['reference']}" if "name" in one else one["reference"]
    return f"{name}: {one['reason']} (rule {one['rule'] or 'none'})"
