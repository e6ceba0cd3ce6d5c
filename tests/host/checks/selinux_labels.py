"""SELinux: dockerd labels containers, and every one that runs is confined by its type."""

from __future__ import annotations

from typing import Any

from options_in_force import judge
from verdict import PASS, ObservedHost, Verdict, failed, named, passed, pending

LEAF = ("selinux-enabled",)
# Types of processes to which the policy refuses next to nothing, or that are not containers' own.
UNCONFINED = (
    *("spc_t", "spc_user_t", "unconfined_t", "unconfined_service_t", "initrc_t", "init_t"),
    *("dockerd_t", "container_runtime_t", "container_engine_t", "kernel_t", "unlabeled_t", ""),
)


def check(host: ObservedHost, _control: dict[str, Any], _artifact: dict[str, Any]) -> Verdict:
    verdict = judge(host.reading, LEAF, True)
    if verdict.status != PASS:
        return verdict
    running = [one for one in host.reading["containers"] if one["selinux"] is not None]
    free = [one for one in running if one["selinux"] in UNCONFINED]
    chosen = [one["name"] for one in free if _opted_out(one)]
    older = [one["name"] for one in free if not _opted_out(one)]
    if chosen:
        return failed(
            f"SELinux does not confine {named(chosen)}: privileged, in the host's PID or IPC "
            "namespace, or created with label=disable or a type that is free"
        )
    if older:
        return pending(f"created without a label, and to be created again: {named(older)}")
    return passed(f"{verdict.reason}; {len(running)} running containers, all confined")


def _opted_out(container: dict[str, Any]) -> bool:
    """Whether it would be free again if it were created again, for it was asked to be."""
    options = {
        "label=" + option[len("label:") :] if option.startswith("label:") else option
        for option in container["security_options"]
    }
    free = {"label=disable", *(f"label=type:{one}" for one in UNCONFINED if one)}
    shared = "host" in (container["pid_mode"], container["ipc_mode"])
    # With a label of its own a container of the host's namespaces has that one.
    labelled = any(option.startswith("label=") for option in options)
    return bool(options & free) or (not labelled and (container["privileged"] or shared))
