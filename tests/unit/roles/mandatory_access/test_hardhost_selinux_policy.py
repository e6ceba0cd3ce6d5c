"""The text of our module: what it promises to refuse it denies, whatever else grants it."""

from __future__ import annotations

import re

from ansible.module_utils import hardhost_selinux_policy as policy

SETS = re.findall(
    r"\(classpermissionset hardhost_container_refused \((\w+) \(([^)]*)\)\)\)", policy.TEXT
)
DENIED = {(kind, one) for kind, permissions in SETS for one in permissions.split()}
FILES = {
    (target, one)
    for target, permissions in re.findall(
        r"\(deny hardhost_container_t (\w+) \(file \(([^)]*)\)\)\)", policy.TEXT
    )
    for one in permissions.split()
}


def test_every_refusal_is_denied_and_not_only_not_granted() -> None:
    assert "(deny hardhost_container_t self hardhost_container_refused)" in policy.TEXT
    own = {(kind, one) for kind, one, target in policy.REFUSED if target == policy.CONTEXT}
    assert own <= DENIED
    assert len(own) > 30
    of_files = {one for kind, one, target in policy.REFUSED if target != policy.CONTEXT}
    assert of_files == {"write", "read"}
    assert {("sysctl_type", "write"), ("modules_object_t", "read")} <= FILES


def test_nothing_is_denied_that_is_granted() -> None:
    granted = {(kind, one) for kind, one, target in policy.GRANTED if target == policy.CONTEXT}
    assert granted
    assert not granted & DENIED
    allowed = re.findall(r"\(allow hardhost_container_t self\s+\((\w+) \(([^)]*)", policy.TEXT)
    assert len(allowed) > 4
    assert not {(kind, one) for kind, words in allowed for one in words.split()} & DENIED


def test_a_kind_of_socket_that_the_policy_lacks_takes_no_other_rule_with_it() -> None:
    for one in policy.SOCKETS:
        rule = f"(optional hardhost_container_no_{one} (classpermissionset"
        assert rule in policy.TEXT
    kept = {"tcp_socket", "udp_socket", "unix_stream_socket", "unix_dgram_socket"}
    assert not kept.union({"netlink_route_socket"}) & set(policy.SOCKETS)


def test_brackets_are_closed() -> None:
    text = re.sub(r'"[^"]*"', "", re.sub(r"^;.*$", "", policy.TEXT, flags=re.MULTILINE))
    assert text.count("(") == text.count(")")
