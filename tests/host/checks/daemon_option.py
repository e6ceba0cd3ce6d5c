"""Options of dockerd: each leaf that a control sets is in force, and stays so after a restart."""

from __future__ import annotations

from typing import Any

from options_in_force import Reading, judge, leaves
from verdict import FAIL, PENDING, ObservedHost, Verdict, failed, passed

LOCAL_LOG_DRIVERS = ("json-file", "local")


def check(host: ObservedHost, control: dict[str, Any], artifact: dict[str, Any]) -> Verdict:
    options = artifact["decisions"][control["id"]]["settings"].get("docker_daemon_options", {})
    found = [(leaf, judge(host.reading, leaf, wish)) for leaf, wish in leaves(options)]
    if not found:
        return failed("the control sets no option here, so there is nothing to prove")
    for status in (FAIL, PENDING):
        reasons = [verdict.reason for _leaf, verdict in found if verdict.status == status]
        if reasons:
            return Verdict(status, "; ".join(reasons))
    for key in sorted({leaf[0] for leaf, _verdict in found} & set(DEFEATED)):
        reason = DEFEATED[key](host.reading, options)
        if reason:
            return failed(reason)
    told = [TOLD[leaf[0]](host.reading) for leaf, _verdict in found if leaf[0] in TOLD]
    return passed("; ".join([verdict.reason for _leaf, verdict in found] + told))


def _log_level(reading: Reading, _options: dict[str, Any]) -> str:
    return (
        "debug is on in the running daemon, which logs more than any log-level"
        if reading["info"]["Debug"]
        else ""
    )


def _log_driver(reading: Reading, _options: dict[str, Any]) -> str:
    problem = reading.get("surfaces", {}).get("docker_daemon", {}).get("log_target")
    return f"it is in force, and no container starts with it: {problem}" if problem else ""


def _log_options(reading: Reading, options: dict[str, Any]) -> str:
    driver = reading["info"]["LoggingDriver"]
    wanted = options.get("log-driver")
    if wanted or driver in LOCAL_LOG_DRIVERS:
        return ""
    return f"the log driver in force is {driver}, which knows no such limits"


def _ulimits(reading: Reading, options: dict[str, Any]) -> str:
    limit = reading["daemon"]["nofile"]
    wanted = options["default-ulimits"].get("nofile", {}).get("Hard", 0)
    if limit is None or 0 <= wanted <= limit:
        return ""
    return f"the daemon's own limit of open files is {limit}, below {wanted}: no container starts"


def _seccomp(reading: Reading, _options: dict[str, Any]) -> str:
    if not any(option.startswith("name=seccomp") for option in reading["info"]["SecurityOptions"]):
        return "the daemon does not support seccomp on this kernel"
    return (
        "the seccomp profile was changed after dockerd read it: restart it"
        if reading["profile_newer"]
        else ""
    )


def _userland_proxy(reading: Reading, _options: dict[str, Any]) -> str:
    number = reading["kernel"]["docker_proxies"]
    return f"{number} docker-proxy processes of the daemon run" if number else ""


def _iptables(reading: Reading, _options: dict[str, Any]) -> str:
    return (
        ""
        if reading["kernel"]["docker_rules"]
        else "the kernel's packet filter has no rules of Docker: restart docker.service"
    )


def _forwarding(reading: Reading, _options: dict[str, Any]) -> str:
    kernel = reading["kernel"]
    if kernel["docker_rules"] or kernel["forward_policy"] == "DROP" or not kernel["forwards"]:
        return ""
    return (
        "the kernel's packet filter has no rules of Docker, and forwards to containers whatever "
        "reaches the host: restart docker.service"
    )


def _forward_policy(reading: Reading) -> str:
    """Named, and no verdict: with Docker's rules it decides about others than containers alone."""
    policy = reading["kernel"]["forward_policy"] or "not told by iptables"
    return f"the policy of FORWARD is {policy}"


# What takes an option its effect although it is set: the reason, or "".
DEFEATED = {
    "default-ulimits": _ulimits,
    "ip-forward-no-drop": _forwarding,
    "iptables": _iptables,
    "log-driver": _log_driver,
    "log-level": _log_level,
    "log-opts": _log_options,
    "seccomp-profile": _seccomp,
    "userland-proxy": _userland_proxy,
}

# What a reader of the evidence wants to know besides.
TOLD = {"ip-forward-no-drop": _forward_policy}
