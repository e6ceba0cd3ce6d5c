"""Playbooks that are cut off at a remote step: the connection dies, or the controller is killed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.hosts.container_host import Host
from tests.hosts.project import PLAY_SECONDS, Project

WRAPPER = "/usr/local/bin/cut-python"
SCRIPT = Path(__file__).parent / "on_host_steps" / "cut_python.sh"


@dataclass(frozen=True, order=True)
class Point:
    """The n-th module of a playbook, and what happens there.

    `before`: the connection dies and the module does not run. `after`: it dies once the module has
    run, and its answer is lost. `controller`: the controller is killed as the module begins.
    """

    play: str
    step: int
    how: str


@contextmanager
def cut_here(host: Host, project: Project) -> Iterator[None]:
    """Ansible runs the stand-in for this host's Python."""
    host.sh(f"cat > {WRAPPER} && chmod 755 {WRAPPER}", stdin=SCRIPT.read_bytes())
    text = project.inventory.read_text()
    assert text.count("/usr/bin/python3") == 1, "an inventory of this one host"
    project.inventory.write_text(text.replace("/usr/bin/python3", WRAPPER))
    try:
        yield
    finally:
        project.inventory.write_text(text)
        host.sh(f"rm -f /run/cut /run/cut.* {WRAPPER}")


def steps_of(host: Host, project: Project, play: str) -> int:
    """Run a playbook to its end; how many modules of it ran on the host."""
    host.sh("rm -f /run/cut /run/cut.*")
    project.play(play).assert_converged(host)
    return int(host.out("cat /run/cut.count"))


def points(steps: dict[str, int]) -> list[Point]:
    """Every point of these playbooks, by how many modules they have."""
    # The first module only reads, and before a step the host is as it was after the one before it.
    return sorted(
        point
        for play, last in steps.items()
        for point in [
            Point(play, 1, "before"),
            *(Point(play, at, how) for at in range(2, last + 1) for how in ("after", "controller")),
        ]
    )


def interrupt(host: Host, project: Project, point: Point) -> None:
    """Run a playbook that is cut off, and see that it was cut where it should be."""
    print(point.play, point.step, point.how, flush=True)  # noqa: T201 - shown where a case fails
    host.sh(f"rm -f /run/cut.*; echo {point.step} {point.how} > /run/cut")
    controller = project.start(point.play, limit=host.name)
    if point.how == "controller":
        await_file(host, "/run/cut.now")
        os.killpg(controller.pid, signal.SIGKILL)
        host.sh(": > /run/cut.go")
        controller.wait(timeout=30)
        await_file(host, "/run/cut.end")  # the module goes on without it
    else:
        assert controller.wait(timeout=PLAY_SECONDS) != 0
    assert int(host.out("cat /run/cut.count")) == point.step
    assert host.sh("test -e /run/cut", check=False).returncode != 0


def await_file(host: Host, path: str) -> None:
    """Wait until a file is there: what is to make it has no other way to say so."""
    deadline = time.monotonic() + PLAY_SECONDS
    while host.sh(f"test -e {path}", check=False).returncode != 0:
        assert time.monotonic() < deadline, f"{path} was not seen"
        time.sleep(0.1)
