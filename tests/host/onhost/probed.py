"""The controls that have a probe: known on both sides, so that only their settings are sent.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

PROBED = (
    "docker_daemon/cgroup_namespace_private",
    "docker_daemon/default_ulimits",
    "docker_daemon/icc",
    "docker_daemon/icc_user_networks",
    "docker_daemon/ipc_private",
    "docker_daemon/log_destination",
    "docker_daemon/log_rotation",
    "docker_daemon/minimum_api_version",
    "docker_daemon/no_new_privileges",
    "docker_daemon/publish_on_loopback",
    "docker_daemon/publish_on_loopback_networks",
    "docker_daemon/seccomp_default",
    "docker_daemon/userland_proxy",
    "docker_daemon/userns_remap",
    "docker_engine/engine_present",
)
