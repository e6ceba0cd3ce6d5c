"""What the daemon and the users' clients hold about registries: authorities below certs.d, and passwords in clear text.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import glob
import json
import os
import pwd
import re

from ansible.module_utils import hardhost_files as files
from ansible.module_utils import hardhost_managed as managed

CONTROL = "image_trust/registry_certificates"
CERTS = "/etc/docker/certs.d"
REGISTRY = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*(:\d{1,5})?")
PARTS = {"ca": "ca.crt", "certificate": "client.cert", "key": "client.key"}
MODES = {"ca": 0o444, "certificate": 0o444, "key": 0o400}
LARGEST = 1 << 20  # bytes of a client's configuration


def wrong(registries):
    """What is wrong with `{registry: {ca, certificate, key}}`; [] where nothing is."""
    problems = []
    for name, parts in sorted(registries.items()):
        if not REGISTRY.fullmatch(str(name)):
            problems.append("%s is no host or host:port" % name)
        elif not isinstance(parts, dict) or not parts or set(parts) - set(PARTS):
            problems.append("%s: wanted is {ca, certificate, key}" % name)
        else:
            problems += ["%s: %s" % (name, text) for text in _wrong_parts(parts)]
    return problems


def _wrong_parts(parts):
    for part in ("ca", "certificate"):
        if part in parts and "-----BEGIN CERTIFICATE-----" not in str(parts[part]):
            yield "%s is no certificate in PEM" % part
    if ("certificate" in parts) != ("key" in parts):
        yield "certificate and key belong together"
    if "-----BEGIN" in str(parts.get("key", "")):
        yield "key is a secret: put it on the host for root alone and give its path"
    elif "key" in parts and _key(parts["key"]) is None:
        yield "the key %s is not there, or others than root can read it" % parts["key"]


def _key(path):
    """The bytes of a client's key; None where there is none that is root's alone."""
    path = str(path)
    try:
        status = os.stat(path)
        usable = os.path.isabs(path) and status.st_uid == 0 and not status.st_mode & 0o077
        return files.read(path) if usable else None
    except OSError:
        return None


def wanted_files(registries):
    """What `registry_certificates` writes."""
    found = []
    for name, parts in sorted(registries.items()):
        for part, given in sorted(parts.items()):
            data = _key(given) if part == "key" else str(given).strip() + "\n"
            found.append(
                managed.wanted(os.path.join(CERTS, name, PARTS[part]), data, CONTROL, MODES[part])
            )
    return found


def authorities(registry, folder):
    """The path of a copy, in one file, of all that the daemon believes of this registry below certs.d; "" without any."""
    found = [
        (files.read(path) or b"").strip() + b"\n"
        for path in sorted(glob.glob(_place(registry) + "/*.crt"))
    ]
    path = os.path.join(folder, "authorities")
    if found:
        with open(path, "wb") as stream:
            stream.write(b"".join(found))
    return path if found else ""


def client_certificates(registry):
    """The certificates with which the daemon shows this registry who it is; the key of each lies beside it."""
    return sorted(glob.glob(_place(registry) + "/*.cert"))


def _place(registry):
    return os.path.join(CERTS, glob.escape(registry))


def homes():
    """`[(user, home)]` of everybody who has a home directory, each directory once."""
    found = {}
    for entry in pwd.getpwall():
        if os.path.isdir(entry.pw_dir) and entry.pw_dir not in ("/", "/proc", "/dev"):
            found.setdefault(os.path.realpath(entry.pw_dir), entry.pw_name)
    return sorted((user, home) for home, user in found.items())


def credentials(everybody):
    """`[{path, user, registries, error}]` of the clients' configurations that hold secrets; never the secrets."""
    found = []
    for user, home in everybody:
        for name in (".docker/config.json", ".dockercfg"):
            one = _credentials(os.path.join(home, name))
            if one:
                found.append(dict(one, user=user))
    return found


def _credentials(path):
    try:
        if not os.path.isfile(path) or os.path.getsize(path) > LARGEST:
            return None
        given = json.loads((files.read(path) or b"{}").decode("utf-8"))
        if not isinstance(given, dict):
            raise ValueError("not a map")
    except OSError:
        return None
    except ValueError:
        return {"path": path, "registries": [], "error": "it is no JSON map"}
    logins = given if path.endswith(".dockercfg") else given.get("auths") or {}
    names = (
        sorted(name for name, login in logins.items() if _secret(login))
        if isinstance(logins, dict)
        else []
    )
    return {"path": path, "registries": names, "error": ""} if names else None


def _secret(login):
    """Whether a login holds a secret itself, and does not leave that to a credential helper."""
    return isinstance(login, dict) and any(
        login.get(key) for key in ("auth", "password", "identitytoken", "registrytoken")
    )
