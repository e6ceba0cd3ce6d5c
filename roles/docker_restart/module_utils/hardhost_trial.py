"""Start one container of the image that the project brings, to see whether the engine still can; leave nothing behind.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import contextlib
import urllib.parse

from ansible.module_utils import hardhost_docker as docker

SECONDS = 60


def start_container(image, name):
    """ "" when a container ran to its end, else why not. `image` is the path of the archive, `name` unique to this trial."""
    if not image:
        return ""
    reference = "hardhost-trial:%s" % name
    try:
        _clean(name, reference)  # of an attempt that was killed
        _import(image, reference)
        return _run(reference, "hardhost-trial-%s" % name)
    except docker.ApiError as error:
        return "no container can be started: %s" % error
    finally:
        _clean(name, reference)


def _clean(name, reference):
    _remove("/containers/hardhost-trial-%s?force=1" % name)
    _remove("/images/%s?force=1" % urllib.parse.quote(reference, safe=""))


def _import(image, reference):
    with open(image, "rb") as stream:
        data = stream.read()
    repository, _colon, tag = reference.partition(":")
    query = urllib.parse.urlencode(
        {"fromSrc": "-", "repo": repository, "tag": tag, "changes": 'ENTRYPOINT ["/probe"]'}
    )
    docker.request("POST", "/images/create?" + query, data, "application/x-tar", SECONDS)


def _run(reference, name):
    docker.request("POST", "/containers/create?name=" + name, {"Image": reference}, timeout=SECONDS)
    docker.request("POST", "/containers/%s/start" % name, b"", timeout=SECONDS)
    code = docker.request("POST", "/containers/%s/wait" % name, b"", timeout=SECONDS)["StatusCode"]
    return "" if code == 0 else "a container of the trial image ended with %d" % code


def _remove(path):
    with contextlib.suppress(
        docker.ApiError
    ):  # it was never made, or dockerd is down: the caller says so
        docker.request("DELETE", path, timeout=SECONDS)
