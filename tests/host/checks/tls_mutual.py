"""Over TCP, dockerd shows its certificate and turns away who has none."""

from __future__ import annotations

from typing import Any

from verdict import ObservedHost, Verdict, failed, passed, pending


def check(host: ObservedHost, control: dict[str, Any], artifact: dict[str, Any]) -> Verdict:
    address = artifact["decisions"][control["id"]]["settings"]["docker_daemon_tls"]["address"]
    found = host.reading["surfaces"]["docker_daemon"]["tls"]
    if found["answer"]:
        return failed(f"at {address} dockerd serves its API to a client without a certificate")
    if not found["following"]:
        return failed(f"dockerd's next start does not ask for certificates at {address}")
    if not found["running"]:
        return pending("the unit is prepared; dockerd was started before: restart it")
    if found["serves"] == "missing":
        return failed(f"the certificate for {address} is not on the host yet: run site.yml")
    if found["serves"] == "other":
        return pending(f"at {address} it shows another certificate than the file's: restart it")
    if not found["serves"] or "cert" not in found["refusal"].lower():
        said = found["refusal"] or "nothing"
        return failed(f"at {address} a client without a certificate hears: {said}")
    return passed(f"at {address} a client without a certificate is turned away: {found['refusal']}")
