"""What `make try` shows: a disposable host checked, hardened, proved and put back."""

# ruff: noqa: T201
from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import NoReturn

from tests.hosts import container_host
from tests.hosts.container_host import Host
from tests.hosts.inventory import inventory
from tests.hosts.local import PROJECT, HostsUnavailableError
from tests.hosts.project import Project, clean_environment, excepted, program

HOST = "try"
BUILD = PROJECT / "build" / "try"
STEP_SECONDS = 900


class StepFailedError(RuntimeError):
    """A command of the demonstration ended otherwise than it should."""


def main() -> int:
    signal.signal(signal.SIGTERM, terminated)
    begun = time.monotonic()
    try:
        demonstrate()
    except (StepFailedError, HostsUnavailableError, RuntimeError, TimeoutError) as error:
        print(f"\nerror: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        heading("The host is removed")
        container_host.down(HOST)
    print(f"Done in {time.monotonic() - begun:.0f} seconds. The project is in {shown(BUILD)}.")
    return 0


def terminated(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def demonstrate() -> None:
    os_name = os.environ.get("HARDHOST_TRY_OS", "debian13")
    heading(f"A disposable Docker host ({os_name}; the first time its image is built)")
    host = container_host.up(HOST, os_name)
    print(host.out("docker version -f 'Docker {{.Server.Version}}'").strip())

    heading("The profile `production`, compiled into a project to read and keep in git")
    step(program("hardhost"), "render", "production", "-o", shown(BUILD), directory=PROJECT)
    write_inventory(host)

    heading("Preflight: what would be done, what is held back and why; nothing is changed")
    play("preflight.yml")
    heading("Check mode: the same run, with differences, still without a change")
    play("site.yml", "--check", "--diff")
    heading("The run: one restart of the daemon, watched, with a way back")
    play("site.yml")
    heading("The proof, from the running system and from containers that try")
    verify = ("verify", shown(BUILD), "-i", shown(BUILD / "inventory.yml"), "--probe")
    step(program("hardhost"), *verify, directory=PROJECT)
    heading("And back: the host is as it was")
    play("rollback.yml")


def write_inventory(host: Host) -> None:
    (BUILD / "inventory.yml").write_text(inventory([host], ["production"]))
    project = Project(BUILD, BUILD / "inventory.yml")
    project.give(**excepted(project))


def play(*arguments: str) -> None:
    step(program("ansible-playbook"), "-i", "inventory.yml", *arguments, directory=BUILD)


def step(*command: str, directory: Path) -> None:
    """Show a command as a user would type it, and run it where its output can be seen."""
    name = Path(command[0]).name
    print(f"$ {' '.join([name, *command[1:]])}\n", flush=True)
    environment = clean_environment()
    if sys.stdout.isatty():
        environment = {key: value for key, value in environment.items() if key not in PLAIN}
    done = subprocess.run(
        command,
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        timeout=STEP_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise StepFailedError(f"{name} ended with {done.returncode}")


PLAIN = ("ANSIBLE_FORCE_COLOR", "NO_COLOR")


def heading(text: str) -> None:
    bold, plain = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")
    print(f"\n{bold}== {text}{plain}\n", flush=True)


def shown(path: Path) -> str:
    return str(path.relative_to(PROJECT))


if __name__ == "__main__":
    sys.exit(main())
