"""Docker Content Trust: where clients are told to use it, what they need for it, and where a leftover does harm.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import glob
import grp
import json
import os
import pwd
import re

from ansible.module_utils import hardhost_files as files
from ansible.module_utils import hardhost_managed as managed
from ansible.module_utils.hardhost_problems import allows

CONTROL = "image_trust/content_trust"
VARIABLE, SERVER = "DOCKER_CONTENT_TRUST", "DOCKER_CONTENT_TRUST_SERVER"
REMOVED_IN = "29.0"  # of docker/cli
PUBLIC = ("notary.docker.io",)
RETIRED = "Docker's public Notary server is shut down on 2026-12-08 and official images are no longer signed there"

LOGIN = "/etc/profile.d/zz-hardhost-content-trust.sh"
SUDO = "/etc/sudoers.d/hardhost-content-trust"
SUDO_FILE = "/etc/hardhost-content-trust.env"
ENVIRONMENT = "/etc/environment"  # pam_env reads it: cron, su, ssh
URL = re.compile(r"https://([A-Za-z0-9][A-Za-z0-9.-]*(?::\d{1,5})?)/?")
UNIT = re.compile(r"[A-Za-z0-9][A-Za-z0-9@_.\\:-]*\.service")
REPOSITORY = re.compile(r"[a-z0-9][a-z0-9.-]*(:\d{1,5})?(/[a-z0-9][a-z0-9._-]*)+")
HEADER = "# Written by hardhost for image_trust/content_trust.\n"

# Where people put environment variables. Globs; `~` is every home directory.
PLACES = (
    "/etc/environment",
    "/etc/profile",
    "/etc/profile.d/*.sh",
    "/etc/bash.bashrc",
    "/etc/bashrc",
    "/etc/zsh/z*",
    "/etc/security/pam_env.conf",
    "/etc/sudoers",
    "/etc/sudoers.d/*",
    "/etc/crontab",
    "/etc/cron.d/*",
    "/var/spool/cron/crontabs/*",
    "/var/spool/cron/*",
    "/etc/default/docker",
    "/etc/sysconfig/docker",
    "/etc/hardhost-content-trust.env",
    "/etc/environment.d/*.conf",
    "/etc/systemd/system.conf",
    "/etc/systemd/system.conf.d/*.conf",
    "/etc/systemd/system/*.service",
    "/etc/systemd/system/*.d/*.conf",
    "/run/systemd/system/*.service",
    "~/.profile",
    "~/.bash_profile",
    "~/.bash_login",
    "~/.bashrc",
    "~/.zshrc",
    "~/.zshenv",
    "~/.zprofile",
    "~/.pam_environment",
    "~/.config/environment.d/*.conf",
)
ASSIGNMENT = re.compile(
    r"\b(DOCKER_CONTENT_TRUST(?:_SERVER)?)\b[\"']?(?:\s+(?:DEFAULT|OVERRIDE))?\s*=\s*[\"']?([^\s\"';&|]*)"
)
OFF = (
    "0",
    "f",
    "F",
    "false",
    "FALSE",
    "False",
)  # what the client takes for off; everything else is on
SHARED = (
    "/etc/environment",
    "/etc/profile",
)  # what is given there holds for more than the file itself
LARGEST = 1 << 20


def known_to(client):
    """Whether a client of this version knows Docker Content Trust."""
    return bool(client) and allows("<" + REMOVED_IN, client)


def refused(server):
    """Why this server cannot be used; "" where it can."""
    found = URL.fullmatch(server or "")
    if not found:
        return "image_trust_server must be https://host:port, not %r" % server
    return (
        "%s: %s" % (server, RETIRED) if found.group(1).partition(":")[0].lower() in PUBLIC else ""
    )


def wrong(settings):
    """What is wrong with the settings beside the server; [] where nothing is."""
    problems = [
        "image_trust_units: %r is no name of a service" % one
        for one in settings.get("units") or []
        if not UNIT.fullmatch(str(one))
    ]
    problems += [
        "image_trust_clients: %r is none of login, sudo, cron" % one
        for one in settings.get("clients") or []
        if one not in ("login", "sudo", "cron")
    ]
    problems += [
        "image_trust_roots: %r is no registry/path" % one
        for one in settings.get("roots") or {}
        if not REPOSITORY.fullmatch(str(one))
    ]
    problems += [
        "image_trust_roots: what %s has is no root.json" % one
        for one, text in (settings.get("roots") or {}).items()
        if not root_keys(text)
    ]
    if settings.get("ca") and "-----BEGIN CERTIFICATE-----" not in settings["ca"]:
        problems.append("image_trust_server_ca is no certificate in PEM")
    return problems + [
        "image_trust_users: %s" % text
        for text in map(_wrong_user, settings.get("users") or [])
        if text
    ]


def _wrong_user(name):
    """Root writes into these homes: only for those who could become root anyway, by way of the daemon's socket."""
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return "there is no user %s" % name
    try:
        members = grp.getgrnam("docker")
    except KeyError:
        members = None
    if entry.pw_uid == 0 or members and (name in members.gr_mem or entry.pw_gid == members.gr_gid):
        return ""
    return "%s is neither root nor of the group docker, and has no client to set up" % name


def root_keys(text):
    """The ids of the root keys in a `root.json`; () where it is none."""
    try:
        return tuple(sorted(json.loads(text)["signed"]["roles"]["root"]["keyids"]))
    except (ValueError, KeyError, TypeError):
        return ()


def variables(settings):
    """What the clients' environment is to hold."""
    return {VARIABLE: "1", SERVER: settings["server"].rstrip("/")}


def wanted_files(settings):
    """Everything `content_trust` writes."""
    values, clients = variables(settings), settings.get("clients") or []
    plain = "".join("%s=%s\n" % item for item in sorted(values.items()))
    found = []
    if "login" in clients:
        exports = "".join("export %s=%s\n" % item for item in sorted(values.items()))
        found.append(managed.wanted(LOGIN, HEADER + exports, CONTROL))
    if "sudo" in clients:
        found.append(managed.wanted(SUDO_FILE, plain, CONTROL))
        found.append(
            managed.wanted(SUDO, HEADER + 'Defaults env_file="%s"\n' % SUDO_FILE, CONTROL, 0o440)
        )
    if "cron" in clients and not os.path.exists(ENVIRONMENT):
        found.append(managed.wanted(ENVIRONMENT, plain, CONTROL))
    assignments = "".join('Environment="%s=%s"\n' % item for item in sorted(values.items()))
    for unit in settings.get("units") or []:
        found.append(managed.wanted(drop_in(unit), HEADER + "[Service]\n" + assignments, CONTROL))
    for user in settings.get("users") or []:
        found += _of_user(settings, pwd.getpwnam(user))
    return found


def drop_in(unit):
    """Our drop-in of a service."""
    return "/etc/systemd/system/%s.d/50-hardhost-content-trust.conf" % unit


def wanted_lines(settings):
    """The lines that /etc/environment is to hold; the file is everybody's."""
    if "cron" not in (settings.get("clients") or []):
        return []
    return ["%s=%s" % item for item in sorted(variables(settings).items())]


def lines():
    """The lines of /etc/environment."""
    return (files.read(ENVIRONMENT) or b"").decode("utf-8", "surrogateescape").splitlines()


def with_lines(wanted, unwanted):
    """The bytes of /etc/environment with and without these lines; the others stay as they are."""
    kept = [line for line in lines() if line not in unwanted]
    kept += [line for line in wanted if line not in kept]
    return "".join(line + "\n" for line in kept).encode("utf-8", "surrogateescape")


def _of_user(settings, user):
    """The authority of the server, and the root keys which the user's client has to believe."""
    found, folder = [], os.path.join(user.pw_dir, ".docker")
    host = URL.fullmatch(settings["server"]).group(1)
    if settings.get("ca"):
        found.append(
            managed.wanted(
                os.path.join(folder, "tls", host, "ca.crt"),
                settings["ca"].strip() + "\n",
                CONTROL,
                0o644,
                user.pw_uid,
                user.pw_gid,
            )
        )
    for repository, text in sorted((settings.get("roots") or {}).items()):
        path = os.path.join(folder, "trust/tuf", repository, "metadata/root.json")
        # A client replaces the file by a newer one which the old keys have signed: the keys count, not the bytes.
        if root_keys((files.read(path) or b"").decode("utf-8", "replace")) != root_keys(text):
            found.append(managed.wanted(path, text, CONTROL, 0o600, user.pw_uid, user.pw_gid))
    return found


def leftovers(everybody, places=PLACES):
    """`[{where, variable, value}]`: every place that gives one of the variables a value."""
    found = []
    for place in places:
        patterns = (
            [home + place[1:] for _user, home in everybody] if place.startswith("~") else [place]
        )
        for path in sorted({path for pattern in patterns for path in glob.glob(pattern)}):
            found += [dict(one, where=path) for one in assignments(_text(path))]
    return found


def assignments(text):
    """The values that a text of any of these kinds gives; what is commented out does not count."""
    found = []
    for line in text.splitlines():
        if not line.lstrip().startswith(("#", ";")):
            found += [
                {"variable": name, "value": value} for name, value in ASSIGNMENT.findall(line)
            ]
    return found


def _text(path):
    try:
        if not os.path.isfile(path) or os.path.getsize(path) > LARGEST:
            return ""
        return (files.read(path) or b"").decode("utf-8", "replace")
    except OSError:
        return ""


def processes():
    """`[{where, variable, value}]` of what runs outside of containers; one entry for each program and value."""
    found = set()
    for folder in glob.glob("/proc/[0-9]*"):
        try:
            if not os.path.samefile(folder + "/root", "/"):
                continue  # a container: what its environment holds is not read
            with open(folder + "/environ", "rb") as stream:
                entries = stream.read(1 << 18).decode("utf-8", "replace").split("\0")
            with open(folder + "/comm", encoding="utf-8") as stream:
                name = stream.read().strip()
        except OSError:
            continue  # it has ended
        given = [entry.partition("=") for entry in entries]
        found |= {
            ("process " + name, variable, value)
            for variable, _, value in given
            if variable in (VARIABLE, SERVER)
        }
    return [
        {"where": where, "variable": variable, "value": value}
        for where, variable, value in sorted(found)
    ]


def ineffective(found, client):
    """`[text]`: of all that was found, what breaks pulls or does nothing."""
    servers, on = {}, {}
    for one in found:
        (servers if one["variable"] == SERVER else on).setdefault(one["where"], one["value"])
    everywhere = next(
        (value for where, value in sorted(servers.items()) if where.startswith(SHARED)), ""
    )
    problems = []
    for where, value in sorted(on.items()):
        if value in OFF or not value:
            continue
        text = _useless(where, client) or _harmful(servers.get(where, everywhere))
        if text:
            problems.append("%s sets %s: %s" % (where, VARIABLE, text))
    return problems


def _useless(where, client):
    if (
        where in ("process dockerd", "/etc/default/docker", "/etc/sysconfig/docker")
        or "/docker.service" in where
    ):
        return "dockerd does not read it, it does nothing"
    if client and not known_to(client):
        return "the client %s does not know it any more, it does nothing" % client
    return ""


def _harmful(server):
    if not server:
        return "without a server of yours pulls by tag fail: %s" % RETIRED
    return "with this server pulls by tag fail: %s" % refused(server) if refused(server) else ""
