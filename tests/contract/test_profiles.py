"""The shipped profiles hold what the project promises of them."""

from __future__ import annotations

import pytest

from generator.commands.load import load
from generator.content import find_content
from generator.environments import load_environments
from generator.model import Profile
from generator.resolve import resolve

LIBRARY = load(find_content())
PROFILES = LIBRARY.profiles

LINEAGES = {
    "baseline": (),
    "development": ("baseline",),
    "production": ("baseline",),
    "staging": ("production", "baseline"),
    "cis_level1": ("baseline",),
    "cis_level2": ("cis_level1", "baseline"),
    "strict": ("cis_level2", "cis_level1", "baseline"),
}

# What could lock an operator out or put containers out of sight, written down by hand.
APPLIED_BY = {
    "docker_daemon/userns_remap": {"production", "staging", "cis_level2", "strict"},
    "docker_daemon/icc": set(LINEAGES) - {"baseline"},
    "docker_daemon/no_new_privileges": set(LINEAGES) - {"baseline"},
    "docker_daemon/live_restore": set(LINEAGES),
    "docker_daemon/log_level": set(LINEAGES),
    "docker_daemon/log_rotation": set(LINEAGES),
    "docker_daemon/seccomp_default": set(LINEAGES),
    "docker_daemon/default_ulimits": {
        "production",
        "staging",
        "cis_level1",
        "cis_level2",
        "strict",
    },
    "docker_daemon/no_debug": {"production", "staging", "cis_level1", "cis_level2", "strict"},
    "docker_daemon/no_plain_tcp": set(),
    "docker_daemon/userland_proxy": {"cis_level1", "cis_level2", "strict"},
    "docker_daemon/log_destination": {"cis_level2", "strict"},
    "docker_daemon/no_insecure_registries": {"cis_level1", "cis_level2", "strict"},
    "docker_daemon/iptables_managed": set(),
    "docker_daemon/default_cgroup": set(),
    "docker_daemon/icc_user_networks": {"strict"},
    "docker_daemon/publish_on_loopback": {"strict"},
    "docker_daemon/publish_on_loopback_networks": {"strict"},
    "docker_daemon/minimum_api_version": {"strict"},
    "kernel/magic_sysrq": set(LINEAGES),
    "kernel/docker_modules_loaded": set(LINEAGES),
    "kernel/bridge_netfilter_loaded": set(LINEAGES) - {"baseline"},
    "kernel/no_kexec": {"cis_level2", "strict"},
    "kernel/no_unprivileged_bpf": {"cis_level2", "strict"},
    "kernel/af_alg_blocked": {"production", "staging", "cis_level2", "strict"},
    "docker_files/daemon_json": {"production", "staging", "cis_level1", "cis_level2", "strict"},
    "docker_engine/engine_present": set(LINEAGES),
    "docker_access/docker_group_members": set(LINEAGES) - {"baseline", "development"},
    "docker_access/docker_socket": set(LINEAGES) - {"baseline", "development"},
    "docker_daemon/tls_mutual": set(),
    "docker_firewall/published_ports": set(),
}


def applied(profile: Profile) -> set[str]:
    return {name for name, member in profile.members.items() if member.mode == "apply"}


def test_these_profiles_are_shipped() -> None:
    assert {name: profile.lineage[1:] for name, profile in PROFILES.items()} == LINEAGES


@pytest.mark.parametrize("control", sorted(APPLIED_BY))
def test_who_applies_it(control: str) -> None:
    assert {name for name, one in PROFILES.items() if control in applied(one)} == APPLIED_BY[
        control
    ]


def test_an_open_tcp_socket_is_reported_everywhere() -> None:
    modes = {one.members["docker_daemon/no_plain_tcp"].mode for one in PROFILES.values()}
    assert modes == {"report"}


def test_baseline_restarts_nothing_but_the_daemon() -> None:
    disruptions = {
        LIBRARY.catalog.controls[name].file.disruption for name in applied(PROFILES["baseline"])
    }
    assert disruptions <= {"none", "reload", "restart"}


def test_staging_is_production_but_for_its_inputs() -> None:
    def modes(name: str) -> dict[str, str]:
        return {control: member.mode for control, member in PROFILES[name].members.items()}

    assert modes("staging") == modes("production")


@pytest.mark.parametrize("name", sorted(LINEAGES))
def test_live_restore_is_applied_wherever_a_restart_is(name: str) -> None:
    assert "docker_daemon/live_restore" in applied(PROFILES[name])


@pytest.mark.parametrize("name", sorted(LINEAGES))
def test_no_shipped_profile_makes_exceptions(name: str) -> None:
    assert not PROFILES[name].waivers


@pytest.mark.parametrize("name", sorted(LINEAGES))
def test_no_shipped_profile_says_who_is_let_in(name: str) -> None:
    """Without a list of the operator's, nobody is taken out of the group, and no port is opened."""
    plan = resolve(LIBRARY.catalog, PROFILES[name])
    for given in ("docker_access_members", "docker_daemon_tls_names", "docker_firewall_allow"):
        assert given not in plan.inputs or plan.inputs[given].value == []


@pytest.mark.parametrize("name", sorted(LINEAGES))
def test_no_shipped_profile_orders_a_stop_of_containers(name: str) -> None:
    plan = resolve(LIBRARY.catalog, PROFILES[name])
    assert plan.inputs["docker_restart_stop_containers"].value is False
    assert plan.inputs["docker_daemon_accept_data_root_change"].value is False


def test_the_example_environments_load() -> None:
    path = LIBRARY.content.root / "environments.example.yml"
    environments = load_environments(path, LIBRARY.catalog, PROFILES)
    assert {"development", "staging", "production"} <= environments.keys()
