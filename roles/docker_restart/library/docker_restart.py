#!/usr/bin/python
"""Bring daemon.json into force with at most one restart, by a job on the host that takes back what makes things worse.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_restart
short_description: Reload or restart dockerd where daemon.json is not in force yet
description:
  - Compares what is wanted with what runs, so that a restart which an earlier run owed is not lost.
  - Starts one transient systemd unit that does the work, and waits for it. The unit outlives the controller.
  - Fails when the old file had to be put back, and says why.
options:
  policy: {type: str, required: true, choices: [when_needed, never, window], description: When a restart is allowed.}
  window: {type: dict, default: {}, description: 'calendar and duration, for the policy window.'}
  stop_containers: {type: bool, default: false, description: Order the restart although containers stop.}
  timeout: {type: int, default: 120, description: Seconds that one start of dockerd may take.}
  image: {type: dict, default: {}, description: 'Per architecture, the trial image: its archive, zlib and base64.'}
  planned: {type: dict, default: {}, description: 'What preflight foresees: what it withholds stays withheld. All that check mode can go by.'}
  run: {type: str, required: true, description: The run id.}
  holder: {type: str, required: true, description: Who runs.}
author: hardhost
"""

EXAMPLES = r"""
- name: Bring daemon.json into force
  docker_restart: {policy: when_needed, run: 20261121T180000Z-00000000, holder: ops@bastion}
"""

RETURN = r"""
step: {type: str, returned: always, description: 'none, reload or restart.'}
keys: {type: list, returned: always, description: The options that ask for it.}
pending: {type: str, returned: always, description: Why it is withheld; empty otherwise.}
notes: {type: list, returned: always, description: What else the operator should know.}
"""

import base64
import contextlib
import json
import os
import platform
import shutil
import sys
import time
import zlib

from ansible.module_utils import hardhost_decisions as decisions
from ansible.module_utils import (
    hardhost_docker,
    hardhost_facts,
    hardhost_given,
    hardhost_keys,
    hardhost_managed,
    hardhost_restart_job,
    hardhost_trial,
    hardhost_unit,
    hardhost_unit_files,
)
from ansible.module_utils import hardhost_drop_ins as drop_ins
from ansible.module_utils import hardhost_files as files
from ansible.module_utils import hardhost_options as options
from ansible.module_utils import hardhost_programs as programs
from ansible.module_utils import hardhost_redaction as redaction
from ansible.module_utils import hardhost_running as running
from ansible.module_utils import hardhost_service as service
from ansible.module_utils import hardhost_state as states
from ansible.module_utils import hardhost_window as window
from ansible.module_utils.basic import AnsibleModule

FOLDER = "/var/lib/hardhost/job"
SHIPPED = (
    hardhost_docker,
    drop_ins,
    files,
    hardhost_given,
    hardhost_keys,
    hardhost_managed,
    options,
    programs,
    redaction,
    hardhost_restart_job,
    running,
    service,
    states,
    hardhost_trial,
    hardhost_unit,
    hardhost_unit_files,
)
ROOM, INODES = 4 * 2**20, 64  # free, for copies of daemon.json, the state and the job
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def longest(facts, parameters):
    """Seconds that a job may take at the most: three starts, four reloads, two trials, containers to stop and start.

    These are started on either way.
    """
    busy = [one for one in facts["containers"] if one["running"]]
    most = 3 * parameters["timeout"] + 600 + 2 * hardhost_restart_job.START * len(busy)
    if facts["process"] and moves(facts):
        for container in busy:
            most += hardhost_restart_job.stop_seconds(container, stop_timeout(facts))
            most += hardhost_restart_job.KILLED
    return most


def stop_timeout(facts):
    """Seconds that dockerd gives a container to stop which asks for none itself."""
    given = dict(running.accepted(facts), **facts["flags"]).get("default-stop-timeout")
    return given if isinstance(given, int) else 10


class Failed(Exception):
    """The daemon could not be brought to the wanted state; the text says how things stand now."""


def withheld(facts, parameters, step):
    """Why the daemon must not be touched now; "" where it may."""
    reason = window.closed(parameters["policy"], parameters["window"])
    if reason or step != "restart":
        return reason
    reason = decisions.withheld(
        facts, facts["daemon_json"]["options"], parameters["stop_containers"]
    )[0]
    planned = parameters["planned"]
    if not reason and planned and not planned["allowed"]:  # nobody has drained the host for it
        return "it was withheld when this run began: %s; run again" % planned["reason"]
    return reason


def moves(facts):
    """Whether the restart gives containers and images another home."""
    return decisions.moves(facts, facts["daemon_json"]["options"])


def describe_job(facts, parameters, step):
    """job.json: everything the job must know, so that it needs nobody any more."""
    daemon = facts["daemon_json"]
    # A restart where that is not known is withheld. Where none runs, there is this file alone.
    known = running.known(facts) if facts["process"] else daemon["data"]
    before = facts["state"]["files"].get(daemon["path"], {}).get("before", {})
    moving = bool(facts["process"]) and moves(facts)
    old = {
        "blob": states.keep(known) if known else None,
        "described": described(known, daemon, before),
    }
    return {
        "run": parameters["run"],
        "holder": parameters["holder"],
        "longest": longest(facts, parameters),
        "path": daemon["path"],
        "step": step,
        "timeout": parameters["timeout"],
        "wanted": states.keep(daemon["data"]) if daemon["data"] is not None else None,
        "described": daemon["described"],
        "old": old,
        "drop_ins": drop_ins.both(drop_ins.in_force(facts["state"], facts["process"])),
        "flags": facts["flags"],
        "reloads": running.reloads(facts),
        "process": facts["process"],
        "swarm": decisions.context(facts)["swarm"],
        "data_root_changes": moving,
        "stop_first": moving,
        "stop_timeout": stop_timeout(facts),
        "image": place_image(parameters["image"]),
    }


def described(known, daemon, before):
    """Owner, mode and time for the old bytes: those of the kept original where it is that, else those of today's file."""
    if before.get("blob") == files.digest(known):
        return before
    return daemon["described"] if known else None


def place_image(images):
    """Unpack the trial image for this architecture; its path, "" where there is none for it."""
    packed = images.get(ARCHITECTURES.get(platform.machine(), ""))
    if not packed:
        return ""
    path = os.path.join(FOLDER, "image.tar")
    files.replace(
        path, zlib.decompress(base64.b64decode(packed)), {"uid": 0, "gid": 0, "mode": 0o600}
    )
    return path


def place_code():
    """Put the sources which the job runs below its folder, under the names by which they import each other."""
    package = os.path.join(FOLDER, "ansible", "module_utils")
    os.makedirs(package, mode=0o700)
    for path in (os.path.dirname(package), package):
        files.replace(os.path.join(path, "__init__.py"), b"")
    for module in SHIPPED:
        name = module.__name__.rpartition(".")[2]
        source = module.__loader__.get_source(module.__name__)
        files.replace(os.path.join(package, name + ".py"), source.encode("utf-8"))


def launch(facts, parameters, step):
    """Start the job's unit and return at once. The job takes the lease over; until it has, nobody else gets the lock."""
    with states.work(parameters["run"], parameters["holder"]):
        shutil.rmtree(FOLDER, ignore_errors=True)
        os.makedirs(FOLDER, mode=0o700)
        place_code()
        job = describe_job(facts, parameters, step)
        data = json.dumps(job).encode("utf-8")
        files.replace(os.path.join(FOLDER, "job.json"), data, {"uid": 0, "gid": 0, "mode": 0o600})
        hardhost_restart_job.reserve(FOLDER)
        hardhost_restart_job.at_boot(FOLDER)
        start_unit(job["longest"])


def start_unit(seconds):
    """Start the job. systemd starts it again when it is killed, a few times."""
    words = [
        "systemd-run",
        "--unit=" + hardhost_unit.JOB_UNIT,
        "--collect",
        "--quiet",
        "--setenv=PYTHONPATH=" + FOLDER,
        "--setenv=PATH=" + programs.PATH,
        "--property=RuntimeMaxSec=%d" % seconds,
        "--property=Restart=on-failure",
        "--property=RestartSec=1",
        "--property=StartLimitBurst=4",
        "--property=StartLimitIntervalSec=1h",
        "--description=hardhost: bring daemon.json into force",
        sys.executable,
        "-m",
        "ansible.module_utils.hardhost_restart_job",
        FOLDER,
    ]
    try:
        programs.run(words, seconds=30)
    except programs.Failed as error:
        hardhost_restart_job.not_at_boot()
        raise Failed("the job could not be started, nothing was restarted: %s" % error) from error


def wait():
    """The result of the job that is at work."""
    path = os.path.join(FOLDER, "result.json")
    job = files.read(os.path.join(FOLDER, "job.json"))
    seconds = json.loads(job.decode("utf-8"))["longest"]
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        data = files.read(path)
        if data:
            return json.loads(data.decode("utf-8"))
        if not hardhost_unit.job_runs() and not os.path.exists(path):
            raise Failed(
                "the job ended without a result, and %s; see journalctl -u %s"
                % (
                    "the Docker API answers" if hardhost_docker.answers() else "DOCKER IS DOWN",
                    hardhost_unit.JOB_UNIT,
                )
            )
        time.sleep(0.3)
    raise Failed(
        "the job has not ended after %d seconds; see journalctl -u %s"
        % (seconds, hardhost_unit.JOB_UNIT)
    )


def settle(parameters, facts):
    """Nothing is left to do: forget what was taken back, give the lease back, and record with what dockerd runs."""
    with states.locked():
        if not hardhost_unit.job_runs():  # a power cut may have come between its link and its file
            hardhost_restart_job.not_at_boot()
        state = states.load()
        hardhost_restart_job.forget(state, facts["daemon_json"]["path"])
        known = running.known(facts)
        if known is not None:
            running.note(state, facts["process"], known)
        states.release(state, parameters["run"])
        states.save(state)


def apply(parameters, check_mode):
    """The module's result. Failed where the wanted state is not in force at the end."""
    if hardhost_unit.job_runs():
        wait()
    facts = hardhost_facts.collect()
    answer = {"changed": False, "step": "none", "keys": [], "pending": "", "notes": []}
    if not facts["engine"]["running"]:
        return not_running(facts, answer, parameters, check_mode)
    found = running.step(
        running.known(facts),
        facts["daemon_json"]["data"],
        running.shown(facts),
        running.reloads(facts),
    )
    answer["step"], answer["keys"] = running.with_due(found, running.due(facts))
    if check_mode and answer["step"] == "none" and parameters["planned"]:
        answer.update(step=parameters["planned"]["needed"], keys=parameters["planned"]["why"])
        return dict(
            answer,
            changed=answer["step"] != "none" and parameters["planned"]["allowed"],
            pending=parameters["planned"]["reason"],
        )
    if answer["step"] == "none":
        if not check_mode:
            settle(parameters, facts)
        return answer
    answer["pending"] = withheld(facts, parameters, answer["step"])
    if answer["pending"]:
        if (
            facts["state"]["lease"] and not check_mode
        ):  # this run ends here: the operator's next one may follow at once
            hardhost_restart_job.give_lease_back(parameters["run"])
        return answer
    answer["changed"] = True
    if not check_mode:
        make_sure_of_room(os.path.realpath(facts["daemon_json"]["path"]))
        launch(facts, parameters, answer["step"])
        result = wait()
        answer["notes"] = result["notes"]
        if result["outcome"] != "done":
            raise Failed(worded(result))
    return answer


def make_sure_of_room(path):
    """The way back writes files too: on a full disk, nothing is restarted."""
    for folder in (os.path.dirname(path), states.DIRECTORY, "/etc/systemd/system"):
        if not os.path.isdir(folder):
            continue
        found = os.statvfs(folder)
        if found.f_bavail * found.f_frsize < ROOM or (found.f_files and found.f_favail < INODES):
            raise Failed(
                "the file system of %s is full, and the way back needs room: nothing was restarted"
                % folder
            )


def not_running(facts, answer, parameters, check_mode):
    """A host without a daemon: fine while only looking; started where an undo has just put its file back; else a failure."""
    if check_mode or not facts["engine"]["installed"]:
        return answer
    if facts["state"]["undone"]:
        make_sure_of_room(os.path.realpath(facts["daemon_json"]["path"]))
        launch(facts, parameters, "restart")
        result = wait()
        if result["outcome"] == "done":
            keys = ["dockerd did not run"]
            return dict(answer, changed=True, step="restart", keys=keys, notes=result["notes"])
        raise Failed(
            "dockerd does not run, and does not start with the old file either: %s"
            % result["message"]
        )
    raise Failed(
        "dockerd does not run, and nothing here stopped it: %s%s"
        % (
            service.log(time.time() - 3600) or "see systemctl status docker",
            "; rollback.yml puts back what hardhost has changed"
            if facts["state"]["changes"]
            else "",
        )
    )


def leave(run, check_mode):
    """This run ends here: give its lease back, unless its job is at work."""
    with contextlib.suppress(states.StateError):  # the failure itself is what is to be said
        if not check_mode and not hardhost_unit.job_runs() and states.load()["lease"]:
            hardhost_restart_job.give_lease_back(run)


def worded(result):
    """What the operator reads when the job did not succeed."""
    ends = {
        "returned": "the old daemon.json is in force again and the Docker API answers",
        "down": "DOCKER IS DOWN; the old daemon.json is in place, see systemctl status docker",
        "stranded": "DOCKER IS DOWN, and the way back broke off; see systemctl status docker, then run again",
        "foreign": "nothing was restarted",
    }
    end = ends.get(result["outcome"], "the job broke off, the Docker API answers; run again")
    return "%s. What happened: %s%s" % (
        end,
        result["message"],
        "".join("; " + note for note in result["notes"]),
    )


def main():
    module = AnsibleModule(
        argument_spec={
            "policy": {
                "type": "str",
                "required": True,
                "choices": ["when_needed", "never", "window"],
            },
            "window": {"type": "dict", "default": {}},
            "stop_containers": {"type": "bool", "default": False},
            "timeout": {"type": "int", "default": 120},
            "planned": {"type": "dict", "default": {}},
            "image": {"type": "dict", "default": {}},
            "run": {"type": "str", "required": True},
            "holder": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    try:
        answer = apply(module.params, module.check_mode)
    except (Failed, states.StateError) as error:
        leave(module.params["run"], module.check_mode)
        module.fail_json(msg=redaction.redact_text(str(error)))
    except OSError as error:
        module.fail_json(msg="nothing was restarted: %s" % files.why(error))
    for note in answer["notes"] + (
        ["restart withheld: " + answer["pending"]] if answer["pending"] else []
    ):
        module.warn(redaction.redact_text(note))
    module.exit_json(**answer)


if __name__ == "__main__":
    main()
