"""The surface of image_trust: what its controls read of a host, what they would change, and what must hold before.

`plan` is shared with the module that applies it: what preflight announces is what is done.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from ansible.module_utils import hardhost_content_trust as content_trust
from ansible.module_utils import hardhost_docker as docker
from ansible.module_utils import hardhost_managed as managed
from ansible.module_utils import hardhost_registries as registries
from ansible.module_utils import hardhost_signatures as signatures
from ansible.module_utils import hardhost_state as states
from ansible.module_utils.hardhost_preconditions import hold, not_applicable
from ansible.module_utils.hardhost_trust_reading import observe  # noqa: F401 - part of the surface

SIGNATURES = "image_trust/image_signatures"
NOTHING = {"files": [], "lines": [], "unwanted_lines": [], "images": []}


def read(facts, inputs):
    """The images that are there by digest, asked only where images are wanted."""
    return {
        "images": present_images()
        if inputs.get("image_trust_images") and facts["engine"]["running"]
        else []
    }


def present_images():
    """Every `repository@digest` that the engine has."""
    try:
        return sorted(
            {
                name
                for image in docker.get("/images/json", timeout=60)
                for name in image.get("RepoDigests") or []
            }
        )
    except docker.ApiError:
        return []


def plan(control, state, present):
    """What applying one control `{id, settings}` does: `{files, lines, unwanted_lines, images}`."""
    settings, found = control["settings"], dict(NOTHING)
    if "image_trust_authorities" in settings:
        found["files"] = registries.wanted_files(
            settings["image_trust_authorities"].get("registries") or {}
        )
    elif "image_trust_switch" in settings:
        switch = settings["image_trust_switch"]
        found["files"] = content_trust.wanted_files(switch)
        wanted, there = content_trust.wanted_lines(switch), content_trust.lines()
        created = any(one["path"] == content_trust.ENVIRONMENT for one in found["files"])
        found["lines"] = [] if created else [line for line in wanted if line not in there]
        ours = {
            change["after"]["value"]
            for change in state["changes"]
            if change["kind"] == "line" and change["control"] == control["id"]
        }
        found["unwanted_lines"] = sorted(line for line in ours - set(wanted) if line in there)
    elif "image_trust_signatures" in settings:
        wanted = settings["image_trust_signatures"].get("images") or []
        found["images"] = [one for one in wanted if one not in present]
    found["files"] = managed.different(
        found["files"] + _no_longer_wanted(control, state, found["files"])
    )
    return found


def _no_longer_wanted(control, state, wanted):
    """Files that this control wrote for inputs which have changed since: as they were before."""
    switch = control["settings"].get("image_trust_switch") or {}
    kept = {one["path"] for one in wanted} | (
        {content_trust.ENVIRONMENT} if "cron" in switch.get("clients", []) else set()
    )
    pins = switch.get("roots") or {}
    kept |= {
        change["target"]
        for change in state["changes"]
        if any("/trust/tuf/%s/metadata/" % name in change["target"] for name in pins)
    }
    oldest = {}
    for change in state["changes"]:
        if (
            change["kind"] == "file"
            and change["control"] == control["id"]
            and change["target"] not in kept
        ):
            oldest.setdefault(change["target"], change["before"])
    return [_as_before(path, before, control["id"]) for path, before in sorted(oldest.items())]


def _as_before(path, before, control):
    if not before["present"]:
        return managed.wanted(path, None, control)
    return managed.wanted(
        path, states.kept(before["blob"]), control, before["mode"], before["uid"], before["gid"]
    )


def changes(control, facts, _inputs):
    """`[{what, before, after}]` of what applying a control would change."""
    if not control["id"].startswith("image_trust/"):
        return []
    found = plan(
        control, facts["state"], facts.get("surfaces", {}).get("image_trust", {}).get("images", [])
    )
    shown = managed.changes(found["files"]).get(control["id"], [])
    shown += [
        {"what": "%s: %s" % (content_trust.ENVIRONMENT, line), "before": None, "after": "present"}
        for line in found["lines"]
    ]
    shown += [
        {"what": "%s: %s" % (content_trust.ENVIRONMENT, line), "before": "present", "after": None}
        for line in found["unwanted_lines"]
    ]
    return shown + [
        {"what": "image %s" % one, "before": None, "after": "verified and pulled"}
        for one in found["images"]
    ]


def signatures_verifiable(_facts, inputs, control):
    """Policy and keys can be understood, and the verifiers that they need are there."""
    settings = control["settings"].get("image_trust_signatures", {})
    problems = signatures.wrong(settings)
    if problems:
        return hold("; ".join(problems), "mend the input")
    missing = {
        name: problem
        for name, (_path, problem) in signatures.programs(settings, inputs).items()
        if problem
    }
    if missing:
        return hold(
            "; ".join(missing.values()),
            " and ".join(
                "install the package %s of your distribution, or put one on the host for root alone to write and give "
                "image_trust_%s: {path, sha256}" % (name, name)
                for name in missing
            )
            + "; nothing is downloaded",
        )
    return None


def content_trust_usable(facts, _inputs, control):
    """A client that still knows it, a server that is not the retired one, and nothing else that sets it."""
    settings, client = control["settings"].get("image_trust_switch", {}), facts["engine"]["client"]
    if client and not content_trust.known_to(client):
        return not_applicable(
            "the client %s has no Docker Content Trust any more (removed in 29.0); image_trust/"
            "image_signatures verifies images with any client" % client
        )
    problem = content_trust.refused(settings.get("server"))
    if problem:
        return hold(
            problem,
            "run a Notary server of your own (docs/image-trust.md), or use image_trust/image_signatures",
        )
    problems = content_trust.wrong(settings)
    return hold("; ".join(problems), "mend the input") if problems else _foreign_switch(settings)


def _foreign_switch(settings):
    """/etc/environment is read from top to bottom: two values of one variable would be a riddle."""
    wanted = content_trust.wanted_lines(settings)
    foreign = [
        line
        for line in content_trust.lines()
        if line.partition("=")[0].strip() in content_trust.variables(settings)
        and line not in wanted
        and not line.startswith("#")
    ]
    ours = {change["after"]["value"] for change in _recorded() if change["kind"] == "line"}
    foreign = [line for line in foreign if line not in ours]
    if wanted and foreign:
        return hold(
            "%s has %s" % (content_trust.ENVIRONMENT, ", ".join(foreign)),
            "remove it there, or leave out cron of image_trust_clients",
        )
    return None


def _recorded():
    try:
        return states.load()["changes"]
    except states.StateError:
        return []


def registry_certificates_usable(_facts, _inputs, control):
    """Authorities and certificates can be read, and keys are nobody else's."""
    settings = control["settings"].get("image_trust_authorities", {})
    problems = registries.wrong(settings.get("registries") or {})
    return hold("; ".join(problems), "mend image_trust_registry_certificates") if problems else None


PRECONDITIONS = {
    "content_trust_usable": content_trust_usable,
    "registry_certificates_usable": registry_certificates_usable,
    "signatures_verifiable": signatures_verifiable,
}
