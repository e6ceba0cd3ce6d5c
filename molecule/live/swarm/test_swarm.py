"""A swarm node, where live-restore cannot be: nothing is restarted unless it is ordered."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hosts import workload
from tests.hosts.container_host import Host, find
from tests.hosts.observation import observe
from tests.hosts.project import Project, render
from tests.hosts.serving import Serving

Table = Callable[[str, Host], dict[str, Any]]
SERVICE_SECONDS = 60


@pytest.fixture(scope="module")
def node_of_swarm() -> Iterator[Serving]:
    host = find("swarm13")
    workload.make_image(host)
    host.sh(f"docker swarm init --advertise-addr {host.address}")
    published = f"--publish mode=host,published={workload.PORT},target=7"
    host.sh(f"docker service create -d --name web {published} --no-resolve-image {workload.echo()}")
    wait_task(host)
    with workload.connections(host) as opened:
        yield Serving(host, observe(host), opened)


@pytest.fixture(scope="module")
def development(node_of_swarm: Serving, memory: Path) -> Project:
    return render("development", memory / "swarm", [node_of_swarm.host])


def wait_task(host: Host) -> None:
    deadline = time.monotonic() + SERVICE_SECONDS
    while not host.out("docker ps -q --filter label=com.docker.swarm.service.name=web"):
        assert time.monotonic() < deadline, "the service has no running container"
        time.sleep(0.5)
    workload.wait_serving(host)


def test_nothing_is_restarted(node_of_swarm: Serving, development: Project) -> None:
    development.play().assert_converged(node_of_swarm.host)
    node_of_swarm.assert_daemon_untouched()
    node_of_swarm.assert_unbroken()


def test_what_waits_is_said(
    node_of_swarm: Serving, development: Project, expectation: Table
) -> None:
    report = development.verify(probe=True)
    host = node_of_swarm.host
    assert report.statuses(host.name) == expectation("swarm", host), report.text
    node_of_swarm.assert_unbroken()


def test_an_ordered_restart_is_made(
    node_of_swarm: Serving, development: Project, expectation: Table
) -> None:
    host = node_of_swarm.host
    development.play(inputs={"docker_restart_stop_containers": True}).assert_converged(host)
    wait_task(host)
    assert observe(host)["process"] != node_of_swarm.before["process"]
    now = observe(host)["containers"]
    assert now
    assert not now.keys() & node_of_swarm.before["containers"].keys()
    for _, pid in now.values():
        # The kernel's word, beside that of the report.
        assert "NoNewPrivs:\t1" in host.out(f"cat /proc/{pid}/status")
    report = development.verify(probe=True)
    assert report.statuses(host.name) == expectation("swarm_restarted", host), report.text
