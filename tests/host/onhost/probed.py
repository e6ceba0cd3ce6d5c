"""The controls that have a probe: known on both sides, so that only their settings are sent.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

PROBED = (
    "docker_daemon/default_ulimits",
    "docker_daemon/icc",
    "docker_daemon/log_rotation",
    "docker_daemon/no_new_privileges",
    "docker_daemon/seccomp_default",
    "docker_daemon/userns_remap",
    "docker_engine/engine_present",
)
