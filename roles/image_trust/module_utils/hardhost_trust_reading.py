"""What the checks of image_trust want to know of the live system. Changes nothing but the memory of accepted signatures.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import os
import pwd
import re
import socket
import ssl
import subprocess
import time
import urllib.parse

from ansible.module_utils import hardhost_content_trust as content_trust
from ansible.module_utils import hardhost_docker as docker
from ansible.module_utils import hardhost_files as files
from ansible.module_utils import hardhost_images as images
from ansible.module_utils import hardhost_managed as managed
from ansible.module_utils import hardhost_programs as programs
from ansible.module_utils import hardhost_registries as registries
from ansible.module_utils import hardhost_signatures as signatures

SECONDS = 10  # for a shell, a registry
ALL_SECONDS = (
    15  # for all questions of one kind to registries: what was not asked by then has no answer
)
SUDO, CRON = (
    "/usr/bin/sudo",
    ("/usr/sbin/cron", "/usr/sbin/crond"),
)  # what is not installed switches nobody
ABOUT_CONTAINERS = {"image_signatures", "image_digests", "registry_allow_list"}


def observe(facts, inputs, settings):
    """`{control name: what was found}` for those of the controls that are asked about."""
    asked = {
        identifier.partition("/")[2]: wanted
        for identifier, wanted in settings.items()
        if identifier.startswith("image_trust/")
    }
    running = _running(facts) if ABOUT_CONTAINERS & set(asked) else []
    readers = {
        "content_trust_ineffective": lambda _wanted: _ineffective(facts),
        "registry_credentials_protected": lambda _wanted: registries.credentials(
            registries.homes()
        ),
        "image_signatures": lambda wanted: _signatures(
            wanted.get("image_trust_signatures", {}), inputs, running
        ),
        "image_digests": lambda _wanted: _digests(running),
        "registry_allow_list": lambda _wanted: _origins(inputs, running, facts),
        "registry_certificates": lambda wanted: _certificates(
            wanted.get("image_trust_authorities", {})
        ),
        "content_trust": lambda wanted: _switch(wanted.get("image_trust_switch", {})),
    }
    return {name: readers[name](wanted) for name, wanted in asked.items() if name in readers}


def _running(facts):
    """`[{name, reference, named, tag, digest, digests, repositories}]` of the containers that run."""
    found = []
    for one in facts["containers"]:
        if one["running"]:
            try:
                inspected = docker.get("/containers/%s/json" % one["id"])
                image = docker.get("/images/%s/json" % inspected["Image"])
            except docker.ApiError:
                continue  # it has ended
            reference = inspected["Config"]["Image"]
            found.append(
                dict(images.of_container(reference, image), name=one["name"], reference=reference)
            )
    return found


def _ineffective(facts):
    given = content_trust.leftovers(registries.homes()) + content_trust.processes()
    return content_trust.ineffective(given, facts["engine"]["client"])


def _signatures(settings, inputs, running):
    """`{problem, containers: [{name, …}], images: [{reference, present, …}]}` with what the verifier says of each."""
    with signatures.Verifier(settings, inputs) as verifier:
        if verifier.problem:
            return {"problem": verifier.problem, "containers": [], "images": []}
        containers = [
            dict(_strictest(verifier, one), name=one["name"], reference=one["reference"])
            for one in running
        ]
        present = set(_by_digest())
        listed = []
        for reference in settings.get("images") or []:
            parsed = images.parse(reference)
            listed.append(
                dict(
                    verifier.judge(parsed["repository"], [parsed["digest"]]),
                    reference=reference,
                    present=reference in present,
                )
            )
    return {"problem": "", "containers": containers, "images": listed}


def _strictest(verifier, one):
    """What counts for a container whose image has several names: the verdict that is worst."""
    found = [
        verifier.judge(repository, one["digests"]) for repository in one["repositories"] or [""]
    ]
    return min(
        found,
        key=lambda answer: (
            signatures.ACTIONS.index(answer["action"]) if not answer["signed"] else 3
        ),
    )


def _by_digest():
    try:
        return [
            name
            for image in docker.get("/images/json", timeout=60)
            for name in image.get("RepoDigests") or []
        ]
    except docker.ApiError:
        return []


def _digests(running):
    """What runs, with the digest that its tag stands for in its registry now; each tag is asked for once."""
    until, known = time.monotonic() + ALL_SECONDS, {}
    for one in running:
        name = "%s:%s" % (one["named"], one["tag"])
        if (
            not one["digest"]
            and one["tag"]
            and one["named"]
            and one["digests"]
            and name not in known
        ):
            known[name] = _means(name) if time.monotonic() < until else ""
    return [
        dict(
            one, means="" if one["digest"] else known.get("%s:%s" % (one["named"], one["tag"]), "")
        )
        for one in running
    ]


def _means(name):
    """The digest that a tag stands for in its registry now; "" where there is no telling."""
    try:
        path = "/distribution/%s/json" % urllib.parse.quote(name, safe="/:")
        return docker.get(path, timeout=SECONDS)["Descriptor"]["digest"]
    except (docker.ApiError, KeyError, TypeError):
        return ""


def _origins(inputs, running, facts):
    """`{containers: [{name, reference, from, allowed}], mirrors: [{url, allowed}]}`."""
    allowed = inputs.get("image_trust_registries") or []
    found = []
    for one in running:
        origins = one["repositories"] if one["pulled_from"] else ["local"]
        found.append(
            {
                "name": one["name"],
                "reference": one["reference"],
                "from": origins,
                "allowed": all(images.covering(origin, allowed) for origin in origins),
            }
        )
    try:
        mirrors = (
            (docker.get("/info").get("RegistryConfig") or {}).get("Mirrors") or []
            if facts["engine"]["running"]
            else []
        )
    except docker.ApiError:
        mirrors = []
    hosts = [(url, urllib.parse.urlsplit(url)) for url in mirrors]
    return {
        "containers": found,
        "mirrors": [
            {
                "url": "%s://%s" % (parts.scheme, parts.netloc.rpartition("@")[2]),
                "allowed": bool(
                    images.covering(
                        parts.netloc.rpartition("@")[2] + parts.path.rstrip("/"), allowed
                    )
                ),
            }
            for _, parts in hosts
        ],
    }


def _certificates(settings):
    """`[{registry, missing, handshake}]`: what is not as wanted, and what a registry says to its authority."""
    wanted = settings.get("registries") or {}
    problems = registries.wrong(wanted)
    if problems:
        return [{"registry": "", "missing": problems, "handshake": ""}]
    found, until = [], time.monotonic() + ALL_SECONDS
    for name, parts in sorted(wanted.items()):
        different = managed.different(registries.wanted_files({name: parts}))
        asked = not different and time.monotonic() < until
        found.append(
            {
                "registry": name,
                "missing": [one["path"] for one in different],
                "handshake": handshake(name, parts.get("ca"))
                if asked
                else ""
                if different
                else "no answer",
            }
        )
    return found


def handshake(registry, authority):
    """What is wrong with the certificate of a registry that answers; "" where nothing is, "no answer" where none came."""
    host, _colon, port = registry.partition(":")
    context = ssl.create_default_context()
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # Python 3.13 refuses what Docker accepts
    if authority:
        context.load_verify_locations(cadata=authority)
    try:
        plain = socket.create_connection((host, int(port or 443)), SECONDS)
        with plain, context.wrap_socket(plain, server_hostname=host):
            return ""
    except ssl.SSLCertVerificationError as error:
        return "its certificate is refused: %s" % error.verify_message
    except (OSError, ValueError):
        return "no answer"


def _switch(settings):
    """`{wanted, places: {place: variables or None}, files: [paths that are not as wanted], roots: [texts]}`."""
    problem = content_trust.refused(settings.get("server")) or "; ".join(
        content_trust.wrong(settings)
    )
    if problem:
        return {"problem": problem, "wanted": {}, "places": {}, "files": [], "roots": []}
    wanted, clients = content_trust.variables(settings), settings.get("clients") or []
    places = {}
    if "login" in clients:
        places["a login shell"] = _printed(["/bin/sh", "-lc", "/usr/bin/env"])
    if "sudo" in clients and os.path.exists(SUDO):
        places["sudo"] = _printed([SUDO, "-n", "/usr/bin/env"])
    if "cron" in clients and any(map(os.path.exists, CRON)):
        places["cron"] = _assigned(
            "\n".join(content_trust.lines()) if _cron_reads_environment() else ""
        )
    for unit in settings.get("units") or []:
        places[unit] = _of_unit(unit)
    different = managed.different(content_trust.wanted_files(settings))
    return {
        "problem": "",
        "wanted": wanted,
        "places": places,
        "files": [one["path"] for one in different if "/tls/" in one["path"]],
        "roots": _unpinned(settings),
    }


def _printed(words):
    """The variables in the environment that a program prints; None where it cannot be run."""
    try:
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=SECONDS,
            check=False,
            env={"PATH": signatures.PATH, "HOME": "/root", "USER": "root"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return _assigned(done.stdout.decode("utf-8", "replace")) if done.returncode == 0 else None


def _assigned(text):
    return {one["variable"]: one["value"] for one in content_trust.assignments(text)}


def _cron_reads_environment():
    """Whether cron's sessions get /etc/environment, by pam_env."""
    for name in ("cron", "crond"):
        text = (files.read("/etc/pam.d/" + name) or b"").decode("utf-8", "replace")
        if re.search(r"^\s*(session|auth)\s.*pam_env\.so", text, re.MULTILINE):
            return True
    return False


def _of_unit(unit):
    words = ["systemctl", "show", "-p", "Environment", "--value", unit]
    try:
        return _assigned(programs.run(words, check=False, seconds=SECONDS))
    except programs.Failed:
        return None


def _unpinned(settings):
    """What a user's client believes in place of the pinned root keys."""
    found = []
    for user in settings.get("users") or []:
        for repository, text in sorted((settings.get("roots") or {}).items()):
            path = "%s/.docker/trust/tuf/%s/metadata/root.json" % (
                pwd.getpwnam(user).pw_dir,
                repository,
            )
            held = content_trust.root_keys((files.read(path) or b"").decode("utf-8", "replace"))
            if held != content_trust.root_keys(text):
                found.append("%s: %s has %s" % (path, user, "other root keys" if held else "none"))
    return found
