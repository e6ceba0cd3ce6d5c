"""A host full of secrets is read, hardened, proved and put back; none of them gets out."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hosts import planting
from tests.hosts.container_host import Host, find
from tests.hosts.project import Project, hardhost, render

LOUD = "-vvv"


@pytest.fixture(scope="module")
def host() -> Host:
    host = find("secrets13")
    planting.plant(host)
    return host


@pytest.fixture(scope="module")
def project(host: Host, memory: Path) -> Project:
    shutil.rmtree(memory / "project", ignore_errors=True)
    project = render("cis_level2", memory / "project", [host])
    project.give(
        docker_restart_stop_containers=True,
        vaulted_password=f"{planting.MARK}-inventory",
        docker_daemon_tls_key_pem=planting.KEY.replace("tls-key", "secret-input"),
    )
    return project


@pytest.fixture(autouse=True)
def nothing_stays(host: Host, project: Project) -> Iterator[None]:
    """After each case: artifacts, the host's files and its journal hold no secret."""
    yield
    assert planting.below(project.directory, but="group_vars") == []
    assert planting.on_host(host) == []
    assert planting.in_journal(host) == []


def silent(**texts: str) -> None:
    """Nothing of what was said holds a secret; and something was said."""
    assert all(len(text) > 200 for text in texts.values()), texts
    assert planting.in_texts(texts) == []


def test_the_search_finds_what_is_planted(host: Host) -> None:
    """The positive control: a search that finds nothing proves nothing."""
    raw = host.out("cat /etc/docker/daemon.json /etc/docker/tls/key.pem; docker inspect holder")
    marks = ("proxy", "quoted", "log-token", "tls-key", "container-environment", "container-label")
    lines = planting.in_texts({"host": raw})
    assert [
        mark for mark in marks if not any(f"{planting.MARK}-{mark}" in one for one in lines)
    ] == []
    host.sh(f"echo {planting.MARK} > /tmp/leftover; logger -t hardhost {planting.MARK}-logged")
    assert planting.on_host(host) == ["/tmp/leftover"]
    assert len(planting.in_journal(host)) == 1
    host.sh(
        "rm /tmp/leftover; journalctl --rotate; journalctl --vacuum-time=1s; journalctl --flush"
    )
    host.sh("rm -rf /run/log/journal/*/*@* /var/log/journal/*/*@*")


def test_looking(host: Host, project: Project) -> None:
    read = project.play("preflight", LOUD)
    read.assert_unchanged(host)
    checked = project.play("site", LOUD, "--check", "--diff")
    checked.assert_converged(host)
    assert "(hidden)" in checked.text
    assert '"no-proxy": "localhost"' in checked.text, "what is no secret is shown"
    silent(preflight=read.text, check=checked.text)


def test_an_input_with_a_password(host: Host, project: Project) -> None:
    """It is refused by name, before it can get into plans, artifacts and reports."""
    address = f"http://ops:{planting.MARK}-input@127.0.0.1:9"
    project.give(docker_daemon_log_max_size=address)
    run = project.play("preflight", LOUD)
    project.give(docker_daemon_log_max_size="10m")
    run.assert_failed(host, saying="docker_daemon_log_max_size holds a password or token")
    silent(refused=run.text)


def test_a_file_that_no_daemon_has_started_with(host: Host, project: Project) -> None:
    """Its address holds a password; the restart is withheld, and no difference shows it."""
    good = host.sh("cat /etc/docker/daemon.json").stdout
    address = f"https://ops:{planting.MARK}-mirror@mirror.example.org"
    planting.put(
        host,
        "/etc/docker/daemon.json",
        good.decode().replace('"tlskey"', f'"registry-mirrors": ["{address}"],\n  "tlskey"', 1),
    )
    run = project.play("site", LOUD, "--check", "--diff")
    host.sh("cat > /etc/docker/daemon.json && systemctl restart docker", stdin=good)
    assert run.code == 0, run.text
    assert "restart Docker by hand first" in " ".join(run.text.split())
    silent(withheld=run.text)


def test_a_daemon_that_fails_and_talks(host: Host, project: Project) -> None:
    """The restart is taken back, and its reason told from the daemon's last words."""
    planting.let_the_engine_talk(host, "no-new-privileges")
    run = project.play("site", LOUD, "--diff")
    planting.let_it_be(host)
    run.assert_failed(host, saying="the old daemon.json is in force again")
    assert "http://(hidden)@127.0.0.1:9: refused, splunk-token=(hidden)" in " ".join(
        run.text.split()
    )
    silent(failed=run.text)


def test_hardening(host: Host, project: Project) -> None:
    run = project.play("site", LOUD, "--diff")
    run.assert_converged(host)
    assert run.recap(host)["changed"] > 0, run.text
    again = project.play("site", LOUD, "--diff")
    again.assert_unchanged(host)
    silent(first=run.text, again=again.text)


def test_proof(host: Host, project: Project, memory: Path) -> None:
    junit, report = memory / "report.xml", memory / "report.json"
    words = ["verify", project.directory, "-i", project.inventory, "--probe", "--format", "json"]
    run = hardhost(*map(str, words), "--report", str(report), "--junit", str(junit))
    assert host.name in report.read_text(), run.text
    silent(said=run.text, report=report.read_text(), junit=junit.read_text())


def test_putting_back(host: Host, project: Project) -> None:
    assert planting.kept_for_others(host) == []
    run = project.play("rollback", LOUD, "--diff")
    run.assert_converged(host)
    silent(rollback=run.text)
    assert planting.found(host.sh("cat /etc/docker/daemon.json").stdout), "the secrets are back"
