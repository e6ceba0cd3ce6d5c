"""What keeps packages from being installed: each is said, names its source, and leaves every package whole."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from tests.hosts.package_lab import REPOSITORY, Lab, demo
from tests.hosts.project import Project, Run
from tests.hosts.steps import LONG

SHORT_FORM_ON = "patching13"
# Nobody answers there, and no name server is needed to find that out.
NOWHERE = "http://127.0.0.1:9/debian"
HOLD_LOCK = """
import fcntl, sys
lock = open('/var/lib/dpkg/lock-frontend', 'w')
fcntl.lockf(lock, fcntl.LOCK_EX)
print('held', flush=True)
sys.stdin.read()
"""


@pytest.fixture
def pending(lab: Lab) -> Iterator[Lab]:
    """A host with one update pending, and in order again afterwards."""
    lab.newest = f"{float(lab.version('demo')) + 0.1:.1f}"
    lab.publish([demo(lab, lab.newest)])
    lab.sources()
    yield lab
    lab.sources()


def converge(project: Project, lab: Lab) -> Run:
    return project.play(limit=lab.host.name)


def assert_refused(project: Project, lab: Lab, *saying: str) -> None:
    """The run fails with these words, and no package is another one or in another state than before."""
    before = lab.dpkg()
    run = converge(project, lab)
    for text in saying:
        run.assert_failed(lab.host, saying=text)
    assert lab.dpkg() == before


def assert_converges(project: Project, lab: Lab) -> None:
    converge(project, lab).assert_converged(lab.host)
    assert lab.version("demo") == lab.newest


def test_somebody_else_is_at_work(pending: Lab, project: Project) -> None:
    words = ["docker", "exec", "-i", pending.host.container, "python3", "-c", HOLD_LOCK]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        assert_refused(
            project, pending, "/var/lib/dpkg/lock-frontend is held by python3", "5 seconds"
        )
        other.communicate()


@LONG
def test_a_source_that_cannot_be_reached(pending: Lab, project: Project) -> None:
    pending.sources(f"deb [signed-by={REPOSITORY}/good.asc] {NOWHERE} {pending.suite} main\n")
    assert_refused(project, pending, "it cannot be reached", "127.0.0.1:9", "nothing was installed")


@LONG
def test_a_source_that_is_not_there(pending: Lab, project: Project) -> None:
    pending.sources(f"deb [signed-by={REPOSITORY}/good.asc] file:{REPOSITORY} nosuch main\n")
    assert_refused(project, pending, "it has no such index", f"file:{REPOSITORY} nosuch")


def test_a_source_whose_key_has_expired(pending: Lab, project: Project) -> None:
    pending.publish([f"demo_{pending.newest}"], key="expired")
    pending.sources(
        f"deb [signed-by={REPOSITORY}/expired.asc] file:{REPOSITORY} {pending.suite}-security main\n"
    )
    assert_refused(project, pending, "its signing key has expired", f"{pending.suite}-security")


@LONG
def test_a_source_that_nobody_signs(pending: Lab, project: Project) -> None:
    pending.publish([f"demo_{pending.newest}"], key="none")
    assert_refused(project, pending, "it is not signed", f"{pending.suite}-security")


def test_a_package_that_cannot_be_fetched(pending: Lab, project: Project) -> None:
    pool = f"{REPOSITORY}/pool"
    pending.host.sh(
        f"apt-get clean; mkdir {pool}.away && mv {pool}/demo_{pending.newest}* {pool}.away"
    )
    assert_refused(project, pending, "packages could not be fetched, nothing was installed", "demo")
    pending.host.sh(f"mv {pool}.away/* {pool} && rmdir {pool}.away")


@LONG
def test_a_package_whose_script_fails(pending: Lab, project: Project) -> None:
    """dpkg is left half-way by the package, which is said, and said again by the next run."""
    broken = pending.package("plain", "8.0", postinst="#!/bin/sh\necho 'it gives up'; exit 3\n")
    pending.publish([broken])
    converge(project, pending).assert_failed(pending.host, saying="half-way are plain")
    converge(project, pending).assert_failed(
        pending.host, saying="dpkg --configure -a does not mend plain"
    )
    pending.host.sh("dpkg --remove --force-all plain; dpkg -i /srv/repository/pool/plain_1.0_*.deb")


def test_a_dpkg_that_was_interrupted_is_mended(pending: Lab, project: Project) -> None:
    pending.host.sh(f"dpkg --unpack {REPOSITORY}/pool/plain_1.0_*.deb")
    assert "iU  plain" in pending.dpkg() or "iU plain" in pending.dpkg()
    converge(project, pending).assert_converged(pending.host)
    assert "ii  plain" in pending.dpkg() or "ii plain" in pending.dpkg()
    assert pending.version("demo") == pending.newest


@LONG
def test_a_sources_list_that_cannot_be_read(pending: Lab, project: Project) -> None:
    pending.sources("deb this is not a source\n")
    assert_refused(project, pending, "/etc/apt/sources.list")


@LONG
def test_no_source_at_all(pending: Lab, project: Project) -> None:
    pending.sources("# none\n")
    converge(project, pending).assert_converged(pending.host)
    decision = project.decision(pending.host.name, "host_patching/security_updates")
    assert (decision["decision"], decision["reason"]) == (
        "pending",
        "no package repository is configured",
    )


def test_after_all_that_the_next_run_succeeds(pending: Lab, project: Project) -> None:
    assert_converges(project, pending)
