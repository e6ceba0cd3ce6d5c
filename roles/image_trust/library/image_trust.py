#!/usr/bin/python
"""Verify images and pull them by digest, and write what their trust needs, for all controls in one call.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

DOCUMENTATION = r"""
module: image_trust
short_description: Verify images and set what their trust needs
description:
  - Writes what the controls want to be there, then verifies every wanted image before the first is pulled, by digest.
  - An image that must be signed and is not ends the work before anything is pulled.
  - Records every change before making it.
options:
  controls: {type: list, elements: dict, required: true, description: 'List of {id, settings}.'}
  inputs: {type: dict, default: {}, description: 'image_trust_cosign, image_trust_notation.'}
  run: {type: str, required: true, description: The run id.}
  holder: {type: str, required: true, description: Who runs.}
author: hardhost
"""

EXAMPLES = r"""
- name: Tell the daemon the authority of a registry
  image_trust:
    controls:
      - id: image_trust/registry_certificates
        settings: {image_trust_authorities: {registries: {"registry.example:5000": {ca: "-----BEGIN CERTIFICATE-----..."}}}}
    run: 20261121T180000Z-00000000
    holder: ops@bastion
"""

RETURN = r"""
controls: {type: dict, returned: always, description: 'Per control id: applied or unchanged.'}
images: {type: list, returned: always, description: The images that were pulled.}
reported: {type: list, returned: always, description: 'Images that are not signed and were pulled all the same, by policy.'}
"""

import os
import subprocess

from ansible.module_utils import hardhost_content_trust as content_trust
from ansible.module_utils import hardhost_facts
from ansible.module_utils import hardhost_files as files
from ansible.module_utils import hardhost_images as images
from ansible.module_utils import hardhost_managed as managed
from ansible.module_utils import hardhost_programs as programs
from ansible.module_utils import hardhost_role_module as role_module
from ansible.module_utils import hardhost_signatures as signatures
from ansible.module_utils import hardhost_state as states
from ansible.module_utils import hardhost_surface_image_trust as surface
from ansible.module_utils.hardhost_role_module import Refused

PULL_SECONDS = 600  # for one image
HIDDEN = (".key", "/client.key")


def plan(controls):
    """`{control id: what to do}`."""
    state, present = states.load(), surface.present_images()
    return {control["id"]: surface.plan(control, state, present) for control in controls}


def judge(wanted, settings, inputs):
    """`(refused, reported)`: texts on those of the images that are not signed as the policy demands."""
    refused, reported = [], []
    with signatures.Verifier(
        settings, inputs, seconds=signatures.SECONDS * max(3, len(wanted))
    ) as verifier:
        for reference in wanted:
            parsed = images.parse(reference)
            found = verifier.judge(parsed["repository"], [parsed["digest"]])
            if found["action"] != "ignore" and not found["signed"]:
                text = "%s: %s (rule %s)" % (reference, found["reason"], found["rule"] or "none")
                (refused if found["action"] == "require" else reported).append(text)
    return refused, reported


def prove(text):
    """sudo has to like its file: one that it cannot read ends every sudo on the host."""
    try:
        done = subprocess.run(
            ["visudo", "-c", "-f", "-"],
            input=text,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=30,
            check=False,
            env={"PATH": programs.PATH, "LC_ALL": "C"},
        )
    except FileNotFoundError:
        return  # no sudo, nobody reads the file
    if done.returncode:
        raise Refused(
            "visudo does not accept what sudo was to be given: %s"
            % done.stdout.decode("utf-8", "replace").strip()
        )


def write(state, todo, run):
    """Files and lines, recorded first."""
    wanted = [one for found in todo.values() for one in found["files"]]
    for one in wanted:
        if one["path"] == content_trust.SUDO and one["data"] is not None:
            prove(one["data"])
        _homes(state, one, run)
    written = managed.write(state, wanted, run)
    for identifier, found in todo.items():
        _lines(state, identifier, found, run)
    if any(one["path"].startswith("/etc/systemd/system/") for one in written):
        reload_systemd()


def _homes(state, one, run):
    """Directories of a user's client belong to the user, and to nobody else; no link is followed there."""
    if "/.docker/" not in one["path"] or one["data"] is None:
        return
    missing, folder = [], os.path.dirname(one["path"])
    home = one["path"].partition("/.docker/")[0]
    if os.path.realpath(one["path"]) != os.path.realpath(home) + one["path"][len(home) :]:
        raise Refused("%s leads elsewhere, by a link: it is left alone" % one["path"])
    while not os.path.isdir(folder):
        missing.append(folder)
        folder = os.path.dirname(folder)
    for path in reversed(missing):
        states.record(
            state, run, one["control"], "directory", path, {"present": False}, {"present": True}
        )
        states.save(state)
        os.mkdir(path, 0o700)
        os.chown(path, one["uid"], one["gid"])


def _lines(state, control, found, run):
    """/etc/environment line by line: it is not ours."""
    if not found["lines"] and not found["unwanted_lines"]:
        return
    described = files.describe(content_trust.ENVIRONMENT)
    data = content_trust.with_lines(found["lines"], found["unwanted_lines"])
    for line in found["lines"]:
        states.record(
            state,
            run,
            control,
            "line",
            content_trust.ENVIRONMENT,
            {"present": False},
            {"present": True, "value": line},
        )
    states.save(state)
    files.replace(
        content_trust.ENVIRONMENT, data, {key: described[key] for key in ("uid", "gid", "mode")}
    )
    state["changes"] = [
        change
        for change in state["changes"]
        if not (
            change["kind"] == "line"
            and change["control"] == control
            and change["after"]["value"] in found["unwanted_lines"]
        )
    ]
    states.save(state)


def reload_systemd():
    """Make systemd read its files again; it does not restart any service."""
    programs.run(["systemctl", "daemon-reload"], check=False)


def pull(reference):
    """Pull an image by its digest, with root's logins. Refused with the client's words."""
    try:
        done = subprocess.run(
            ["docker", "pull", "--disable-content-trust", "--quiet", reference],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=PULL_SECONDS,
            check=False,
            env={"PATH": programs.PATH, "HOME": "/root", "LC_ALL": "C"},
        )
    except subprocess.TimeoutExpired as error:
        raise Refused(
            "%s could not be pulled within %d seconds" % (reference, PULL_SECONDS)
        ) from error
    except OSError as error:
        raise Refused("the docker client cannot be run: %s" % error.strerror) from error
    if done.returncode:
        raise Refused(
            "%s could not be pulled: %s"
            % (reference, done.stdout.decode("utf-8", "replace").strip())
        )


def moves(facts):
    """Whether dockerd will move to another data root with its next start, and leave behind what is pulled now."""
    remapped = any(
        option.startswith("name=userns") for option in facts["info"].get("SecurityOptions", [])
    )
    return bool(facts["daemon_json"]["options"].get("userns-remap")) != remapped


def obtain(todo, controls, parameters):
    """Verify all wanted images, then pull them. `(pulled, reported, warnings)`."""
    wanted = todo.get(surface.SIGNATURES, surface.NOTHING)["images"]
    if not wanted:
        return [], [], []
    settings = next(one["settings"] for one in controls if one["id"] == surface.SIGNATURES)[
        "image_trust_signatures"
    ]
    seconds = states.LEASE_SECONDS + PULL_SECONDS * len(wanted)
    with states.work(parameters["run"], parameters["holder"], seconds) as state:
        refused, reported = judge(wanted, settings, parameters["inputs"])
        if refused:
            raise Refused(
                "nothing was pulled, for these images are not signed as image_trust_policy demands: %s"
                % "; ".join(refused)
            )
        if moves(hardhost_facts.collect_local()):
            return (
                [],
                reported,
                [
                    "images are pulled by the next run: dockerd is about to move to another data root"
                ],
            )
        for reference in wanted:
            recorded(state, reference, parameters["run"])
    return wanted, reported, []


def recorded(state, reference, run):
    """Pull an image, recorded first; what did not come is not ours to remove later."""
    change = states.record(
        state, run, surface.SIGNATURES, "image", reference, {"present": False}, {"present": True}
    )
    states.save(state)
    try:
        pull(reference)
    except Refused:
        state["changes"].remove(change)
        raise


def apply(parameters, check_mode):
    """The module's result. Refused where something cannot be done."""
    controls = parameters["controls"]
    todo = plan(controls)
    touched = {identifier for identifier, found in todo.items() if any(found.values())}
    wanted = [one for found in todo.values() for one in found["files"]]
    result = {
        **role_module.outcome([one["id"] for one in controls], touched),
        "images": [],
        "reported": [],
        "diff": differences(todo, wanted),
    }
    if check_mode or not touched:
        return result
    if any(found["files"] or found["lines"] or found["unwanted_lines"] for found in todo.values()):
        with states.work(parameters["run"], parameters["holder"]) as state:
            write(state, todo, parameters["run"])
    result["images"], result["reported"], warnings = obtain(todo, controls, parameters)
    result["warnings"] = warnings + [
        "not signed, but pulled as image_trust_policy says: " + one for one in result["reported"]
    ]
    return result


def differences(todo, wanted):
    """For --diff; keys are not shown."""
    shown = managed.differences(
        wanted, [one["path"] for one in wanted if one["path"].endswith(HIDDEN)]
    )
    for found in todo.values():
        for name in ("lines", "unwanted_lines"):
            if found[name]:
                texts = ["".join(line + "\n" for line in found[name]), ""]
                before, after = texts if name == "unwanted_lines" else texts[::-1]
                shown.append(
                    {
                        "before": before,
                        "after": after,
                        "before_header": content_trust.ENVIRONMENT,
                        "after_header": content_trust.ENVIRONMENT,
                    }
                )
        shown += [
            {"before": "", "after": one + "\n", "before_header": "images", "after_header": "images"}
            for one in found["images"]
        ]
    return shown


if __name__ == "__main__":
    role_module.run(apply, "image trust is not as wanted", inputs={"type": "dict", "default": {}})
