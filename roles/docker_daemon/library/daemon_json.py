#!/usr/bin/python
"""Merge the settings of controls into daemon.json so that dockerd is sure to start with it, and remember what was there.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

DOCUMENTATION = r"""
module: daemon_json
short_description: Merge options into Docker's daemon.json
description:
  - Sets only the leaves that the controls name. Foreign keys and their order stay.
  - Checks the result with the engine's own C(dockerd --validate) and the unit's flags, and for what that does not see.
  - Creates the user and the id ranges that userns-remap needs before dockerd sees the option.
  - Records every change before making it, and replaces the file in one step. Never restarts anything.
options:
  controls: {type: list, elements: dict, required: true, description: 'List of {id, settings}.'}
  run: {type: str, required: true, description: The run id.}
  holder: {type: str, required: true, description: Who runs.}
author: hardhost
"""

EXAMPLES = r"""
- name: Merge the options
  daemon_json:
    controls: [{id: docker_daemon/icc, settings: {docker_daemon_options: {icc: false}}}]
    run: 20261121T180000Z-00000000
    holder: ops@bastion
"""

RETURN = r"""
controls: {type: dict, returned: always, description: 'Per control id: applied or unchanged.'}
path: {type: str, returned: always, description: The file.}
"""

import os
import shutil
import subprocess

from ansible.module_utils import hardhost_decisions as decisions
from ansible.module_utils import hardhost_facts
from ansible.module_utils import hardhost_files as files
from ansible.module_utils import hardhost_programs as programs
from ansible.module_utils import hardhost_role_module as role_module
from ansible.module_utils import hardhost_running as running
from ansible.module_utils import hardhost_state as states
from ansible.module_utils import hardhost_subids as subids
from ansible.module_utils.hardhost_options import OptionsError, difference, merge, parse, word
from ansible.module_utils.hardhost_problems import allows, new_problems
from ansible.module_utils.hardhost_redaction import redact_text
from ansible.module_utils.hardhost_role_module import Refused


def plan(facts, controls):
    """`(bytes, edits)` of daemon.json with the controls merged in. Refused where dockerd would not work with it."""
    current = facts["daemon_json"]
    if current["error"]:
        raise Refused(current["error"])
    try:
        options, edits = merge(current["options"], controls)
    except OptionsError as error:
        raise Refused("%s:%s" % (current["path"], error)) from error
    found = new_problems(options, running.accepted(facts), **decisions.context(facts))
    if found:
        raise Refused("; ".join(text for _key, text in found))
    return word(options, current["data"]) if edits else current["data"], edits


def validate(data, facts):
    """Ask the host's own dockerd, with the flags of its unit. Refused with dockerd's words."""
    if not allows(">=23.0", facts["engine"]["version"]):
        return
    # In memory: the file may hold passwords, and a run that is killed here must leave none behind.
    with os.fdopen(os.memfd_create("hardhost"), "wb") as stream:
        stream.write(data)
        stream.flush()
        path = "/proc/self/fd/%d" % stream.fileno()
        words = [facts["engine"]["binary"], "--validate", "--config-file", path] + flag_words(facts)
        try:
            done = subprocess.run(
                words,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=60,
                check=False,
                env={"PATH": programs.PATH},
                pass_fds=[stream.fileno()],
            )
        except subprocess.TimeoutExpired:  # whose text would name the flags
            raise Refused("dockerd --validate did not answer within 60 seconds") from None
    if done.returncode:
        text = (
            done.stdout.decode("utf-8", "replace")
            .strip()
            .replace(path, facts["daemon_json"]["path"])
        )
        raise Refused("dockerd --validate: %s" % redact_text(text))


def flag_words(facts):
    """The unit's flags without the one for the configuration file."""
    words, skip = [], False
    for word_ in facts["arguments"]["configured"][1:]:
        named = word_.lstrip("-").startswith("config-file")
        if not named and not skip:
            words.append(word_)
        skip = named and "=" not in word_
    return words


def ranges(facts, edits):
    """What userns-remap still needs on this host, None where it is not being set."""
    wanted = [edit["after"] for edit in edits if edit["leaf"] == ["userns-remap"]]
    if not wanted or not wanted[0]["present"] or wanted[0]["value"] in ("", "root"):
        return None
    control = next(edit["control"] for edit in edits if edit["leaf"] == ["userns-remap"])
    return dict(subids.needed(wanted[0]["value"], facts["identities"]), control=control)


def incomplete(needed):
    """Whether userns-remap is being set before its user and ranges are there."""
    return bool(needed and (needed["create_user"] or needed["subuid"] or needed["subgid"]))


def without_user(data):
    """daemon.json without userns-remap: dockerd refuses a user that does not exist yet, or makes one itself."""
    options = parse(data)
    options.pop("userns-remap", None)
    return word(options, data)


def make_ranges(state, needed, run):
    """Create the user and the ranges, recorded first; the host's own tools lock the files."""
    user = needed["user"]
    if needed["create_user"]:
        record(
            state,
            run,
            needed["control"],
            "user",
            "/etc/passwd",
            {"present": False},
            {"present": True, "value": user},
        )
        programs.run(
            [
                "useradd",
                "--system",
                "--user-group",
                "--no-create-home",
                "--home-dir",
                "/nonexistent",
                "--shell",
                shutil.which("nologin") or "/bin/false",
                user,
            ]
        )
    for kind, option in (("subuid", "--add-subuids"), ("subgid", "--add-subgids")):
        line = needed[kind]
        if line:
            record(
                state,
                run,
                needed["control"],
                "line",
                "/etc/" + kind,
                {"present": False},
                {"present": True, "value": line},
            )
            start, count = (int(number) for number in line.split(":")[1:])
            programs.run(["usermod", option, "%d-%d" % (start, start + count - 1), user])


def record(state, run, control, kind, target, before, after, **more):
    """Record one change and make the record last."""
    states.record(state, run, control, kind, target, before, after, **more)
    states.save(state)


def write(facts, data, edits, run, holder):
    """Record, then replace the file; everything under the host's lock and lease."""
    path = facts["daemon_json"]["path"]
    with states.work(run, holder) as state:
        if files.read(path) != facts["daemon_json"]["data"]:
            raise Refused("%s was changed by somebody else while we were at it; run again" % path)
        needed = ranges(facts, edits)
        if incomplete(needed):
            make_ranges(state, needed, run)
            validate(data, facts)
        make_directory(state, path, edits[0]["control"], run)
        known = dict(state, changes=list(state["changes"]), files=dict(state["files"]))
        remember(state, path, facts["daemon_json"])
        in_force = running.known(facts)
        if in_force is not None:
            running.note(state, facts["process"], in_force)
        for edit in edits:
            states.record(
                state,
                run,
                edit["control"],
                "daemon_json_leaf",
                path,
                edit["before"],
                edit["after"],
                leaf=edit["leaf"],
            )
        state["files"][path]["written"] = files.digest(data)
        states.save(state)
        described = facts["daemon_json"]["described"]
        like = {key: described[key] for key in ("uid", "gid", "mode")} if described else None
        try:
            files.replace(path, data, like)
        except OSError:
            state.update(changes=known["changes"], files=known["files"])  # it was not changed
            raise


def remember(state, path, current):
    """Keep the bytes from before our first change; later ones are told by the recorded leaves."""
    if path in state["files"]:
        return
    before = {"present": current["data"] is not None}
    if before["present"]:
        before.update(current["described"], blob=states.keep(current["data"]))
    state["files"][path] = {"before": before, "written": ""}


def make_directory(state, path, control, run):
    """Create the directory of daemon.json where a package left it out."""
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        record(state, run, control, "directory", folder, {"present": False}, {"present": True})
        os.makedirs(folder, mode=0o755)


def apply(parameters, check_mode):
    """The module's result. Refused where nothing may be written."""
    facts = hardhost_facts.collect_local()
    data, edits = plan(facts, parameters["controls"])
    before = facts["daemon_json"]["data"]
    touched = {edit["control"] for edit in edits}
    result = {
        **role_module.outcome([one["id"] for one in parameters["controls"]], touched),
        "path": facts["daemon_json"]["path"],
    }
    if edits:
        needed = ranges(facts, edits)
        result["diff"] = [difference(before, data, result["path"])] + shown_ranges(needed)
        validate(without_user(data) if incomplete(needed) else data, facts)
        if not check_mode:
            write(facts, data, edits, parameters["run"], parameters["holder"])
    return result


def shown_ranges(needed):
    """The diff of the user and the ranges."""
    if not needed:
        return []
    lines = {
        "/etc/passwd": needed["user"] if needed["create_user"] else None,
        "/etc/subuid": needed["subuid"],
        "/etc/subgid": needed["subgid"],
    }
    return [
        {"before": "", "after": line + "\n", "before_header": path, "after_header": path}
        for path, line in lines.items()
        if line
    ]


if __name__ == "__main__":
    role_module.run(apply, "daemon.json is as it was")
