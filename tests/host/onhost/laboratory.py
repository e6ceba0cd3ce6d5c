"""Containers and networks for probes, on the host; gone afterwards.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import json
import os
import signal
import time
import urllib.parse

from ansible.module_utils import hardhost_docker as docker

LABEL = "hardhost.probe"  # its value is the time of making, in seconds since the epoch
ABANDONED = 600  # seconds after which what carries the label belongs to no running probe
WAIT = 60  # for one answer of the engine; an emulated machine on a busy one needs half of it


def ask(method, path, *rest):
    """One answer of the engine, which may take its time."""
    return docker.request(method, path, *rest, timeout=WAIT)


class Interrupted(BaseException):
    """A signal asked to end; what was made is removed first."""


class Laboratory:
    """`with Laboratory(image bytes) as laboratory:` removes on leaving whatever was made in it."""

    def __init__(self, image):
        self._tar = image
        self._made = []  # API paths, removed in reverse order
        self._name = f"hardhost-probe-{os.urandom(4).hex()}"
        self._labels = {LABEL: str(int(time.time()))}

    def __enter__(self):
        for number in (signal.SIGALRM, signal.SIGHUP, signal.SIGTERM):
            signal.signal(number, _interrupt)
        _sweep()
        try:
            self._import()
        except BaseException:
            self._clean()
            raise
        return self

    def __exit__(self, *_unused):
        self._clean()

    def _import(self):
        query = [
            ("fromSrc", "-"),
            ("repo", self._name),
            ("tag", "probe"),
            ("changes", 'ENTRYPOINT ["/probe"]'),
        ]
        query += [("changes", "LABEL {}={}".format(*one)) for one in self._labels.items()]
        self._made.append(f"/images/{self._name}:probe?force=1")
        answer = ask(
            "POST",
            "/images/create?" + urllib.parse.urlencode(query),
            self._tar,
            "application/x-tar",
        )
        if "error" in str(answer):
            raise docker.ApiError(f"the probe image could not be imported: {answer}")

    def create(self, command, host=None, **config):
        """A container, not started; without network and with readable logs by default."""
        settings = {"NetworkMode": "none", "LogConfig": {"Type": "json-file"}}
        settings.update(host or {})
        body = {
            "Image": self._name + ":probe",
            "Cmd": command,
            "Tty": True,
            "Labels": self._labels,
            "HostConfig": {key: value for key, value in settings.items() if value is not None},
        }
        body.update(config)
        name = f"{self._name}-{len(self._made)}"
        identifier = ask("POST", "/containers/create?name=" + name, body)["Id"]
        self._made.append(f"/containers/{identifier}?force=1&v=1")
        return identifier

    def start(self, command, host=None, **config):
        """A running container."""
        identifier = self.create(command, host, **config)
        ask("POST", f"/containers/{identifier}/start")
        return identifier

    def run(self, command, host=None, **config):
        """`(exit code, output)` of a container that ended by itself."""
        identifier = self.start(command, host, **config)
        code = ask("POST", f"/containers/{identifier}/wait")["StatusCode"]
        return code, self.output(identifier)

    def output(self, identifier):
        """What a container has printed."""
        text = ask("GET", f"/containers/{identifier}/logs?stdout=1&stderr=1")
        return str(text).replace("\r\n", "\n")

    def wait_for(self, identifier, text):
        """Wait until a container has printed something; ApiError where it does not."""
        deadline = time.monotonic() + WAIT
        while text not in self.output(identifier):
            if time.monotonic() > deadline:
                raise docker.ApiError(
                    f"the probe has not said {text!r} but {self.output(identifier)!r}"
                )
            time.sleep(0.05)

    def inspect(self, identifier):
        return ask("GET", f"/containers/{identifier}/json")

    def network(self, options):
        """The name of a new bridge network."""
        name = f"{self._name}-net{len(self._made)}"
        body = {
            "Name": name,
            "Driver": "bridge",
            "Options": options,
            "Labels": self._labels,
            "CheckDuplicate": True,
        }
        ask("POST", "/networks/create", body)
        self._made.append(f"/networks/{name}")
        return name

    def _clean(self):
        signal.alarm(0)
        failures = []
        for path in reversed(self._made):
            try:
                ask("DELETE", path)
            except docker.ApiError as error:
                if error.status != 404:
                    failures.append("{}: {}".format(path.partition("?")[0], error))
        self._made = []
        if failures:
            raise docker.ApiError(
                "probes were left behind, remove them by hand: " + "; ".join(failures)
            )


def _interrupt(number, _frame):
    raise Interrupted(f"ended by signal {number}")


def _sweep():
    """Remove what an earlier probe left behind whose host or connection died in the middle."""
    query = urllib.parse.urlencode({"all": 1, "filters": json.dumps({"label": [LABEL]})})
    for path, found in (
        ("/containers/%s?force=1&v=1", ask("GET", "/containers/json?" + query)),
        ("/networks/%s", ask("GET", "/networks?" + query)),
        ("/images/%s?force=1", ask("GET", "/images/json?" + query)),
    ):
        for one in found:
            made = (one.get("Labels") or {}).get(LABEL, "")
            if made.isdigit() and int(made) < time.time() - ABANDONED:
                ask("DELETE", path % one["Id"])
