"""The modules of a rendered project, run on a host one by one; each can be killed at any effect.

`converge` and `roll_back` call them in the order of `site.yml` and `rollback.yml`. Whole playbooks
are under test in the other scenarios.
"""

from __future__ import annotations

import base64
import io
import json
import os
import secrets
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.hosts.container_host import Host
from tests.hosts.project import Project
from tests.hosts.serving import Serving, serving

ON_HOST = Path(__file__).with_name("on_host_steps")
FOLDER = "/opt/hardhost-steps"
JOB = "hardhost_restart_job"
SENT = (
    *("id", "mode", "engine", "platforms", "needs", "requires", "unless", "applied_by"),
    *("preconditions", "settings", "waiver"),
)
Json = dict[str, Any]
EVERY_POINT = os.environ.get("HARDHOST_LOOPS") == "all"  # `make test-all`
LONG = pytest.mark.skipif(not EVERY_POINT, reason="only in make test-all")
# Written by a person: foreign keys, odd spacing, no newline at the end, a mode of its own.
ORIGINAL = b'{"dns": ["192.0.2.53"],  "labels":["rack=7"]}'


@dataclass(frozen=True)
class Answer:
    """How a module ended; `killed` where it had no time to say anything."""

    code: int
    content: Json
    text: str

    @property
    def killed(self) -> bool:
        return self.code == 137

    def ok(self) -> Json:
        assert self.code == 0, f"ended with {self.code}: {self.content or self.text}"
        return self.content

    def failed(self, *, saying: str) -> Json:
        assert self.code == 1, f"ended with {self.code}: {self.content or self.text}"
        assert saying in self.content["msg"], self.content["msg"]
        return self.content


@dataclass
class Steps:
    """One host, one project."""

    host: Host
    project: Project
    inputs: Json = field(default_factory=dict)
    run: str = ""

    def install(self) -> None:
        """Put the modules and what kills them on the host."""
        self.host.sh(
            f"rm -rf {FOLDER} && mkdir -p {FOLDER} && tar -C {FOLDER} -x", stdin=self._tar()
        )
        packages = "/usr/lib/python3/dist-packages"
        self.host.sh(
            f"mv {FOLDER}/dying.py {packages}/hardhost_dying.py"
            f" && echo 'import hardhost_dying' > {packages}/hardhost_dying.pth"
        )

    def _tar(self) -> bytes:
        roles = self.project.directory / "roles"
        package = "ansible/module_utils"
        found = {f"{package}/{file.name}": file for file in roles.glob("*/module_utils/*.py")}
        found |= {file.name: file for file in roles.glob("*/library/*.py")}
        found |= {"dying.py": ON_HOST / "dying.py", f"{package}/basic.py": ON_HOST / "basic.py"}
        contents = {name: file.read_bytes() for name, file in found.items()}
        contents |= {"ansible/__init__.py": b"", f"{package}/__init__.py": b""}
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            for name, content in contents.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
        return buffer.getvalue()

    def new_run(self) -> None:
        """The next modules belong to another run, of somebody else."""
        self.run = f"20261121T180000Z-{secrets.token_hex(4)}"

    def act(
        self,
        module: str,
        parameters: Json,
        *,
        die: tuple[str, int] | None = None,
        check: bool = False,
    ) -> Answer:
        """Run one module; `die`: a program, and the number of the effect to kill it before."""
        if die:
            self.ask_to_die(*die)
        request = json.dumps({"parameters": parameters, "check": check}).encode()
        command = f"PYTHONPATH={FOLDER} python3 -B {FOLDER}/{module}.py"
        done = self.host.sh(command, stdin=request, check=False, timeout=600)
        text = (done.stdout + done.stderr).decode(errors="replace")
        try:
            content = json.loads(done.stdout)
        except ValueError:
            content = {}
        return Answer(done.returncode, content, text)

    def ask_to_die(self, program: str, at: int, how: str = "die") -> None:
        """Have the next process of this program end, or stand still, before its n-th effect."""
        request = json.dumps({"program": program, "at": at, "how": how}).encode()
        self.host.sh("cat > /run/dying.json; rm -f /run/dying.log /run/dying.now", stdin=request)

    def effects(self) -> list[str]:
        """What the last program with `at` 0 did, one line each."""
        found = self.host.out("cat /run/dying.log; rm -f /run/dying.json").splitlines()
        assert found, "no effect was seen: nothing would be proved"
        return found

    def _own(self) -> Json:
        return {"run": self.run, "holder": "tests@here"}

    def read(self, scope: str = "removed", controls: list[str] | None = None) -> Json:
        """The answer of preflight's module."""
        plan = json.loads((self.project.directory / "plan.json").read_text())
        self.inputs = {name: one["value"] for name, one in plan["inputs"].items()} | self.inputs
        parameters = {
            "controls": [{key: one[key] for key in SENT} for one in plan["controls"]],
            "inputs": self.inputs,
            "today": "2026-11-21",
            "scope": scope,
            "scope_controls": controls or [],
        }
        return self.act("docker_host_facts", parameters).ok()

    def write(self, found: Json, **more: Any) -> Answer:
        """daemon.json, as `site.yml` does after `read`."""
        controls = found["apply"].get("docker_daemon", [])
        return self.act("daemon_json", {"controls": controls, **self._own()}, **more)

    def permissions(self, found: Json, **more: Any) -> Answer:
        controls = found["apply"].get("docker_files", [])
        return self.act("path_permissions", {"controls": controls, **self._own()}, **more)

    def undo(self, scope: str = "all", **more: Any) -> Answer:
        controls = more.pop("controls", [])
        parameters = {"scope": scope, "controls": controls, "inputs": self.inputs, **self._own()}
        parameters |= {name: more.pop(name) for name in ("decisions", "conflicts") if name in more}
        return self.act("undo", parameters, **more)

    def restart(self, **more: Any) -> Answer:
        archives = (self.project.directory / "roles/docker_restart/files").glob("probe-*.tar")
        image = {
            file.stem.partition("-")[2]: base64.b64encode(zlib.compress(file.read_bytes())).decode()
            for file in archives
        }
        parameters = {"policy": "when_needed", "timeout": 120, "image": image, **self._own()}
        return self.act("docker_restart", parameters, **more)

    def converge(self) -> Json:
        """All of `site.yml`, by a new run."""
        self.new_run()
        found = self.read()
        assert not found["refused"], found["refused"]
        if found["undo"]:
            self.undo("removed", decisions=found["decisions"]).ok()
        if "docker_daemon" in found["apply"]:
            self.write(found).ok()
        if "docker_files" in found["apply"]:
            self.permissions(found).ok()
        return self.restart().ok() if found["restart"]["work"] else {}

    def roll_back(self, scope: str = "all", controls: list[str] | None = None) -> Json:
        """All of `rollback.yml`, by a new run."""
        self.new_run()
        found = self.read(scope, controls)
        assert not found["refused"], found["refused"]
        undone = self.undo(scope, controls=controls or []).ok() if found["undo"] else {}
        if found["restart"]["work"]:
            self.restart().ok()
        return undone

    def in_a_minute(self) -> None:
        """The lease of a run whose controller is gone has come to its end."""
        self.host.sh(
            "[ ! -e /var/lib/hardhost/state.json ] || python3 - <<'END'\n"
            "import json\n"
            "path = '/var/lib/hardhost/state.json'\n"
            "state = json.load(open(path))\n"
            "if state['lease']: state['lease'].update(since=0, expires=1)\n"
            "json.dump(state, open(path, 'w'))\n"
            "END"
        )


def put_daemon_json(host: Host, content: bytes | None, mode: str = "0640") -> None:
    """As an operator does: write it, restart, see that it works."""
    path = "/etc/docker/daemon.json"
    if content is None:
        host.sh(f"rm -f {path}")
    else:
        host.sh(f"cat > {path} && chmod {mode} {path} && touch -d 2024-02-29 {path}", stdin=content)
    host.sh("systemctl reset-failed docker docker.socket; systemctl restart docker")


@contextmanager
def untouched(steps: Steps) -> Iterator[Serving]:
    """The host as it was before, with containers that serve: whatever an earlier case has left."""
    steps.host.sh("docker rm -f web worker; rm -rf /var/lib/hardhost /run/dying.json", check=False)
    put_daemon_json(steps.host, ORIGINAL)
    with serving(steps.host) as found:
        yield found
