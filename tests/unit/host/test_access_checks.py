"""Who may talk to the daemon: what passes, what fails, and what waits for a session or a start."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from verdict import ObservedHost, Verdict

ADDRESS = "127.0.0.1:2376"
SOCKET = "/run/docker.sock"
CONTROL = {"id": "a/b"}


def run(name: str, role: str, found: dict[str, Any], **settings: Any) -> Verdict:
    check = importlib.import_module(f"checks.{name}").check
    artifact = {"decisions": {"a/b": {"settings": settings}}}
    host = ObservedHost("db1", {"surfaces": {role: found}})
    verdict: Verdict = check(host, CONTROL, artifact)
    return verdict


def group(**changed: Any) -> dict[str, Any]:
    strangers = {"listed": changed.pop("listed", []), "primary": changed.pop("primary", [])}
    return {"members": ["deploy"], "strangers": strangers, "missing": [], "holders": {}, **changed}


@pytest.mark.parametrize(
    ("changed", "status", "words"),
    [
        ({}, "pass", "members: deploy"),
        ({"members": []}, "pass", "members: nobody"),
        ({"listed": ["leaver"]}, "fail", "belongs to the group and is not named: leaver"),
        ({"primary": ["resident"]}, "fail", "has it as primary group"),
        ({"missing": ["deploy"]}, "fail", "does not belong to the group: deploy"),
        ({"holders": {"leaver": [7, 8]}}, "pending", "leaver (2 processes)"),
        ({"listed": ["x"], "holders": {"x": [7]}}, "fail", "not named: x"),
    ],
)
def test_members(changed: dict[str, Any], status: str, words: str) -> None:
    verdict = run("docker_group_members", "docker_access", {"group": group(**changed)})
    assert (verdict.status, words in verdict.reason) == (status, True), verdict.reason


@pytest.mark.parametrize("found", [{}, {"group": None}])
def test_no_group_is_no_pass(found: dict[str, Any]) -> None:
    assert run("docker_group_members", "docker_access", found).status == "fail"


def made(live: str | None, following: str = "root docker 0660") -> dict[str, Any]:
    owner, name, mode = following.split()
    after = {"maker": "docker.socket", "user": owner, "group": name, "mode": mode}
    now = dict(zip(("owner", "group", "mode"), live.split(), strict=True)) if live else None
    return {"sockets": {SOCKET: {"live": now, "next": after}}}


@pytest.mark.parametrize(
    ("found", "status", "words"),
    [
        (made("root docker 0660"), "pass", "/run/docker.sock is root:docker 0660"),
        (made("root docker 0600"), "pass", "0600"),
        (made("root docker 0666"), "fail", "is root:docker 0666, wanted is"),
        (made("root users 0660"), "fail", "root:users"),
        (made("me docker 0660"), "fail", "me:docker"),
        (made(None), "fail", "there is no /run/docker.sock"),
        (made("root docker 0660", "root docker 0666"), "fail", "makes the next one"),
        (made("root docker 0660", "root docker rw"), "fail", "makes the next one"),
    ],
)
def test_sockets(found: dict[str, Any], status: str, words: str) -> None:
    rule = {SOCKET: {"owner": "root", "group": "docker", "mode": "0660"}}
    verdict = run("socket_access", "docker_access", found, docker_access_sockets=rule)
    assert (verdict.status, words in verdict.reason) == (status, True), verdict.reason


def tls(**changed: Any) -> dict[str, Any]:
    found = {"running": True, "following": True, "serves": "file", "answer": False}
    return {"tls": {**found, "refusal": "TLSV13_ALERT_CERTIFICATE_REQUIRED", **changed}}


@pytest.mark.parametrize(
    ("changed", "status", "words"),
    [
        ({}, "pass", "is turned away"),
        ({"answer": True}, "fail", "serves its API to a client without a certificate"),
        ({"answer": True, "following": False}, "fail", "serves its API"),
        ({"following": False}, "fail", "next start does not ask"),
        ({"running": False}, "pending", "restart it"),
        ({"serves": "other"}, "pending", "another certificate"),
        ({"serves": "missing"}, "fail", "not on the host yet"),
        ({"serves": "", "refusal": "Connection refused"}, "fail", "hears: Connection refused"),
        ({"refusal": ""}, "fail", "hears: nothing"),
    ],
)
def test_mutual_tls(changed: dict[str, Any], status: str, words: str) -> None:
    settings = {"address": ADDRESS}
    verdict = run("tls_mutual", "docker_daemon", tls(**changed), docker_daemon_tls=settings)
    assert (verdict.status, words in verdict.reason) == (status, True), verdict.reason
