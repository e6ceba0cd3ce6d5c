"""Docker Content Trust by client version, server and place."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible.module_utils import hardhost_content_trust as content_trust


@pytest.mark.parametrize(
    ("client", "known"),
    [
        ("20.10.24+dfsg1", True),
        ("26.1.5", True),
        ("28.5.2", True),
        ("29.0.0", False),
        ("29.1.3", False),
        ("", False),
    ],
)
def test_clients_lost_it_in_29(client: str, known: bool) -> None:
    assert content_trust.known_to(client) is known


@pytest.mark.parametrize(
    ("server", "why"),
    [
        ("https://notary.example.org:4443", ""),
        ("https://notary.example.org", ""),
        ("http://notary.example.org", "must be https"),
        ("https://notary.docker.io", "2026-12-08"),
        ("https://Notary.Docker.io/", "2026-12-08"),
        ("https://a.test; reboot", "must be https"),
        ("https://a.test\nX=1", "must be https"),
        ("", "must be https"),
    ],
)
def test_servers(server: str, why: str) -> None:
    found = content_trust.refused(server)
    assert why in found
    assert bool(found) == bool(why)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("export DOCKER_CONTENT_TRUST=1", [("DOCKER_CONTENT_TRUST", "1")]),
        ('Environment="DOCKER_CONTENT_TRUST=1" "A=b"', [("DOCKER_CONTENT_TRUST", "1")]),
        ("DOCKER_CONTENT_TRUST DEFAULT=1", [("DOCKER_CONTENT_TRUST", "1")]),
        ("* * * * * root DOCKER_CONTENT_TRUST=1 docker pull a", [("DOCKER_CONTENT_TRUST", "1")]),
        ("export DOCKER_CONTENT_TRUST_SERVER='https://a.test:4443'",
         [("DOCKER_CONTENT_TRUST_SERVER", "https://a.test:4443")]),
        ("# export DOCKER_CONTENT_TRUST=1", []),
        ("MY_DOCKER_CONTENT_TRUST_X=1", []),
        ('Defaults env_keep += "DOCKER_CONTENT_TRUST"', []),
    ],
)  # fmt: skip
def test_assignments_in_all_kinds_of_files(line: str, found: list[tuple[str, str]]) -> None:
    assert [(one["variable"], one["value"]) for one in content_trust.assignments(line)] == found


def given(where: str, value: str = "1", server: str = "") -> list[dict[str, str]]:
    found = [{"where": where, "variable": content_trust.VARIABLE, "value": value}]
    if server:
        found.append({"where": where, "variable": content_trust.SERVER, "value": server})
    return found


OWN, PUBLIC = "https://notary.example", "https://notary.docker.io"


@pytest.mark.parametrize(
    ("found", "client", "saying"),
    [
        (given("/etc/environment"), "26.1.5", "pulls by tag fail"),
        (given("/etc/environment", server=PUBLIC), "26.1.5", "2026-12-08"),
        (given("/etc/environment", server=OWN), "26.1.5", ""),
        (given("/etc/environment", server=OWN), "29.1.3", "does not know it any more"),
        (given("/etc/environment", value="0"), "29.1.3", ""),
        (given("/etc/environment", value="yes"), "28.5.2", "pulls by tag fail"),
        (given("process dockerd", server=OWN), "20.10.24", "dockerd does not read it"),
        (
            given("/etc/systemd/system/docker.service.d/a.conf", server=OWN),
            "26.1.5",
            "dockerd does not",
        ),
        (given("process sh") + given("/etc/profile.d/a.sh", server=OWN), "26.1.5", ""),
        (given("process sh", value="1"), "", "pulls by tag fail"),
    ],
)
def test_what_breaks_pulls_or_does_nothing(
    found: list[dict[str, str]], client: str, saying: str
) -> None:
    problems = content_trust.ineffective(found, client)
    assert bool(problems) == bool(saying)
    assert saying in "; ".join(problems)


def test_leftovers_are_found_in_globs_and_homes(tmp_path: Path) -> None:
    (tmp_path / ".bashrc").write_text("export DOCKER_CONTENT_TRUST=1\n")
    (tmp_path / "a.sh").write_text("true\n")
    found = content_trust.leftovers([("me", str(tmp_path))], ["~/.bashrc", str(tmp_path / "*.sh")])
    assert [one["where"] for one in found] == [str(tmp_path / ".bashrc")]


def test_processes_are_read_without_those_in_containers() -> None:
    assert isinstance(content_trust.processes(), list)


def test_the_lines_of_others_stay_in_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "environment"
    file.write_text("A=1\nOLD=1\nB=2\n")
    monkeypatch.setattr(content_trust, "ENVIRONMENT", str(file))
    assert content_trust.with_lines(["NEW=1", "A=1"], ["OLD=1"]) == b"A=1\nB=2\nNEW=1\n"


ROOT = '{"signed": {"roles": {"root": {"keyids": ["b", "a"], "threshold": 1}}}}'


@pytest.mark.parametrize(
    ("changed", "saying"),
    [
        ({"units": ["../x.service"]}, "no name of a service"),
        ({"units": ["docker"]}, "no name of a service"),
        ({"roots": {"../../x": ROOT}}, "no registry/path"),
        ({"roots": {"a.test/app": "{}"}}, "no root.json"),
        ({"ca": "x"}, "no certificate in PEM"),
        ({"users": ["nobody-of-this-name"]}, "there is no user"),
        ({"users": ["daemon"]}, "neither root nor of the group docker"),
        ({"roots": {"a.test/app": ROOT}, "users": ["root"], "units": ["a@b.service"]}, ""),
    ],
)
def test_what_cannot_be_meant_is_said(changed: dict[str, object], saying: str) -> None:
    found = content_trust.wrong({"server": OWN, **changed})
    assert bool(found) == bool(saying), found
    assert saying in "; ".join(found)


def test_root_keys_are_told_from_their_metadata() -> None:
    assert content_trust.root_keys(ROOT) == ("a", "b")
    assert content_trust.root_keys("no json") == ()
