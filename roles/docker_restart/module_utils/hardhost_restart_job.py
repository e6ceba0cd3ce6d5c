"""The job on the host that brings daemon.json into force and, where that makes anything worse, puts the old one back.

Runs as a transient systemd unit, so that neither a dead controller nor a lost connection leaves dockerd half-way. Reads
`job.json` in its folder, writes `result.json`: `{outcome, message, notes, finished}`; the outcome is `done`, `returned` (the
old file is in force again) or `down`.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import json
import os
import sys
import time

from ansible.module_utils import hardhost_docker as docker
from ansible.module_utils import hardhost_files as files
from ansible.module_utils import hardhost_running as running
from ansible.module_utils import hardhost_service as service
from ansible.module_utils import hardhost_state as states
from ansible.module_utils import hardhost_trial as trial
from ansible.module_utils import hardhost_unit as units
from ansible.module_utils.hardhost_options import changed_keys, look, parse, word


class Worse(Exception):
    """Something that worked before does not work now; the text says what."""


class Job:
    """One change of the running daemon. `job` is job.json: see `docker_restart.describe_job` for its shape."""

    def __init__(self, job):
        self.job = job
        self.path = job["path"]
        self.wanted = _bytes(job["wanted"])
        self.old = _bytes(job["old"]["blob"])
        self.notes = []
        self.before = [one for one in docker.containers() if not one["restarting"]]
        self.live_restore = self._live_restore()
        self.stopped = []
        self.returning = False

    def run(self):
        """Do it; the result."""
        could = trial.start_container(self.job["image"], self.job["run"].lower() + "-before")
        if could:
            self.notes.append("before any change: %s" % could)
        try:
            self._forward(check_trial=not could)
        except Worse as error:
            return self._return(str(error))
        self._settle(self.wanted, self.job["described"])
        return self._result("done", "")

    def _forward(self, check_trial):
        keep = parse(self.wanted).get("live-restore") is True
        if self.before and keep and not self.live_restore and not self.job["swarm"]:
            if not service.reload(10, self._live_restore):
                raise Worse(
                    "live-restore could not be switched on by a reload: %s"
                    % service.log(time.time() - 15)
                )
            self.live_restore = True
        if self.job["step"] == "reload":
            self._reload()
        else:
            if self.job["stop_first"]:
                self._stop_containers()
            self._start(self.wanted, self.job["described"])
            self._containers_again()
        if check_trial:
            problem = trial.start_container(self.job["image"], self.job["run"].lower() + "-after")
            if problem:
                raise Worse(problem)

    def _reload(self):
        """Take over what a reload can; a key that was removed gets its default first, for a reload would leave it alone."""
        options = parse(self.wanted)
        lost = [key for key in changed_keys(parse(self.old), options) if key not in options]
        explicit = dict(
            options,
            **{key: running.RELOAD_DEFAULTS[key] for key in lost if key in running.RELOAD_DEFAULTS},
        )
        if explicit != options:
            self._write(word(explicit, self.wanted), self.job["described"])
        expected = bool(explicit.get("live-restore", self.live_restore))
        if not service.reload(20, lambda: self._live_restore() == expected):
            raise Worse(
                "dockerd did not take over the file by a reload: %s" % service.log(time.time() - 25)
            )
        self._write(self.wanted, self.job["described"])

    def _start(self, data, described):
        """Start dockerd with these options, and with live-restore where that keeps containers running."""
        self._write(self._kept(data), described)
        problem = service.restart(self.job["timeout"])
        if problem:
            raise Worse(problem)

    def _kept(self, data):
        options = parse(data)
        if (
            not self.live_restore
            or options.get("live-restore") is True
            or "live-restore" in self.job["flags"]
        ):
            return data
        return word(dict(options, **{"live-restore": True}), data)

    def _write(self, data, described):
        """Put bytes at daemon.json; b"" with no description stands for no file."""
        if data == b"" and not described:
            files.remove(self.path)
        else:
            files.replace(self.path, data, described)

    def _stop_containers(self):
        for container in self.before:
            self.stopped.append(container["name"])
            docker.request("POST", "/containers/%s/stop" % container["id"], b"", timeout=60)

    def _containers_again(self):
        """The containers of before run again; those that stopped with the daemon are started."""
        if self.job["data_root_changes"] and not self.returning:
            return
        for container in self.before:
            if not container["swarm"] and not service.until(lambda one=container: _runs(one), 5):
                self._start_again(container)

    def _start_again(self, container):
        """Start a container that ran before. Worse where that cannot be done."""
        if docker.container_facts(container["id"]) is None:
            self.notes.append("container %s has been removed meanwhile" % container["name"])
            return
        if self.live_restore and os.path.exists("/proc/%d" % container["pid"]):
            raise Worse("container %s runs on without its daemon" % container["name"])
        try:
            docker.request("POST", "/containers/%s/start" % container["id"], b"", timeout=60)
        except docker.ApiError as error:
            raise Worse(
                "container %s does not start again: %s" % (container["name"], error)
            ) from error
        self.notes.append("container %s was started again" % container["name"])

    def _return(self, why):
        """Put the old file back in force. What the message says is what the operator gets to see."""
        self.returning = True
        old = self.job["old"]
        problem = self._reload_old() if self._same_process() else self._start_old()
        if problem:
            self._write(self.old, old["described"])
            return self._result("down", "%s; and with the old file: %s" % (why, problem))
        self._settle(self.old, old["described"])
        with states.locked():
            state = states.load()
            reconcile(state, self.path, parse(self.old))
            states.save(state)
        return self._result("returned", why)

    def _same_process(self):
        """Whether the daemon was not restarted yet."""
        process = units.process(int(units.show(service.UNIT).get("MainPID") or 0))
        return (
            bool(process)
            and process["started"] == self.job["process"]["started"]
            and docker.answers()
        )

    def _reload_old(self):
        """Undo what a reload may have taken over."""
        self._write(self.old, self.job["old"]["described"])
        return (
            ""
            if service.reload(10, docker.answers)
            else "dockerd does not reload: %s" % service.log(time.time() - 15)
        )

    def _start_old(self):
        """Start with the old file, twice where need be; "" when the API answers and the containers run."""
        self._write(self._kept(self.old), self.job["old"]["described"])
        for _attempt in range(2):
            if not docker.answers():
                service.end_hanging()
            problem = service.restart(self.job["timeout"])
            if not problem:
                break
        else:
            return problem
        try:
            self._containers_again()
        except Worse as error:
            self.notes.append(str(error))
        return ""

    def _settle(self, data, described):
        """Leave exactly these bytes, with live-restore as they say, and record what runs."""
        options = parse(data)
        if (
            self._live_restore()
            and "live-restore" not in self.job["flags"]
            and options.get("live-restore") is not True
        ):
            self._write(word(dict(options, **{"live-restore": False}), data), described)
            if not service.reload(10, lambda: not self._live_restore()):
                self.notes.append("live-restore stays on until dockerd is started the next time")
        self._write(data, described)
        process = units.process(int(units.show(service.UNIT).get("MainPID") or 0))
        with states.locked():
            state = states.load()
            running.note(state, process, data)
            if not self.returning:
                forget(state, self.path)
            states.save(state)

    def _live_restore(self):
        try:
            return bool(docker.get("/info")["LiveRestoreEnabled"])
        except docker.ApiError:
            return False

    def _result(self, outcome, message):
        if self.stopped and outcome == "done" and self.job["data_root_changes"]:
            self.notes.append(
                "stopped, and left in the old data root: %s" % ", ".join(self.stopped)
            )
        return {
            "outcome": outcome,
            "message": message,
            "notes": self.notes,
            "finished": time.time(),
        }


def _runs(container):
    found = docker.container_facts(container["id"])
    return bool(found and found["running"])


def _bytes(blob):
    return states.kept(blob) if blob else b""


def reconcile(state, path, options):
    """Make the records say what a file put back holds: undone changes count again, those not in the file are dropped."""
    state["changes"] = sorted(
        state["changes"] + state["undone"], key=lambda change: change["number"]
    )
    state["undone"] = []
    while True:
        newest = {}
        for change in state["changes"]:
            if change["kind"] == "daemon_json_leaf" and change["target"] == path:
                newest[tuple(change["leaf"])] = change
        untrue = [
            change for leaf, change in newest.items() if look(options, leaf) != change["after"]
        ]
        if not untrue:
            break
        state["changes"] = [change for change in state["changes"] if change not in untrue]
    forget(state, path)


def forget(state, path):
    """What was taken back is in force: its records go, and the kept original where nothing of ours is left."""
    state["undone"] = []
    if not states.owned(state, "daemon_json_leaf", path):
        state["files"].pop(path, None)


def main(folder):
    """Run the job of a folder and leave `result.json` there, whatever happens."""
    with open(os.path.join(folder, "job.json"), encoding="utf-8") as stream:
        job = json.load(stream)
    try:
        result = Job(job).run()
    except (
        Exception
    ) as error:  # the controller must learn of it; the traceback is in the journal too
        write_result(
            folder,
            {
                "outcome": "down" if not docker.answers() else "broken",
                "notes": [],
                "message": "%s: %s" % (type(error).__name__, error),
                "finished": time.time(),
            },
        )
        raise
    finally:
        give_lease_back(job["run"])
    write_result(folder, result)


def give_lease_back(run):
    """The controller may be gone: nobody else would do it."""
    with states.locked():
        state = states.load()
        states.release(state, run)
        states.save(state)


def write_result(folder, result):
    """Write result.json in one step."""
    data = json.dumps(result).encode("utf-8")
    files.replace(os.path.join(folder, "result.json"), data, {"uid": 0, "gid": 0, "mode": 0o600})


if __name__ == "__main__":
    main(sys.argv[1])
