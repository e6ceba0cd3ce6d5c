"""No registry beyond loopback is trusted without TLS, now and after the next start."""

from __future__ import annotations

from typing import Any

from options_in_force import judge, leaves, matching
from verdict import PASS, ObservedHost, Verdict, failed, named, passed


def check(host: ObservedHost, control: dict[str, Any], artifact: dict[str, Any]) -> Verdict:
    settings = artifact["decisions"][control["id"]]["settings"]["docker_daemon_options"]
    for leaf, wish in leaves(settings):
        trusted = matching(host.reading["info"]["InsecureRegistries"], wish["without"])
        if trusted:
            return failed(f"the running daemon trusts without TLS: {named(trusted)}")
        verdict = judge(host.reading, leaf, wish)
        if verdict.status != PASS:
            return verdict
    return passed("the daemon trusts no registry without TLS but those of its own host")
