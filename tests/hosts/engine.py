"""The Docker engine that carries the disposable hosts: the running one, or one started here."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from tests.hosts.local import HostsUnavailableError, cache_directory, checkout_id, locked, run

START_SECONDS = 60
STOP_SECONDS = 60


def ensure() -> None:
    """Return when an engine answers; start one where none does."""
    if answers():
        return
    with locked("engine"):
        if not answers():
            start()


def answers() -> bool:
    if not shutil.which("docker"):
        return False
    try:
        return run(["docker", "info"], timeout=30, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def start() -> None:
    missing = [name for name in ("docker", "dockerd", "iptables") if not shutil.which(name)]
    if missing:
        raise HostsUnavailableError(
            f"no Docker engine answers, and {', '.join(missing)} is not installed"
        )
    if os.geteuid() != 0:
        raise HostsUnavailableError("no Docker engine answers, and only root can start one")
    log = log_file()
    with log.open("ab") as output:
        # Its own session: it must outlive this process, whose hosts others go on using.
        daemon = subprocess.Popen(
            ["dockerd"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    record().write_text(json.dumps({"pid": daemon.pid, "started": start_ticks(daemon.pid)}))
    await_answer(daemon, log)


def await_answer(daemon: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if daemon.poll() is not None:
            break
        if answers():
            return
        time.sleep(0.5)
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-8:])
    raise HostsUnavailableError(f"dockerd does not answer; its last lines in {log}:\n{tail}")


def stop() -> bool:
    """End the engine that `start` started, and only that; False where there is none."""
    if not record().exists():
        return False
    known = json.loads(record().read_text())
    record().unlink()
    pid = int(known["pid"])
    if start_ticks(pid) != known["started"]:
        return False
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while start_ticks(pid) == known["started"] and time.monotonic() < deadline:
        time.sleep(0.2)
    return True


def log_file() -> Path:
    return cache_directory() / "dockerd.log"


def record() -> Path:
    """Per checkout: the end of one checkout's run must not take the engine from another's hosts."""
    return cache_directory() / f"dockerd-{checkout_id()}.json"


def start_ticks(pid: int) -> int | None:
    """When a process was started, in ticks since boot: a pid alone may have been given anew."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else int(fields[19])
