"""The default bridge publishes ports on the loopback address, now and after the next start."""

from __future__ import annotations

from typing import Any

from options_in_force import after_restart, read_by_daemon, shown
from verdict import ObservedHost, Verdict, failed, named, passed, pending

OPTION = "com.docker.network.bridge.host_binding_ipv4"
LEAF = ("ip",)


def check(host: ObservedHost, control: dict[str, Any], artifact: dict[str, Any]) -> Verdict:
    reading = host.reading
    wanted = artifact["decisions"][control["id"]]["settings"]["docker_daemon_options"]["ip"]
    later = after_restart(reading, LEAF)
    if later != wanted:
        return failed(f"ip is {shown(later)} in {reading['file']['path']}, wanted is {wanted}")
    if not reading["bridge"]:
        return passed("there is no default bridge")
    now = reading["bridge"].get(OPTION)
    if now == wanted:
        return passed(f"ports of the default bridge are published on {now}")
    if read_by_daemon(reading, LEAF) != wanted:
        return pending(f"{reading['file']['path']} holds ip {wanted}: dockerd has to be restarted")
    running = sorted(one["name"] for one in reading["containers"] if one["running"])
    if running:
        return pending(
            f"the default bridge publishes on {now} as long as these containers run on: "
            f"{named(running)}; stop them and restart dockerd"
        )
    return failed(f"the default bridge publishes on {now} although dockerd was given {wanted}")
