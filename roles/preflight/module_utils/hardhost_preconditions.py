"""What a host must be like before a control may be applied to it; controls name these by key.

Each takes the facts, the inputs and the control with its resolved settings, and returns None where nothing is in the way,
or `{decision, reason, remedy}`.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import json

from ansible.module_utils import hardhost_containment as containment
from ansible.module_utils import hardhost_files as files
from ansible.module_utils import hardhost_log_target as logging
from ansible.module_utils import hardhost_selinux_store as selinux_store
from ansible.module_utils.hardhost_options import leaves, look, satisfied
from ansible.module_utils.hardhost_problems import LOCAL_LOG_DRIVERS


def hold(reason, remedy):
    """Held back: what was found, and what the operator can do."""
    return {"decision": "pending", "reason": reason, "remedy": remedy}


def not_applicable(reason):
    """The control makes no sense on this host."""
    return {"decision": "not_applicable", "reason": reason, "remedy": ""}


def named(containers):
    """Names of containers for a message; the first ten."""
    names = [one["name"] for one in containers]
    return ", ".join(names[:10]) + (" and %d more" % (len(names) - 10) if len(names) > 10 else "")


def running(facts):
    """The containers that run."""
    return [one for one in facts["containers"] if one["running"]]


def remapped(facts):
    """Whether the running daemon uses a user namespace."""
    return any(
        option.startswith("name=userns") for option in facts["info"].get("SecurityOptions", [])
    )


def bridge_netfilter(facts, _inputs, _control):
    """Traffic between containers of one bridge can be filtered only with br_netfilter."""
    if facts["bridge_netfilter"]["loadable"]:
        return None
    return hold(
        "br_netfilter is not active and cannot be loaded: dockerd would not start",
        "load br_netfilter at boot (/etc/modules-load.d), and remove it from modprobe's blacklists",
    )


def not_swarm(facts, _inputs, _control):
    """live-restore and swarm mode exclude each other."""
    if facts["info"].get("Swarm", "inactive") == "inactive":
        return None
    return not_applicable("this is a swarm node: dockerd refuses live-restore there")


def local_log_driver(facts, _inputs, _control):
    """Size limits exist for the drivers that write files on the host; with others they stop dockerd from starting."""
    configured = facts["flags"].get("log-driver") or facts["daemon_json"]["options"].get(
        "log-driver"
    )
    driver = configured or facts["info"].get("LoggingDriver") or "json-file"
    if driver in LOCAL_LOG_DRIVERS:
        return None
    return not_applicable(
        "the log driver is %s, which keeps no files of its own on this host" % driver
    )


def log_target_usable(facts, inputs, control):
    """With a target that is missing or does not answer, no container would start any more; where it is in force, none does."""
    driver, target = inputs.get("docker_daemon_log_driver"), inputs.get("docker_daemon_log_target")
    problem = logging.wrong(driver, target) or logging.unreadable(
        inputs.get("docker_daemon_log_tls_ca")
    )
    if problem:
        return hold(problem, "mend the input")
    problem = logging.unreachable(target)
    if not problem:
        return None
    if _logs_there(facts, driver, control):
        return hold(
            "IT IS IN FORCE, AND NO CONTAINER STARTS: %s" % problem,
            "start the collector, or open the way to it; or take it back for now: rollback.yml with "
            "hardhost_rollback_controls: [%s]" % control["id"],
        )
    return hold(
        "%s: no container would start with it" % problem,
        "start the collector, or open the way to it",
    )


def _logs_there(facts, driver, control):
    """Whether the running daemon sends logs where this control wants them: driver by driver, and by its file."""
    wanted = leaves(control["settings"].get("docker_daemon_options", {}))
    options = facts["daemon_json"]["options"]
    return facts["info"].get("LoggingDriver") == driver and all(
        satisfied(look(options, leaf), wish) for leaf, wish in wanted
    )


def no_mutual_tls(facts, _inputs, _control):
    """With `tlsverify` a TCP listener serves nobody without a certificate of ours: there is nothing to close."""
    given = dict(facts["daemon_json"]["options"], **facts["flags"])
    if given.get("tlsverify") is True:
        return {"decision": "report", "reason": "", "remedy": ""}
    return None


def seccomp_profile_readable(_facts, inputs, _control):
    """A missing or broken profile file stops dockerd from starting."""
    path = inputs.get("docker_daemon_seccomp_profile")
    if path in (None, "", "builtin"):
        return None
    if path == "unconfined":
        return hold(
            "docker_daemon_seccomp_profile is unconfined, which this control is there to prevent",
            "leave the input empty, or give the path of a profile",
        )
    try:
        json.loads((files.read(path) or b"").decode("utf-8"))
    except (OSError, ValueError):
        return hold(
            "the seccomp profile %s is not there or is no JSON: dockerd would not start" % path,
            "put the file on the host first, or leave docker_daemon_seccomp_profile empty",
        )
    return None


def nofile_within_daemon_limit(facts, _inputs, control):
    """Above the daemon's own limit the API answers and no container starts."""
    limit = (facts["process"] or {}).get("nofile")
    wanted = look(
        control["settings"]["docker_daemon_options"], ("default-ulimits", "nofile", "Hard")
    ).get("value")
    if limit is None or wanted is None or 0 <= wanted <= limit:
        return None
    return hold(
        "the daemon's own limit of open files is %d, below the wanted %d: no container would start"
        % (limit, wanted),
        "raise LimitNOFILE of docker.service, or lower docker_daemon_nofile_hard",
    )


def userns_switch(facts, inputs, _control):
    """Switching userns-remap on hides all that the daemon has; see `data_root_change`."""
    if remapped(facts):
        return None
    if not facts["user_namespaces"]["supported"] or facts["user_namespaces"]["maximum"] < 1:
        return hold(
            "user namespaces are off (user.max_user_namespaces is %d)"
            % facts["user_namespaces"]["maximum"],
            "set the sysctl user.max_user_namespaces above 0",
        )
    features = facts["daemon_json"]["options"].get("features")
    chosen = dict(
        facts["flags"].get("features") or {}, **(features if isinstance(features, dict) else {})
    )
    if str(chosen.get("containerd-snapshotter")).lower() == "true":
        return hold(
            "the containerd snapshotter is switched on, which does not work with userns-remap",
            "remove features.containerd-snapshotter, or except this control",
        )
    refused = [one for one in facts["containers"] if _needs_host_namespace(one)]
    if refused:
        return hold(
            "these containers are privileged or use the host's network or processes: %s"
            % named(refused),
            "re-create them with --userns=host, or remove them",
        )
    return data_root_change(facts, inputs)


def _needs_host_namespace(container):
    wide = container["privileged"] or "host" in (container["network_mode"], container["pid_mode"])
    return wide and container["userns_mode"] != "host"


def data_root_change(facts, inputs):
    """Whether the daemon may move to another data root: containers orphaned, or anything out of view, holds it back."""
    busy = running(facts)
    if busy and not inputs.get("docker_restart_stop_containers"):
        return hold(
            "containers are running, which would go on without a daemon: %s" % named(busy),
            "stop them, or set docker_restart_stop_containers: true",
        )
    hidden = _hidden(facts)
    if hidden and not inputs.get("docker_daemon_accept_data_root_change"):
        return hold(
            "the daemon would move to another data root and lose from view: %s" % hidden,
            "save what you need and set docker_daemon_accept_data_root_change: true; nothing is deleted",
        )
    return None


def _hidden(facts):
    counts = [
        (len(facts["containers"]), "container"),
        (facts["images"], "image"),
        (facts["volumes"], "volume"),
        (len(facts["networks"]), "network"),
    ]
    parts = [
        "%d %s%s" % (number, word, "" if number == 1 else "s") for number, word in counts if number
    ]
    if facts["info"].get("Swarm", "inactive") != "inactive":
        parts.append("swarm state")
    return ", ".join(parts)


def selinux_labels_usable(facts, _inputs, control):
    """Labels for containers need a kernel with SELinux, and a policy that knows the type they start with."""
    if not facts["selinux"]["enabled"]:
        if control["mode"] == "report":
            return not_applicable("SELinux is off on this host")
        if containment.kind():
            return not_applicable("this host shares its kernel with others")
        return policy_for_containers(facts) or hold(
            "SELinux is off on this host: dockerd would ignore it",
            "first what mandatory_access/selinux_enforcing says",
        )
    return policy_for_containers(facts)


def policy_for_containers(facts):
    """Whether there is a policy, loaded or to be had, under which containers could run."""
    known = selinux_store.policy(facts["selinux"], facts["os"]["family"])
    if known == "unlisted":
        return hold(
            "whether there is an SELinux policy for containers is not known: this host has no package lists",
            "apt-get update, and run again",
        )
    if known != "unknown":
        return None
    return not_applicable(
        "no SELinux policy that knows container_t is there for %s; containers could not be "
        "confined by it" % facts["os"]["pretty"]
    )


def selinux_storage(facts, inputs, _control):
    """Another storage driver has another place for images: what is there now would go out of sight."""
    if facts["info"].get("Driver") in (None, "overlay2"):
        return None
    return data_root_change(facts, inputs)


PRECONDITIONS = {
    "bridge_netfilter": bridge_netfilter,
    "local_log_driver": local_log_driver,
    "log_target_usable": log_target_usable,
    "no_mutual_tls": no_mutual_tls,
    "nofile_within_daemon_limit": nofile_within_daemon_limit,
    "not_swarm": not_swarm,
    "seccomp_profile_readable": seccomp_profile_readable,
    "selinux_labels_usable": selinux_labels_usable,
    "selinux_storage": selinux_storage,
    "userns_switch": userns_switch,
}
