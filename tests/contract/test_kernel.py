"""No control takes Docker's ground away, and the role says so for those that people may write."""

from __future__ import annotations

from pathlib import Path

import pytest

from generator.catalog import load_catalog
from generator.content import find_content
from generator.controls import check_controls
from generator.errors import InvalidContent, Problems

BREAKS_DOCKER = [
    ("kernel_sysctls", "net.ipv4.ip_forward", 0, "none of them reaches anything"),
    ("kernel_sysctls", "net.ipv4.conf.all.forwarding", 0, "none of them reaches anything"),
    ("kernel_sysctls", "net.bridge.bridge-nf-call-iptables", 0, "pass by Docker's rules"),
    ("kernel_sysctls", "user.max_user_namespaces", 0, "dockerd would not start"),
    ("kernel_sysctls", "user.max_pid_namespaces", 0, "none would start"),
    ("kernel_sysctls", "user.max_uts_namespaces", 0, "none would start"),
    ("kernel_sysctls", "kernel.modules_disabled", 1, "until the next boot"),
    ("kernel_sysctls", "net.ipv4.ip_*", 0, "none of them reaches anything"),
    ("kernel_sysctls", "user.max_*", 0, "none would start"),
    ("kernel_sysctls", "net/ipv4/ip_forward", 0, "none of them reaches anything"),
    ("kernel_sysctls", "net/ipv4/conf/eth0.100/forwarding", 0, "none of them reaches anything"),
    ("kernel_sysctls", "net.ipv4.conf.default.rp_filter", 1, "2 (loose) is safe"),
    ("kernel_modules", "br_netfilter", "blocked", "dockerd would not start"),
    ("kernel_modules", "overlay", "blocked", "would not start"),
    ("kernel_modules", "br-netfilter", "blocked", "dockerd would not start"),
    ("kernel_modules", "stp", "blocked", "bridge needs it"),
    ("kernel_modules", "ip_tables", "blocked", "translates addresses"),
    ("kernel_modules", "ip6table_nat", "blocked", "translates addresses"),
    ("kernel_modules", "x_tables", "blocked", "translates addresses"),
    ("kernel_modules", "xt-conntrack", "blocked", "rules are made of it"),
    ("kernel_modules", "nft_compat", "blocked", "rules are made of it"),
    ("kernel_modules", "nfnetlink", "blocked", "reached through it"),
]
HARMLESS = [
    ("kernel_sysctls", "net.ipv4.ip_forward", 1),
    ("kernel_sysctls", "net.ipv4.conf.all.rp_filter", 2),
    ("kernel_sysctls", "user.max_inotify_watches", 0),
    ("kernel_sysctls", "net.ipv4.conf.*.send_redirects", 0),
    ("kernel_sysctls", "kernel.modules_disabled", 0),
    ("kernel_modules", "overlay", "loaded"),
    ("kernel_modules", "udf", "blocked"),
]
CONTROL = """\
title: A control of somebody's own
severity: low
disruption: none
rationale: Somebody has read it in a guide for hosts without containers.
impact: That is what the test is about.
settings: {{{variable}: {{"{name}": {value}}}}}
"""


def told(directory: Path, variable: str, name: str, value: object) -> str:
    """What is wrong with the shipped roles and one control more in the role kernel."""
    content = find_content()
    roles = directory / "roles"
    roles.mkdir()
    for path in (content.root / "roles").iterdir():
        (roles / path.name).symlink_to(path)
    (roles / "kernel").unlink()
    own = roles / "kernel"
    (own / "controls").mkdir(parents=True)
    for path in (content.root / "roles/kernel").iterdir():
        if path.name != "controls":
            (own / path.name).symlink_to(path)
    (own / "controls/own.yml").write_text(CONTROL.format(variable=variable, name=name, value=value))
    problems = Problems()
    catalog, loaded = load_catalog(content._replace(roles=(roles,)), problems)
    check_controls(loaded, catalog, None, problems)
    try:
        problems.raise_if_any()
    except InvalidContent as error:
        return str(error)
    return ""


@pytest.mark.parametrize(("variable", "name", "value", "why"), BREAKS_DOCKER)
def test_what_breaks_docker_is_an_error_that_explains(
    tmp_path: Path, variable: str, name: str, value: object, why: str
) -> None:
    text = told(tmp_path, variable, name, value)
    assert f"{name} must not be {value}" in text
    assert why in text


@pytest.mark.parametrize(("variable", "name", "value"), HARMLESS)
def test_what_does_not_is_none(tmp_path: Path, variable: str, name: str, value: object) -> None:
    assert told(tmp_path, variable, name, value) == ""
