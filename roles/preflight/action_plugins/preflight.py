"""Controller side of preflight: plan and inputs in, one read of the host, decisions out to facts and an artifact.

The plan is read here as JSON and handed on as data: its texts never pass through a template.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import base64
import contextlib
import datetime
import getpass
import importlib.util
import json
import os
import secrets
import socket
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase

SENT = (
    "id",
    "mode",
    "engine",
    "platforms",
    "needs",
    "requires",
    "unless",
    "applied_by",
    "preconditions",
    "settings",
    "waiver",
)
EXCEPTION = {
    name: {"type": "str", "required": True} for name in ("id", "reason", "owner", "expires")
}
# One id for all hosts of this run, sortable by time: workers are forks of the process that imports this.
RUN = "%s-%s" % (
    datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ"),
    secrets.token_hex(4),
)
# The playbook's process, for the same reason.
PROCESS = os.getpid()
RUNS = "runs"  # below artifacts/: which processes of this controller have worked with this project
UNFINISHED = ".hardhost-unfinished"  # in a project, while `hardhost render` has not come to its end
KEPT_SECONDS = 24 * 3600  # longer than any lease


def _shared(name):
    """A module of `module_utils`, where Ansible looks for what runs on hosts alone."""
    path = Path(__file__).resolve().parent.parent / "module_utils" / (name + ".py")
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


secret_in = _shared("hardhost_redaction").secret_in


class ActionModule(ActionBase):
    """`preflight: {scope: removed|all|run|controls, controls: [ids], run: id}`; writes `artifacts/<host>.json` beside the playbook."""

    _VALID_ARGS = frozenset(("scope", "controls", "run"))

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        project = Path(self._loader.get_basedir())
        if (project / UNFINISHED).exists():
            text = "%s is half written: a render was interrupted, or is at work; render the project again"
            result.update(failed=True, msg=text % project)
            return result
        plan = json.loads((project / "plan.json").read_text(encoding="utf-8"))
        inputs, exceptions, problems = self._host_inputs(plan, task_vars)
        texts = self._texts(plan, task_vars)
        problems += wrong_texts(texts)
        if problems:
            found = {"refused": "; ".join(problems)}
        else:
            found = self._read(plan, inputs, texts, exceptions, task_vars)
        if found.get("failed") or found.get("unreachable"):
            result.update(found)
            return result
        result["recorded"] = found.get(
            "recorded"
        )  # of a host that is refused too: `rollback_scope` asks
        note_run(project / "artifacts" / RUNS)
        artifact = describe(plan, task_vars["inventory_hostname"], found, inputs)
        write(project / "artifacts", artifact)
        if artifact["refused"]:
            result.update(
                failed=True, msg="%s is left alone: %s" % (artifact["host"], artifact["refused"])
            )
            return result
        shown = worded if self._task.args.get("scope", "removed") == "removed" else worded_undo
        result.update(
            changed=False,
            summary=shown(artifact),
            ansible_facts={
                "hardhost_apply": found.get("apply", {}),
                "hardhost_decisions": artifact["decisions"],
                "hardhost_host": found.get("facts", {}),
                "hardhost_run": artifact["run"],
                "hardhost_holder": holder(),
                "hardhost_ended": ended(project / "artifacts" / RUNS, found.get("lease", "")),
                "hardhost_undo": found.get("undo", []),
                "hardhost_undo_run": found.get("undo_run", ""),
                "hardhost_inputs": inputs,
                "hardhost_restart": artifact["restart"],
            },
        )
        return result

    def _host_inputs(self, plan, task_vars):
        """Inputs and exceptions of this host, and what is wrong with them."""
        given, spec = {}, {}
        for name, declared in plan["inputs"].items():
            if declared.get("secret"):
                continue
            spec[name] = {"type": declared["type"], "choices": declared["choices"]}
            given[name] = (
                self._templar.template(task_vars[name]) if name in task_vars else declared["value"]
            )
        checked = ArgumentSpecValidator(spec).validate(given)
        exceptions = self._templar.template(task_vars.get("hardhost_exceptions", []))
        problems = list(checked.error_messages) + wrong_exceptions(exceptions, plan)
        inputs = {name: checked.validated_parameters[name] for name in spec}
        for name, secret in [(name, secret_in(inputs[name])) for name in spec]:
            if secret:
                inputs[name] = None  # it would stand in the artifact and in the logs
                problems.append("%s holds %s; leave that to the host" % (name, secret))
        return inputs, exceptions, problems

    def _texts(self, plan, task_vars):
        """The secret inputs that the inventory gives: for the host alone, and in nothing that is kept or printed."""
        given = {
            name: str(self._templar.template(task_vars.get(name, "")))
            for name, declared in plan["inputs"].items()
            if declared.get("secret")
        }
        return {name: text for name, text in given.items() if text.strip()}

    def _read(self, plan, inputs, texts, exceptions, task_vars):
        controls = [{key: control[key] for key in SENT} for control in plan["controls"]]
        arguments = {
            "controls": controls,
            "inputs": inputs,
            "texts": {name: in_base64(text) for name, text in texts.items()},
            "exceptions": exceptions,
            "today": datetime.date.today().isoformat(),
            "scope": self._task.args.get("scope", "removed"),
            "scope_controls": self._task.args.get("controls", []),
            "scope_run": self._task.args.get("run", ""),
        }
        return self._execute_module("docker_host_facts", arguments, task_vars=task_vars)


def wrong_texts(texts):
    """What is wrong with secret inputs; nothing of them is repeated."""
    return [
        "%s is no text in PEM (-----BEGIN ...)" % name
        for name, text in texts.items()
        if "-----BEGIN " not in text
    ]


def in_base64(text):
    """A secret as a module takes it (`hardhost_given.decoded`)."""
    return base64.b64encode(text.encode("utf-8")).decode("ascii")


def wrong_exceptions(exceptions, plan):
    """What is wrong with `hardhost_exceptions`: each needs id, reason, owner and an expiry date."""
    if not isinstance(exceptions, list):
        return ["hardhost_exceptions must be a list of {id, reason, owner, expires}"]
    problems, known = [], {control["id"] for control in plan["controls"]}
    for number, exception in enumerate(exceptions, 1):
        place = "hardhost_exceptions, item %d: " % number
        if not isinstance(exception, dict):
            problems.append(place + "must be {id, reason, owner, expires}")
            continue
        problems += [
            place + text
            for text in ArgumentSpecValidator(EXCEPTION).validate(exception).error_messages
        ]
        problems += [place + text for text in _wrong_values(exception, known)]
    return problems


def _wrong_values(exception, known):
    if exception.get("id") and exception["id"] not in known:
        yield "unknown control %r in this project" % (exception["id"],)
    expires = str(exception.get("expires", ""))
    try:
        canonical = (
            datetime.date.fromisoformat(expires).isoformat() == expires
        )  # dates are compared as text
    except ValueError:
        canonical = False
    if not canonical:
        yield "expires must be a date such as 2027-03-31"


def holder():
    """Who runs: user and controller."""
    return "%s@%s" % (getpass.getuser(), socket.gethostname())


def process(pid):
    """`{boot, namespace, pid, started}` of a process of this machine, None where it is gone or cannot be told."""
    try:
        stat = Path("/proc/%d/stat" % pid).read_text(encoding="utf-8", errors="replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:
        return None
    state, *fields = stat.rpartition(")")[2].split()  # proc(5): field 3 is the state, 22 the start
    if state in "ZX":
        return None
    return {"boot": boot, "namespace": namespace, "pid": pid, "started": int(fields[18])}


def note_run(folder):
    """Write which process this run is, for a later one that finds its lease; forget those of long ago."""
    path, mine = folder / (RUN + ".json"), process(PROCESS)
    if mine is None or path.exists():
        return
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for old in folder.glob("*.json"):
        with contextlib.suppress(OSError):  # another worker was faster
            if old.stat().st_mtime < time.time() - KEPT_SECONDS:
                old.unlink()
    replace(path, mine)


def ended(folder, run):
    """`run`, where it was one of this controller's and its process has ended; "" where it may be at work."""
    try:
        noted = json.loads((folder / (Path(run).name + ".json")).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    mine = process(PROCESS)
    same = mine and isinstance(noted, dict) and isinstance(noted.get("pid"), int)
    if not same or any(noted.get(key) != mine[key] for key in ("boot", "namespace")):
        return ""
    return run if process(noted["pid"]) != noted else ""


def describe(plan, host, found, inputs):
    """The artifact of one host, schema 1 of docs/architecture.md."""
    facts = found.get("facts") or {}
    return {
        "schema": 1,
        "host": host,
        "profile": plan["profile"],
        "environment": plan["environment"],
        "run": RUN,
        "refused": found["refused"] or None,
        "engine": facts.get("engine", {}),
        "os": facts.get("os", {}),
        "restart": found.get("restart", {}),
        "inputs": inputs,
        "undo": found.get("undo", []),
        "left": found.get("left", []),
        "undo_run": found.get("undo_run", ""),
        "undo_runs": found.get("undo_runs", []),
        "decisions": found.get("decisions", {}),
        "facts": facts,
        "recreate": to_be_recreated(plan, found),
    }


def to_be_recreated(plan, found):
    """`{control id: names}`: the containers which keep their old settings until they are created anew."""
    names = [one["name"] for one in (found.get("facts") or {}).get("containers", [])]
    decisions = found.get("decisions", {})
    return {
        control["id"]: names
        for control in plan["controls"]
        if names
        and control["disruption"] == "recreate"
        and decisions.get(control["id"], {}).get("changes")
    }


def write(folder, artifact):
    """Write `<host>.json` in one step."""
    folder.mkdir(exist_ok=True)
    replace(
        folder / (quote(artifact["host"], safe="") + ".json"), artifact
    )  # no two hosts have the same


def replace(path, value):
    """Write a file of JSON in one step."""
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", dir=path.parent, delete=False
    ) as stream:
        json.dump(value, stream, indent=1, sort_keys=True, default=str)
    os.chmod(stream.name, 0o600)
    os.replace(stream.name, path)


def worded(artifact):
    """What a converge will do on this host, for people: a few lines."""
    if artifact["refused"]:
        return _head(artifact)
    lines = [_head(artifact)]
    for kind, title in (
        ("apply", "will change"),
        ("pending", "held back"),
        ("waived", "waived"),
        ("manual", "needs an input"),
        ("not_applicable", "not applicable"),
        ("report", "left to you"),
    ):
        lines += _section(artifact["decisions"], kind, title)
    lines += _recreate(artifact)
    lines += _undo(artifact) + list(_settled(artifact["decisions"]))
    return "\n".join(lines + ["  dockerd: " + _restart(artifact["restart"])])


def _settled(decisions):
    same = sum(1 for one in decisions.values() if one["decision"] == "apply" and not one["changes"])
    reported = sum(1 for one in decisions.values() if one["decision"] == "report")
    yield "  %d of %d controls need no change%s" % (
        same,
        len(decisions),
        ", %d only checked by verify" % reported if reported else "",
    )


def worded_undo(artifact):
    """What a rollback will do on this host."""
    lines = [_head(artifact)]
    if not artifact["refused"]:
        run = artifact["undo_run"]
        nothing = "  nothing is left to take back" + (" of run " + run if run else "")
        lines += _undo(artifact) or [nothing]
        lines += (
            ["  stays"] + ["    " + line for line in artifact["left"]] if artifact["left"] else []
        )
        lines.append("  dockerd: " + _restart(artifact["restart"]))
    return "\n".join(lines)


def _head(artifact):
    if artifact["refused"]:
        return "%s  left alone: %s" % (artifact["host"], artifact["refused"])
    engine = artifact["engine"]["version"]
    return "%s  %s, %s" % (
        artifact["host"],
        artifact["os"]["pretty"],
        "Docker " + engine if engine else "no Docker yet",
    )


def _recreate(artifact):
    if artifact["recreate"]:
        yield "  takes effect on a container when it is created anew"
    for identifier, names in sorted(artifact["recreate"].items()):
        yield "    %s: %s" % (identifier, ", ".join(names))


def _undo(artifact):
    return (
        ["  will be taken back (run %s)" % ", ".join(artifact["undo_runs"])]
        + ["    " + line for line in artifact["undo"]]
        if artifact["undo"]
        else []
    )


def _section(decisions, kind, title):
    chosen = [
        (name, one)
        for name, one in sorted(decisions.items())
        if one["decision"] == kind and _worth_saying(one)
    ]
    if chosen:
        yield "  " + title
    if kind != "apply":
        yield from _held_back(chosen)
    for name, decision in chosen:
        for change in decision["changes"]:
            yield "    %s: %s: %s -> %s" % (
                name,
                change["what"],
                _value(change["before"]),
                _value(change["after"]),
            )


def _worth_saying(decision):
    """Not what needs nothing, and not what the profile only reports."""
    silent = {"apply": decision["changes"], "report": decision["reason"]}
    return bool(silent.get(decision["decision"], True))


def _held_back(chosen):
    """The controls, those with one reason and one remedy together."""
    grouped = {}
    for name, decision in chosen:
        grouped.setdefault((decision["reason"], decision["remedy"]), []).append(name)
    for (reason, remedy), names in grouped.items():
        yield "    %s: %s" % (", ".join(names), reason)
        if remedy:
            yield "      -> %s" % remedy


def _value(value):
    return "absent" if value is None else value if isinstance(value, str) else json.dumps(value)


def _restart(restart):
    if not restart or restart["needed"] == "none":
        return "goes on running, no restart"
    text = "one %s (%s)" % (restart["needed"], ", ".join(restart["why"]))
    if not restart["allowed"]:
        return "%s, withheld: %s" % (text, restart["reason"])
    if restart["containers"]:
        return "%s; these containers stop and are started again: %s" % (
            text,
            ", ".join(restart["containers"]),
        )
    return text + (
        "; running containers go on"
        if restart["needed"] == "restart" and restart["running"]
        else ""
    )
