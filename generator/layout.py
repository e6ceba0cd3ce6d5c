"""What the generator knows about roles by name: their order on a host, and their ways."""

from __future__ import annotations

# The order of the second play. A role that is not named here comes before the last one.
ORDER = (
    "undo",
    "host_patching",
    "kernel",
    "mandatory_access",
    "docker_engine",
    "docker_daemon",
    "docker_files",
    "docker_access",
    "docker_firewall",
    "docker_audit",
    "image_trust",
)
LAST = ("docker_restart",)

# Roles that no project works without.
ALWAYS = frozenset({"preflight", "docker_restart", "undo"})

# The check that proves a role's ordinary controls; other roles name it in `meta/hardhost.yml`.
MECHANISM_CHECKS = {
    "docker_daemon": "daemon_option",
    "docker_files": "path_permissions",
    "docker_engine": "engine_present",
}

# Role variables that the playbooks fill or that only the inventory sets: never a profile's inputs.
NOT_INPUTS = frozenset(
    {
        "preflight_scope",
        "preflight_scope_controls",
        "preflight_scope_run",
        "undo_scope",
        "undo_scope_run",
        "undo_controls",
        "hardhost_apply",
        "hardhost_exceptions",
    }
)


def play_order(roles: frozenset[str]) -> tuple[str, ...]:
    """The roles of the second play in the order in which they run."""
    known = [role for role in ORDER if role in roles]
    last = [role for role in LAST if role in roles]
    others = sorted(roles - set(known) - set(last) - {"preflight"})
    return (*known, *others, *last)
