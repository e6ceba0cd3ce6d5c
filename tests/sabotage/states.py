"""Load the sabotage states, and word each as a shell script for the host."""

from __future__ import annotations

import fnmatch
import json
import re
import shlex
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

DIRECTORY = Path(__file__).parent
DAEMON_JSON = "/etc/docker/daemon.json"

PATCH = """
import json, pathlib, sys
def merged(value, patch):
    if not isinstance(patch, dict):
        return patch
    result = dict(value) if isinstance(value, dict) else {}
    for name, part in patch.items():
        result[name] = merged(result.get(name), part)
        if part is None:
            del result[name]
    return result
path = pathlib.Path(sys.argv[2])
old = json.loads(path.read_text() or "{}") if path.exists() else {}
path.write_text(json.dumps(merged(old, json.loads(sys.argv[1])), indent=2) + "\\n")
"""
ANSWERS = """python3 -c '
import http.client, socket, sys, time
for attempt in range(120):
    connection = http.client.HTTPConnection("docker", timeout=5)
    connection.sock = socket.socket(socket.AF_UNIX)
    try:
        connection.sock.connect("/run/docker.sock")
        connection.request("GET", "/_ping")
        if connection.getresponse().status == 200:
            sys.exit(0)
    except OSError:
        pass
    time.sleep(0.5)
sys.exit("the engine does not answer")
'"""
THEN = {
    "none": [],
    "reload": ["systemctl reload docker.service", "sleep 1"],
    "restart": [
        "systemctl reset-failed docker.service docker.socket",
        "systemctl restart docker.service",
    ],
}


class State(BaseModel):
    """One state of a host, and how it comes about and goes away."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    control: str
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    why: str
    engine: Annotated[str, Field(pattern=r"^>=\d+\.\d+$")] = ">=0.0"
    daemon_json: dict[str, Any] | None = None
    commands: list[str] = []
    then: Literal["none", "reload", "restart"] = "none"
    expect: Literal["fail", "pending"] = "fail"
    fails: list[str] = []
    probe: bool = False
    mend: list[str] = []
    cleanup: list[str] = []

    @model_validator(mode="after")
    def does_something(self) -> State:
        if not self.daemon_json and not self.commands:
            raise ValueError(f"{self.control}, state {self.name}: neither daemon_json nor commands")
        return self

    def concerns(self, control: str) -> bool:
        """Whether this state takes a control out of force."""
        return any(
            fnmatch.fnmatchcase(control, pattern) for pattern in self.fails or [self.control]
        )

    def status(self, control: str, before: str) -> str:
        """What is expected of a control; a pattern means those that were in force before."""
        named = control in (self.fails or [self.control])
        return self.expect if self.concerns(control) and (named or before == "pass") else before

    def fits(self, version: str) -> bool:
        """Whether an engine of this version can be in the state."""
        least, found = (
            tuple(map(int, re.findall(r"\d+", text)[:2])) for text in (self.engine, version)
        )
        return found >= least

    def script(self) -> str:
        """Brings the host into the state."""
        words = ["python3", "-c", PATCH, json.dumps(self.daemon_json), DAEMON_JSON]
        patch = [shlex.join(words)] if self.daemon_json else []
        return _script([*patch, *self.commands, *THEN[self.then]], waits=self.then != "none")

    def mend_script(self) -> str | None:
        """What a converge cannot mend."""
        return _script(self.mend, waits=False) if self.mend else None

    def cleanup_script(self) -> str | None:
        """Takes away what the state had to bring along."""
        return _script(self.cleanup, waits=False) if self.cleanup else None


def _script(lines: list[str], *, waits: bool) -> str:
    return "\n".join(["set -eu", *lines, *([ANSWERS] if waits else [])]) + "\n"


def controls(directory: Path = DIRECTORY) -> list[str]:
    """The ids of all controls that have states."""
    return sorted(f"{path.parent.name}/{path.stem}" for path in directory.glob("*/*.yml"))


def load(control: str, directory: Path = DIRECTORY) -> list[State]:
    """The states of one control."""
    path = directory / f"{control}.yml"
    found = yaml.safe_load(path.read_text("utf-8"))
    if not isinstance(found, list) or not found:
        raise ValueError(f"{path}: a list of at least one state is expected")
    states = [State(control=control, **one) for one in found]
    names = [state.name for state in states]
    if len(set(names)) != len(names):
        raise ValueError(f"{path}: state names must differ, found {', '.join(names)}")
    return states
