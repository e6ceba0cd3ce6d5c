"""The programs that `verify` starts: ansible-inventory, ansible-playbook, pytest."""

from __future__ import annotations

import configparser
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from generator.errors import HardhostError

HOSTS_PER_PROCESS = 50  # pytest keeps every item in memory
FORKS = 5  # Ansible's own, where nothing is given
_CALLBACKS = Path(__file__).resolve().parent / "callback_plugins"


class Outcome(NamedTuple):
    """Why hosts dropped out of a play: host -> reason."""

    unreachable: Mapping[str, str]
    failed: Mapping[str, str]


def list_inventory(project: Path, inventory: Path, limit: str | None) -> dict[str, Any]:
    """The answer of `ansible-inventory --list`, narrowed as ansible-playbook narrows hosts."""
    words = ["inventory", "-i", str(inventory), "--list", *(["--limit", limit] if limit else [])]
    done = _ansible(project, words)
    if done.returncode:
        raise HardhostError(f"{inventory}: {_tail(done.stderr)}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def group_hosts(listed: Mapping[str, Any], group: str) -> list[str]:
    """The hosts of a group and of its children, in the answer of `ansible-inventory --list`."""
    found: set[str] = set()
    seen: set[str] = set()
    waiting = [group]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            entry = listed.get(name, {})
            found.update(entry.get("hosts", []))
            waiting += entry.get("children", [])
    return sorted(found)


def preflight(project: Path, inventory: Path, limit: str | None) -> Outcome:
    """Run preflight.yml, which leaves the decisions of each host in artifacts/."""
    words = [
        "playbook",
        "-i",
        str(inventory),
        *(["--limit", limit] if limit else []),
        "preflight.yml",
    ]
    with tempfile.TemporaryDirectory(prefix="hardhost-") as directory:
        path = Path(directory) / "outcome.json"
        callbacks = os.pathsep.join(
            filter(None, [str(_CALLBACKS), os.environ.get("ANSIBLE_CALLBACK_PLUGINS")])
        )
        done = _ansible(
            project,
            words,
            ANSIBLE_CALLBACK_PLUGINS=callbacks,
            ANSIBLE_CALLBACKS_ENABLED="hardhost_outcome",
            HARDHOST_OUTCOME=str(path),
        )
        if not path.is_file():
            raise HardhostError(f"preflight.yml did not run: {_tail(done.stderr or done.stdout)}")
        return Outcome(**json.loads(path.read_text("utf-8")))


def check(
    project: Path, inventory: Path, listed: Mapping[str, Any], hosts: Sequence[str], *, probe: bool
) -> dict[str, dict[str, Any]]:
    """Run the checks on hosts, some hosts per process; what each host's audit says, by name.

    All processes together connect to as many hosts at once as Ansible does. None of them asks the
    inventory again, which may be a cloud's: they get what `list_inventory` answered.
    """
    forks = _forks(project)
    processes = min(os.cpu_count() or 1, forks)
    parts = [*_parts(hosts, processes)]
    at_once = forks // max(1, min(len(parts), processes))
    with ThreadPoolExecutor(processes) as pool:
        found = pool.map(
            lambda part: _pytest(project, inventory, listed, part, at_once, probe=probe), parts
        )
    return {entry["host"]: entry for entries in found for entry in entries}


def _forks(project: Path) -> int:
    """How many hosts Ansible works on at once, where it is started as `_ansible` starts it."""
    config = configparser.ConfigParser(interpolation=None, inline_comment_prefixes=(";",))
    config.read(_config(project), "utf-8")
    given = os.environ.get("ANSIBLE_FORKS") or config.get("defaults", "forks", fallback="")
    return max(1, int(given or FORKS))


def _parts(hosts: Sequence[str], processes: int) -> Iterator[Sequence[str]]:
    """Even parts, one per process as long as none grows too large."""
    size = max(1, min(HOSTS_PER_PROCESS, -(-len(hosts) // processes)))
    for start in range(0, len(hosts), size):
        yield hosts[start : start + size]


def _pytest(
    project: Path, inventory: Path, listed: Mapping[str, Any], hosts: Sequence[str], at_once: int,
    *, probe: bool,
) -> list[dict[str, Any]]:  # fmt: skip
    with (
        tempfile.TemporaryDirectory(prefix="hardhost-") as directory,
        tempfile.TemporaryFile() as answer,  # has no name: an inventory may hold passwords
    ):
        answer.write(json.dumps(listed).encode())
        answer.seek(0)
        path = Path(directory) / "results.json"
        # Only the plugin the project needs: others here would cost time or change the run. The
        # configuration is named: else a directory above the project might bring its own.
        words = [
            "pytest", "-c", "tests/host/pytest.ini", "tests/host",
            "-q", "--tb=no", "--no-header", "-p", "testinfra.plugin",
            "--hardhost-project", str(project), "--ansible-inventory", str(inventory),
            "--hosts", ",".join(hosts), "--hardhost-results", str(path),
            "--hardhost-at-once", str(at_once),
            "--hardhost-inventory", f"/dev/fd/{answer.fileno()}",
            *(["--hardhost-probe"] if probe else []),
        ]  # fmt: skip
        variables = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
        done = _python(project, words, answer.fileno(), **variables)
        found: list[dict[str, Any]] = json.loads(path.read_text("utf-8")) if path.is_file() else []
    answered = {entry["host"] for entry in found}
    why = f"the checks did not run: {_tail(done.stdout + done.stderr)}"
    return found + [{"host": host, "problem": why} for host in hosts if host not in answered]


def _ansible(
    project: Path, words: Sequence[str], **variables: str
) -> subprocess.CompletedProcess[str]:
    variables.setdefault("ANSIBLE_CONFIG", _config(project))
    return _python(
        project, ["ansible", *words], **variables, ANSIBLE_FORCE_COLOR="0", ANSIBLE_NOCOLOR="1"
    )


def _config(project: Path) -> str:
    return os.environ.get("ANSIBLE_CONFIG", str(project / "ansible.cfg"))


def _python(
    project: Path, words: Sequence[str], *handed_down: int, **variables: str
) -> subprocess.CompletedProcess[str]:
    """A module of this Python as a program, in the project: of its code only what is asked for.

    The variables hold for the programs it starts too. Python would look for every module in the
    directory it runs in first. It leaves no byte code in the project, which the next would believe.
    """
    own = {"PYTHONSAFEPATH": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(  # noqa: S603 - our own interpreter, arguments as a list
        [sys.executable, "-m", *words],
        cwd=project,
        env={**os.environ, **own, **variables},
        pass_fds=handed_down,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )


def _tail(text: str) -> str:
    """The end of a program's output: where it says why it failed."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return "\n".join(lines[-8:]) or "no message"
