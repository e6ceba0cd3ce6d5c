"""The job on the host that brings daemon.json into force and, where that makes anything worse, puts the old one back.

Runs as a transient systemd unit, so that neither a dead controller nor a lost connection leaves dockerd half-way. Reads
`job.json` in its folder, writes `result.json`: `{outcome, message, notes, finished}`; the outcome is `done`, `returned` (the
old file is in force again), `down` (it is in place, and dockerd does not start), `foreign` (somebody else's file is there, nothing was
restarted), or, where the job itself failed, `broken` (the API answers) or `stranded` (it does not).

A job that is killed, or that could not write its result, is started again by systemd, and at the next boot where the host
went down meanwhile; it goes on from `progress.json`.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import sys
import time
import traceback

from ansible.module_utils import hardhost_docker as docker
from ansible.module_utils import hardhost_drop_ins as drop_ins
from ansible.module_utils import hardhost_files as files
from ansible.module_utils import hardhost_given as given
from ansible.module_utils import hardhost_managed as managed
from ansible.module_utils import hardhost_running as running
from ansible.module_utils import hardhost_service as service
from ansible.module_utils import hardhost_state as states
from ansible.module_utils import hardhost_trial as trial
from ansible.module_utils import hardhost_unit as units
from ansible.module_utils.hardhost_options import OptionsError, look, parse, same, word
from ansible.module_utils.hardhost_redaction import redact_text

# What containerd keeps of each running container, the system's own or the one that dockerd starts.
SHIMS = (
    "/run/containerd/io.containerd.runtime.*/moby/*",
    "/run/docker/containerd/daemon/io.containerd.runtime.*/moby/*",
)
PRIVATE = {"uid": 0, "gid": 0, "mode": 0o600}
LONGEST_STOP = 3600  # seconds that a container gets to stop at the most
KILLED = 60  # seconds that dockerd gets to end it then
START = 60  # seconds that dockerd gets to start a container
RESERVE, RESERVED = "reserve", 2**20  # a file, and its bytes, that no file system can make smaller
BOOT_PATH = "/etc/systemd/system/" + units.BOOT_UNIT
BOOT_LINK = "/etc/systemd/system/multi-user.target.wants/" + units.BOOT_UNIT
# Not ordered after docker.service: a dockerd that hangs at its start would keep it waiting for ever.
BOOT_UNIT = """[Unit]
Description=hardhost: go on with bringing daemon.json into force
ConditionPathExists=%s/job.json
After=local-fs.target containerd.service

[Service]
Type=exec
Environment=PYTHONPATH=%s
ExecStart=%s -m ansible.module_utils.hardhost_restart_job %s boot
Restart=on-failure

[Install]
WantedBy=multi-user.target
"""


class Worse(Exception):
    """Something that worked before does not work now; the text says what."""


class Job:
    """One change of the running daemon. `job` is job.json: see `docker_restart.describe_job` for its shape.

    `progress` is what an attempt that was killed knew, None for the first one. `booted`: the host went down meanwhile.
    """

    def __init__(self, job, folder, progress=None, booted=False):
        self.job = job
        self.folder = folder
        self.reserve = os.path.join(folder, RESERVE)
        self.path = job["path"]
        self.wanted = _bytes(job["wanted"])
        self.old = _bytes(job["old"]["blob"])
        # An interrupted job of an older release has neither.
        self.drop_ins = job.get("drop_ins", {})
        self.reloads = job.get("reloads", True)
        self.notes = []
        self.booted = booted
        self.there = files.read(self.path)  # the bytes that this job knows
        # It writes the old ones on its way back alone, which a full disk may have kept it from writing down.
        was_back = (self.there or b"") == self.old and not self._alike()
        self.progress = progress or self._first_look()
        # After a boot, containers run as their restart policies say: none is missed that was not stopped on purpose.
        self.before = [] if booted and not job["stop_first"] else self.progress["before"]
        self.live_restore = self._live_restore() or (self.progress["live_restore"] and not booted)
        if progress and was_back and not progress["returning"]:
            self.progress["returning"] = "an earlier attempt was on its way back, and ended there"
        self.returning = bool(self.progress["returning"])

    def _first_look(self):
        progress = {
            "before": [],
            "live_restore": False,
            "could": "",
            "returning": "",
            "settling": False,
            "started": None,
        }
        if not self.job["process"]:
            progress.update(live_restore=_survivors(), could="dockerd did not run")
        elif not self.booted:
            progress.update(
                before=[one for one in docker.containers() if not one["restarting"]],
                live_restore=self._live_restore(),
                could=trial.start_container(self.job["image"], self.job["run"].lower() + "-before"),
            )
        self._remember(progress)
        return progress

    def _remember(self, progress):
        """Keep what the next attempt must know, should this one be killed."""
        self.progress = progress
        data = json.dumps(progress).encode("utf-8")
        files.replace(os.path.join(self.folder, "progress.json"), data, PRIVATE)

    def run(self):
        """Do it; the result."""
        if not self._own_file():
            return self._result("foreign", "somebody else has changed %s meanwhile" % self.path)
        for path, choices in sorted(self.drop_ins.items()):
            if not drop_ins.is_one_of(path, choices.values()):
                return self._result("foreign", "somebody else has changed %s meanwhile" % path)
        if self.returning:
            return self._return(self.progress["returning"])
        if self.progress["could"]:
            self.notes.append("before any change: %s" % self.progress["could"])
        try:
            self._forward(check_trial=not self.progress["could"])
            self._try_to_remember(dict(self.progress, settling=True))
            process = self._settle(self.wanted, self.job["described"])
        except Exception as error:  # whatever went wrong, dockerd must come back
            return self._return(_worded(error))
        # Not to be taken back any more: what only the old file names goes with the record.
        self._record(process, self.wanted)
        return self._result("done", "")

    def _alike(self):
        """Whether the two files differ in nothing but keys that are set on the way: then either may be there on both ways."""
        return same(*[_without_passing(parse(data)) for data in (self.wanted, self.old)])

    def _own_file(self):
        """Whether daemon.json is one of the two, but for the keys that are set on the way."""
        try:
            there = _without_passing(parse(files.read(self.path)))
        except OptionsError:
            return False
        return any(same(there, _without_passing(parse(data))) for data in (self.wanted, self.old))

    def _forward(self, check_trial):
        if self.booted:
            self._came_up()
        if self.progress[
            "settling"
        ]:  # a second restart would find live-restore switched off already
            return
        if self.booted:
            self._try_container(check_trial)
            return
        keep = parse(self.wanted).get("live-restore") is True and self.reloads
        if self.before and keep and not self.live_restore and not self.job["swarm"]:
            if not service.reload(10, self._live_restore):
                raise Worse(
                    "live-restore could not be switched on by a reload: %s"
                    % service.log(time.time() - 15)
                )
            self.live_restore = True
            self._remember(dict(self.progress, live_restore=True))
        if self.job["step"] == "reload":
            self._reload()
        else:
            if not self._has_started():
                if self.job["stop_first"]:
                    self._stop_containers()
                self._start(self.wanted, self.job["described"])
            self._containers_again()
        self._try_container(check_trial)

    def _came_up(self):
        """The boot was the restart: wait until dockerd has started, or has not."""
        service.until(
            lambda: docker.answers() or _ended(units.show(service.UNIT)), self.job["timeout"]
        )
        if not docker.answers():
            raise Worse(
                "dockerd did not come up with the host: %s"
                % service.log(time.time() - self.job["timeout"])
            )

    def _try_container(self, check_trial):
        problem = check_trial and trial.start_container(
            self.job["image"], self.job["run"].lower() + "-after"
        )
        if problem:
            raise Worse(problem)

    def _reload(self):
        """Take over what a reload can; it leaves alone what the file does not name, so the defaults are named first."""
        options = parse(self.wanted)
        defaults = running.RELOAD_DEFAULTS.items()
        explicit = {key: value for key, value in defaults if key not in self.job["flags"]}
        explicit.update(options)
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
        self._put_drop_ins("wanted")
        self._write(self._kept(data), described)
        problem = service.restart(self.job["timeout"])
        if problem:
            raise Worse(problem)
        self._note_start()

    def _note_start(self):
        """An attempt that follows goes on with this dockerd: another start would stop containers again."""
        self._try_to_remember(dict(self.progress, started=self._this_start()))

    def _this_start(self):
        process = _process()
        return process and [units.boot(), process["pid"], process["started"], self.returning]

    def _has_started(self):
        """Whether an earlier attempt, on the same way, has started the dockerd that runs."""
        started = self.progress.get("started")
        return bool(started) and started == self._this_start() and docker.answers()

    def _put_drop_ins(self, which):
        """Put the drop-ins of the unit, "old" or "wanted", and have systemd read them: a killed attempt may not have."""
        for path, choices in sorted(self.drop_ins.items()):
            drop_ins.put(path, choices[which])
        if self.drop_ins:
            service.systemctl("daemon-reload")

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
        self._keep_foreign()
        if data == b"" and not described:
            files.remove(self.path)
        else:
            files.replace(self.path, data, described)
        self.there = files.read(self.path)

    def _keep_foreign(self):
        """What somebody else has written since this job looked is not lost: dockerd was not tried with it."""
        found = files.read(self.path)
        if found in (self.there, None):
            return
        copy = "%s.%s" % (os.path.realpath(self.path), self.job["run"])
        files.replace(copy, found, files.describe(self.path))
        self.notes.append(
            "somebody else has changed %s while dockerd was restarted: that text is in %s, and not in force"
            % (self.path, copy)
        )

    def _stop_containers(self):
        """Each has the time that it asks for. One that has stopped by itself is no error, also where it is gone by then."""
        for container in self.before:
            seconds = stop_seconds(container, self.job.get("stop_timeout", 10))
            path = "/containers/%s/stop?t=%d" % (container["id"], seconds)
            try:
                docker.request("POST", path, b"", timeout=seconds + KILLED)
            except docker.ApiError as error:
                if error.status != 404:
                    raise Worse(
                        "container %s does not stop: %s" % (container["name"], error)
                    ) from error

    def _containers_again(self):
        """The containers of before run again; those that were stopped are started, on the way back whatever the others do."""
        if self.job["data_root_changes"] and not self.returning:
            return
        missing = [one for one in self.before if not one["swarm"]]
        service.until(lambda: _all_run(missing), 5)
        for container in missing:
            try:
                self._start_again(container)
            except (Worse, docker.ApiError) as error:
                if not self.returning:
                    raise
                self.notes.append(str(error))

    def _start_again(self, container):
        """Start a container that ran before. Worse where that cannot be done."""
        found = docker.container_facts(container["id"])
        if found is None:
            self.notes.append("container %s has been removed meanwhile" % container["name"])
        if found is None or found["running"]:
            return
        survives = self.live_restore and not self.booted
        if survives and os.path.exists("/proc/%d" % container["pid"]):
            raise Worse("container %s runs on without its daemon" % container["name"])
        try:
            docker.request("POST", "/containers/%s/start" % container["id"], b"", timeout=START)
        except docker.ApiError as error:
            raise Worse(
                "container %s does not start again: %s" % (container["name"], error)
            ) from error
        self.notes.append("container %s was started again" % container["name"])

    def _return(self, why):
        """Put the old file back in force. What the message says is what the operator gets to see."""
        self.returning = True
        old, problem = self.job["old"], ""
        if not (self.progress["returning"] and self.progress["settling"] and docker.answers()):
            self._try_to_remember(dict(self.progress, returning=why, settling=False))
            problem = self._reload_old() if self._same_process() else self._start_old()
        files.remove(self.reserve)  # the records need room, and nothing that fails starts any more
        if problem:
            self._write(self.old, old["described"])
            return self._result("down", "%s; and with the old file: %s" % (why, problem))
        self._try_to_remember(dict(self.progress, settling=True))
        try:
            process = self._settle(self.old, old["described"])
        except Worse as error:
            return self._result("down", "%s; and with the old file: %s" % (why, error))
        try:
            self._record(process, self.old)
            self._reconcile()
        except (OSError, states.StateError) as error:
            self.notes.append("what was put back could not be recorded: %s" % error)
        return self._result("returned", why)

    def _try_to_remember(self, progress):
        """With a dockerd that serves, and on the way back, a full disk is no reason to stop: a killed job does more again."""
        try:
            self._remember(progress)
        except OSError:
            self.progress = progress

    def _reconcile(self):
        with states.locked():
            state = states.load()
            contents = {path: managed.content(path) for path in self.drop_ins}
            reconcile(state, self.path, parse(self.old), contents)
            states.save(state)

    def _same_process(self):
        """Whether the daemon was not restarted yet."""
        process = _process()
        return (
            bool(process)
            and bool(self.job["process"])
            and process["started"] == self.job["process"]["started"]
            and docker.answers()
        )

    def _reload_old(self):
        """Undo what a reload may have taken over, and start what was stopped for a restart that is not to come."""
        self._put_old(self.old)
        problem = ""
        if self.reloads and not service.reload(10, docker.answers):
            problem = "dockerd does not reload: %s" % service.log(time.time() - 15)
        if self.job["stop_first"]:
            self._containers_again()
        return problem

    def _start_old(self):
        """Start with the old file, twice where need be; "" when the API answers and the containers run."""
        self._put_old(self._kept(self.old))
        for _attempt in range(2):
            if self._has_started():
                break
            if not docker.answers():
                service.end_hanging()
            problem = service.restart(self.job["timeout"])
            if not problem:
                self._note_start()
                break
        else:
            return problem
        self._containers_again()
        return ""

    def _put_old(self, data):
        """The old drop-ins and these bytes, with the reserve where there is no room: not earlier, for a dockerd that systemd
        starts again and again with the new file may be what fills the disk."""
        try:
            self._put_drop_ins("old")
            self._write(data, self.job["old"]["described"])
        except OSError:
            files.remove(self.reserve)
            self._put_drop_ins("old")
            self._write(data, self.job["old"]["described"])

    def _settle(self, data, described):
        """Leave exactly these bytes, with live-restore as they say; the process that runs with them. Worse where none does."""
        options = parse(data)
        if (
            self._live_restore()
            and "live-restore" not in self.job["flags"]
            and options.get("live-restore") is not True
        ):
            self._switch_live_restore_off(
                word(dict(options, **{"live-restore": False}), data), described
            )
        self._write(data, described)
        process = _process()
        if not process:
            raise Worse("dockerd has ended again: %s" % service.log(time.time() - 15))
        return process

    def _switch_live_restore_off(self, data, described):
        if not self.reloads:
            self.notes.append(
                "live-restore stays on until somebody restarts Docker: %s" % running.NO_RELOAD
            )
            return
        self._write(data, described)
        if not service.reload(10, lambda: not self._live_restore()):
            self.notes.append("live-restore stays on until dockerd is started the next time")

    def _record(self, process, data):
        with states.locked():
            state = states.load()
            running.note(state, process, data, drop_ins.on_disk())
            if not self.returning:
                forget(state, self.path)
            states.save(state)

    def _live_restore(self):
        try:
            return bool(docker.get("/info")["LiveRestoreEnabled"])
        except docker.ApiError:
            return False

    def _result(self, outcome, message):
        left = [one["name"] for one in self.progress["before"] if not one["auto_remove"]]
        if left and outcome == "done" and self.job["stop_first"]:
            self.notes.append("stopped, and left in the old data root: %s" % ", ".join(left))
        return {
            "outcome": outcome,
            "message": message,
            "notes": self.notes,
            "finished": time.time(),
        }


def _survivors():
    """Whether containers run on without their daemon: one that starts without live-restore would end them."""
    return any(glob.glob(pattern) for pattern in SHIMS)


def stop_seconds(container, default):
    """What a container gets to stop before it is killed: what it asks for, but not for ever."""
    asked = container.get("stop_timeout")
    asked = default if asked is None else asked
    return asked if 0 <= asked <= LONGEST_STOP else LONGEST_STOP


def _all_run(containers):
    """Whether all of them run; those that do are dropped from the list."""
    containers[:] = [one for one in containers if not _runs(one)]
    return not containers


def _runs(container):
    """False too where dockerd does not say."""
    try:
        found = docker.container_facts(container["id"])
    except docker.ApiError:
        return False
    return bool(found and found["running"])


def _process():
    return units.process(int(units.show(service.UNIT).get("MainPID") or 0))


def _bytes(blob):
    return states.kept(blob) if blob else b""


def reconcile(state, path, options, drop_in_contents=None):
    """Make the records say what files put back hold: undone changes count again, those that are not there are dropped.

    `drop_in_contents`: `{path: content}` of the drop-ins that were put back.
    """
    state["changes"] = sorted(
        state["changes"] + state["undone"], key=lambda change: change["number"]
    )
    state["undone"] = []
    while True:
        newest, there = {}, drop_in_contents or {}
        for change in state["changes"]:
            if change["kind"] == "daemon_json_leaf" and change["target"] == path:
                newest[tuple(change["leaf"])] = change, look(options, change["leaf"])
            elif change["kind"] == "file" and change["target"] in there:
                newest[change["target"]] = change, there[change["target"]]
        untrue = [change for change, found in newest.values() if found != change["after"]]
        if not untrue:
            break
        state["changes"] = [change for change in state["changes"] if change not in untrue]
    forget(state, path)


def forget(state, path):
    """What was taken back is in force: its records go, and the kept original where nothing of ours is left."""
    given.settle(state)
    state["undone"] = []
    if not states.owned(state, "daemon_json_leaf", path):
        state["files"].pop(path, None)


def _worded(error):
    return str(error) if isinstance(error, Worse) else "%s: %s" % (type(error).__name__, error)


def _without_passing(options):
    return {key: value for key, value in options.items() if key not in running.RELOAD_DEFAULTS}


def _ended(unit):
    return unit.get("ActiveState") == "failed" or unit.get("SubState") == "auto-restart"


def main(folder, how=""):
    """Run the job of a folder and leave `result.json` there, whatever happens. `how`: "boot" where systemd starts it then."""
    with open(os.path.join(folder, "job.json"), encoding="utf-8") as stream:
        job = json.load(stream)
    with contextlib.suppress(states.UnwritableStateError):  # then nobody else can take it either
        take_lease(job)
    known = files.read(os.path.join(folder, "progress.json"))
    try:
        result = Job(job, folder, json.loads(known) if known else None, how == "boot").run()
    except Exception as error:  # the controller must learn of it, and the journal of where
        sys.stderr.write(redact_text(traceback.format_exc()))
        result = {
            "outcome": "broken" if docker.answers() else "stranded",
            "notes": [],
            "message": "%s: %s" % (type(error).__name__, error),
            "finished": time.time(),
        }
    finally:
        not_at_boot()
        with contextlib.suppress(OSError, states.StateError):  # it ends with this process anyway
            give_lease_back(job["run"])
    files.remove(os.path.join(folder, RESERVE))
    try:
        write_result(folder, result)
    except OSError:
        sys.stderr.write(redact_text("%(outcome)s: %(message)s\n" % result))
        raise


def take_lease(job):
    """As long as this process lives, and as its starts and waits may take."""
    with states.locked():
        state = states.load()
        states.claim(
            state, job["run"], job["holder"], job["longest"], process=states.this_process()
        )
        states.save(state)


def at_boot(folder):
    """Have systemd go on with the job should the host go down meanwhile. Nothing is loaded now: only a boot reads it."""
    text = BOOT_UNIT % (folder, folder, sys.executable, folder)
    files.replace(BOOT_PATH, text.encode("utf-8"), {"uid": 0, "gid": 0, "mode": 0o644})
    os.makedirs(os.path.dirname(BOOT_LINK), mode=0o755, exist_ok=True)
    if not os.path.islink(BOOT_LINK):
        os.symlink(BOOT_PATH, BOOT_LINK)
        files.sync_directory(os.path.dirname(BOOT_LINK))


def not_at_boot():
    """Take that back. Of a link, `files.remove` would remove what it leads to."""
    if os.path.islink(BOOT_LINK):
        os.unlink(BOOT_LINK)
    files.remove(BOOT_PATH)


def give_lease_back(run):
    """The controller may be gone: nobody else would do it."""
    with states.locked():
        state = states.load()
        states.release(state, run)
        states.save(state)


def reserve(folder):
    """Room that the way back gives up first, should the disk be full by then."""
    files.replace(os.path.join(folder, RESERVE), os.urandom(RESERVED), PRIVATE)


def write_result(folder, result):
    """Write result.json in one step."""
    data = json.dumps(result).encode("utf-8")
    files.replace(os.path.join(folder, "result.json"), data, PRIVATE)


if __name__ == "__main__":
    main(*sys.argv[1:])
