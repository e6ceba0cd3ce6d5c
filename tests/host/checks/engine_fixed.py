"""No advisory that is known to this release is open in what runs of the engine's components."""

from __future__ import annotations

from typing import Any

from verdict import ObservedHost, Verdict, failed, passed

ASKS_ENGINE = False  # it has an answer without the engine's too


def check(host: ObservedHost, control: dict[str, Any], _artifact: dict[str, Any]) -> Verdict:
    found = host.reading["surfaces"]["docker_engine"][control["id"]]
    if found["problem"]:
        return failed(found["problem"])
    if found["unknown"]:
        return failed(f"the version is not known of {', '.join(found['unknown'])}")
    if found["open"]:
        return failed(
            f"open, by advisories up to {found['date']}: {_named(found['open'])}{_restarts(found)}"
        )
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    return passed(f"{versions}: nothing known is open, by advisories up to {found['date']}")


def _restarts(found: dict[str, Any]) -> str:
    """What of that another version would mend that is installed already."""
    components = {one["component"] for one in found["open"]}
    missing = [why for component, why in found["replaced"].items() if component in components]
    return "".join(f"; {why}: a restart is missing" for why in missing)


def _named(findings: list[dict[str, Any]]) -> str:
    by_component: dict[str, list[str]] = {}
    for one in findings:
        by_component.setdefault(f"{one['component']} {one['version']}", []).append(one["cve"])
    return "; ".join(f"{name}: {', '.join(cves)}" for name, cves in by_component.items())
