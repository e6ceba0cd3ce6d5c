"""The controls that have a probe: known on both sides, so that only their settings are sent.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

AUDITED = (
    "docker_audit/containerd",
    "docker_audit/containerd_config",
    "docker_audit/containerd_data",
    "docker_audit/containerd_service_unit",
    "docker_audit/containerd_socket",
    "docker_audit/daemon_json",
    "docker_audit/default_docker",
    "docker_audit/docker_data",
    "docker_audit/docker_service_unit",
    "docker_audit/docker_socket",
    "docker_audit/docker_socket_unit",
    "docker_audit/dockerd",
    "docker_audit/etc_docker",
    "docker_audit/run_containerd",
    "docker_audit/runc",
    "docker_audit/security_profiles",
    "docker_audit/shims",
    "docker_audit/subordinate_ids",
    "docker_audit/sysconfig_docker",
)

PROBED = (
    *AUDITED,
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
    "docker_daemon/selinux_labels",
    "docker_daemon/userland_proxy",
    "docker_daemon/userns_remap",
    "docker_engine/engine_present",
    "kernel/af_alg_blocked",
    "mandatory_access/apparmor_container_profile",
    "mandatory_access/apparmor_docker_default",
    "mandatory_access/selinux_container_policy",
)
