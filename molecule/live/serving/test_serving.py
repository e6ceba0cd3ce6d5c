"""Two hosts whose containers serve: whatever is done, processes and connections stay."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.hosts import breakage
from tests.hosts.container_host import Host, find
from tests.hosts.observation import differences, observe, unexpected
from tests.hosts.project import Project, render
from tests.hosts.serving import Serving, serving

Table = Callable[[str, Host], dict[str, Any]]


@pytest.fixture(scope="module")
def served() -> Iterator[list[Serving]]:
    with ExitStack() as stack:
        yield [stack.enter_context(serving(find(name))) for name in ("live12", "live13")]


@pytest.fixture(scope="module")
def baseline(served: list[Serving], memory: Path) -> Project:
    return render("baseline", memory / "baseline", [one.host for one in served])


@pytest.fixture(scope="module")
def development(served: list[Serving], memory: Path) -> Project:
    return render("development", memory / "development", [one.host for one in served])


def assert_statuses(project: Project, served: list[Serving], table: str, expected: Table) -> None:
    report = project.verify(probe=True)
    for one in served:
        assert report.statuses(one.host.name) == expected(table, one.host), report.text


def test_baseline(served: list[Serving], baseline: Project, expectation: Table) -> None:
    run = baseline.play()
    run.assert_converged(*(one.host for one in served))
    for one in served:
        one.assert_unbroken()
    assert_statuses(baseline, served, "baseline", expectation)


def test_development(served: list[Serving], development: Project, expectation: Table) -> None:
    run = development.play()
    run.assert_converged(*(one.host for one in served))
    for one in served:
        one.assert_unbroken()
    assert_statuses(development, served, "development", expectation)


def test_nothing_left_to_do(served: list[Serving], development: Project) -> None:
    before = [observe(one.host) for one in served]
    development.play().assert_unchanged(*(one.host for one in served))
    after = [observe(one.host) for one in served]
    assert [differences(*pair) for pair in zip(before, after, strict=True)] == [{}, {}]


def test_failed_change(served: list[Serving], development: Project) -> None:
    """A start that fails with the new file only: the old file is back, nobody felt it."""
    files = [one.host.out("cat /etc/docker/daemon.json") for one in served]
    for one in served:
        breakage.exits_at_start(one.host, "11m")
    run = development.play(inputs={"docker_daemon_log_max_size": "11m"})
    for one in served:
        breakage.mend(one.host)
    run.assert_failed(*(one.host for one in served), saying="dockerd did not start: docker.service")
    assert [one.host.out("cat /etc/docker/daemon.json") for one in served] == files
    for one in served:
        one.assert_unbroken()


def test_next_run_converges(served: list[Serving], development: Project) -> None:
    run = development.play(inputs={"docker_daemon_log_max_size": "11m"})
    run.assert_converged(*(one.host for one in served))
    for one in served:
        one.assert_unbroken()
        assert '"11m"' in one.host.out("cat /etc/docker/daemon.json")
        one.assert_old_or_in_force()


def test_rollback(served: list[Serving], development: Project, expectation: Table) -> None:
    run = development.play("rollback")
    run.assert_converged(*(one.host for one in served))
    for one in served:
        one.assert_unbroken()
        changed = differences(one.before, observe(one.host))
        assert unexpected(changed, list(expectation("left_by_rollback", one.host))) == {}
