"""Run a script of onhost/ on a host over testinfra, as root, and bring back its JSON answer."""

from __future__ import annotations

import base64
import json
import re
import secrets
import shlex
import subprocess
import tempfile
import time
import zlib
from pathlib import Path
from typing import Any

ON_HOST = Path(__file__).parent / "onhost"
SHARED = "roles/*/module_utils/hardhost_*.py"
SECONDS = 600  # for one script; each of its waits has a bound of its own below this
# Linux takes 128 KiB as one argument, some ways add a third. What is longer goes in parts.
LARGEST = PART = 80_000
PARTS = "/run/hardhost"
# What ssh says where sshd takes no further connection for now (MaxStartups), as of many through one
# bastion: nothing was run yet. It is tried again after so many seconds.
TURNED_AWAY = re.compile(
    r"(kex|ssh)_exchange_identification: |Connection (closed|reset) by \S+ port "
)
PAUSES = (1, 3)

# Runs on the host: takes modules as text, so that nothing is copied there and left behind.
RECEIVER = """
import base64, importlib, json, os, signal, sys, zlib
from importlib.machinery import ModuleSpec
sent = sys.argv[1]
if sent.startswith("/"):  # it came in parts; no other text begins like this
    with open(sent) as stream:
        path, sent = sent, stream.read()
    os.remove(path)
sent = json.loads(zlib.decompress(base64.b85decode(sent)))
signal.alarm(sent["seconds"])
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name in sent["modules"]:
            return ModuleSpec(name, self, is_package=not sent["modules"][name])
    def create_module(self, spec):
        return None
    def exec_module(self, module):
        name = module.__name__
        exec(compile(sent["modules"][name], name + ".py", "exec"), module.__dict__)
sys.meta_path.insert(0, Finder())
function = getattr(importlib.import_module(sent["module"]), sent["function"])
print("hardhost:" + json.dumps(function(sent["argument"])))
"""

# With or without a root login, with or without become in the inventory.
PYTHON = '"$({python})" -c {receiver} {sent}'
# RHEL 8's python3 is older than ansible-core runs its modules with, which takes another one there.
INTERPRETERS = ("python3", *(f"python3.{minor}" for minor in range(13, 7, -1)))
CHOOSE = """for one in {interpreters}; do
  "$one" -Sc "import sys; sys.exit(sys.version_info < (3, 8))" 2>/dev/null && break
done; echo "$one" """
APPEND = """sh -c 'umask 077; mkdir -p "${{1%/*}}" && printf %s "$2" >> "$1"' part {path} {part}"""
SHELL = """
set -- {words}
if [ "$(id -u)" = 0 ]; then exec "$@"; fi
exec sudo -n "$@"
"""

# What testinfra takes from the inventory as it is written there: it renders no template.
TAKEN = (
    "ansible_become",
    "ansible_become_user",
    "ansible_connection",
    "ansible_host",
    "ansible_port",
    "ansible_private_key_file",
    "ansible_ssh_common_args",
    "ansible_ssh_extra_args",
    "ansible_ssh_private_key_file",
    "ansible_user",
)
# What Ansible heeds besides on its way to a host: without it, the way may lead to another.
LEFT = (
    "ansible_become_pass",
    "ansible_become_password",
    "ansible_password",
    "ansible_private_key",
    "ansible_ssh_args",
    "ansible_ssh_executable",
    "ansible_ssh_host",
    "ansible_ssh_pass",
    "ansible_ssh_password",
    "ansible_ssh_pkcs11_provider",
    "ansible_ssh_port",
    "ansible_ssh_private_key",
    "ansible_ssh_user",
)


class RemoteError(Exception):
    """The script did not answer; the text is for the operator."""


def modules(project: Path, entry: str) -> dict[str, str]:
    """A script and all it may import there: its siblings, and what the project's modules share."""
    paths = {path.stem: (path, path.stem) for path in ON_HOST.glob("*.py")}
    for path in project.glob(SHARED):
        paths[path.stem] = path, f"ansible.module_utils.{path.stem}"
    found, waiting = {"ansible": "", "ansible.module_utils": ""}, [entry]
    while waiting:
        path, name = paths[waiting.pop()]
        if name not in found:
            found[name] = path.read_text("utf-8")
            waiting += set(re.findall(r"\w+", found[name])) & paths.keys()
    return found


def call(connection: Any, project: Path, module: str, function: str, argument: Any) -> Any:
    """`module.function(argument)` on the host."""
    message = {"module": module, "function": function, "argument": argument}
    message |= {"modules": modules(project, module), "seconds": SECONDS}
    sent = base64.b85encode(zlib.compress(json.dumps(message).encode(), 9)).decode("ascii")
    receiver = base64.b64encode(RECEIVER.encode()).decode("ascii")
    if len(sent) > LARGEST:
        sent = _in_parts(connection, sent)
    words = PYTHON.format(
        python=_python(connection),
        receiver=f"'import base64;exec(base64.b64decode(\"{receiver}\"))'",
        sent=shlex.quote(sent),
    )
    command = SHELL.format(words=words)
    code, output, errors = run(connection, command)
    answers = [line for line in output.splitlines() if line.startswith("hardhost:")]
    if code or not answers:
        raise RemoteError(_explained(code, errors))
    return json.loads(answers[-1].partition(":")[2])


def _in_parts(connection: Any, text: str) -> str:
    """The path of a file of root's on the host that holds the text; whoever reads it removes it."""
    path = f"{PARTS}/sent-{secrets.token_hex(8)}"
    for start in range(0, len(text), PART):
        part = shlex.quote(text[start : start + PART])
        words = APPEND.format(path=shlex.quote(path), part=part)
        code, _output, errors = run(connection, SHELL.format(words=words))
        if code:
            raise RemoteError(_explained(code, errors))
    return path


def run(connection: Any, command: str, pauses: tuple[int, ...] = PAUSES) -> tuple[int, str, str]:
    """Run a shell command: over ssh where testinfra can, else through ansible."""
    try:
        if _needs_ansible(connection):
            return _through_ansible(connection.backend, command)
        done = connection.run("sh -c %s", command)
        return done.rc, _text(done.stdout_bytes), _text(done.stderr_bytes)
    except RemoteError:
        raise
    except Exception as error:
        said = _said(error)
        if not pauses or not TURNED_AWAY.search(said):
            raise RemoteError(f"cannot be reached: {_last_line(said)}") from error
    time.sleep(pauses[0])
    return run(connection, command, pauses[1:])


def _through_ansible(backend: Any, command: str) -> tuple[int, str, str]:
    """As testinfra does it, which knows of a host that ansible cannot reach only that it failed."""
    script = base64.b64encode(command.encode()).decode("ascii")
    inventory = ["-i", backend.ansible_inventory] if backend.ansible_inventory else []
    with tempfile.TemporaryDirectory(prefix="hardhost-") as directory:
        words = ["ansible", "--tree", directory, *inventory, "--become", "-m", "shell"]
        words += ["--args", f"echo {script} | base64 -d | sh", backend.host]
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        answers = [path.read_bytes() for path in Path(directory).iterdir()]
    if not answers:
        raise RemoteError(f"ansible did not run: {_last_line(_text(done.stderr or done.stdout))}")
    found = json.loads(_text(answers[0]))
    if found.get("unreachable"):
        raise ConnectionError(found.get("msg", ""))
    return (
        found.get("rc", 1),
        found.get("stdout", ""),
        found.get("stderr", "") or found.get("msg", ""),
    )


def _python(connection: Any) -> str:
    """The shell's words that print the interpreter: the inventory's, where it names a file."""
    backend = connection.backend
    named = ""
    if backend.get_connection_type() == "ansible":
        named = str(backend.get_variables().get("ansible_python_interpreter", ""))
    if named.startswith("/") and "{" not in named:
        return f"echo {shlex.quote(named)}"
    return CHOOSE.format(interpreters=" ".join(INTERPRETERS))


def _needs_ansible(connection: Any) -> bool:
    """Whether the inventory asks for more than ssh and sudo without passwords."""
    backend = connection.backend
    if backend.get_connection_type() != "ansible":
        return False
    variables = backend.get_variables()
    if backend.force_ansible or any(variables.get(name) for name in LEFT):
        return True
    if not all(_plain(variables[name]) for name in variables.keys() & set(TAKEN)):
        return True
    return backend.ansible_runner.get_host(backend.host) is None


def _plain(value: Any) -> bool:
    """Whether a value of the inventory is one: no template, nothing that a vault has encrypted."""
    if isinstance(value, str):
        return "{{" not in value and "{%" not in value
    return isinstance(value, int)


def _said(error: Exception) -> str:
    """Why there was no answer: ssh's own words, where testinfra or ansible hand them on."""
    said = getattr(error.args[0] if error.args else None, "stderr_bytes", None)
    if said is not None:
        return _text(said)
    return str(error) if isinstance(error, ConnectionError) else f"{type(error).__name__}: {error}"


def _text(output: bytes) -> str:
    """Banners of sshd and messages of programs are in any encoding."""
    return output.decode("utf-8", "replace")


def _explained(code: int, errors: str) -> str:
    if code in (142, -14):
        return f"did not answer within {SECONDS} seconds"
    if "sudo:" in errors:
        return f"cannot become root: {_last_line(errors)}"
    return f"could not be read (exit code {code}): {_last_line(errors)}"


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no message"
