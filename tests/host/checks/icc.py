"""Containers on the default bridge cannot reach each other."""

from __future__ import annotations

from typing import Any

from options_in_force import Reading, after_restart, read_by_daemon
from verdict import ObservedHost, Verdict, failed, named, passed, pending

OPTION = "com.docker.network.bridge.enable_icc"


def check(host: ObservedHost, _control: dict[str, Any], _artifact: dict[str, Any]) -> Verdict:
    reading = host.reading
    later = after_restart(reading, ("icc",))
    if not reading["bridge"]:
        return passed("there is no default bridge")
    if reading["bridge"].get(OPTION) != "false":
        return _open(reading, later)
    if later is not False:
        return failed(
            "icc is off, but daemon.json does not hold it: the next start of dockerd loses it"
        )
    if reading["kernel"]["bridge_nf_call_iptables"] != "1":
        return failed(
            "icc is off, but the filter does not see bridged packets: bridge-nf-call-iptables is 0"
        )
    if not reading["kernel"]["isolates_bridge"]:
        return failed(
            "icc is off, but the kernel's filter has no rule that drops traffic within the bridge"
        )
    return passed("icc is off on the default bridge, and the kernel drops traffic within it")


def _open(reading: Reading, later: Any) -> Verdict:
    if later is not False:
        return failed("icc is on: containers on the default bridge reach each other")
    if read_by_daemon(reading, ("icc",)) is not False:
        return pending(
            f"{reading['file']['path']} holds icc: false, but dockerd has not been restarted since"
        )
    running = sorted(one["name"] for one in reading["containers"] if one["running"])
    if running:
        return pending(
            "dockerd was started with icc: false, but these containers ran on and hold the old "
            f"bridge: {named(running)}; stop them and restart dockerd"
        )
    return failed(
        "dockerd was started with icc: false, but the bridge is open: restart it without containers"
    )
