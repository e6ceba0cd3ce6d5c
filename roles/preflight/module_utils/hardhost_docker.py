"""Talk to the Docker Engine API over its local socket, with bounded waits and the standard library alone.

The docker command is not needed: Debian 13 installs the engine without it.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import http.client
import json
import socket

SOCKET = "/run/docker.sock"
TIMEOUT = 20  # seconds; a healthy daemon answers in milliseconds, one under load in a few seconds


class ApiError(Exception):
    """The API did not answer, or answered with an error; `status` is the HTTP status, None where there was none."""

    def __init__(self, message, status=None):
        super().__init__(message)
        self.status = status


class _Connection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("docker", timeout=timeout)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def request(
    method, path, body=None, content_type="application/json", timeout=TIMEOUT, socket_path=SOCKET
):
    """One request; the decoded JSON answer, or the raw text where it is not JSON. ApiError otherwise."""
    connection = _Connection(socket_path, timeout)
    data = json.dumps(body).encode("utf-8") if isinstance(body, dict) else body
    try:
        connection.request(
            method, path, data, {"Content-Type": content_type} if data is not None else {}
        )
        answer = connection.getresponse()
        text = answer.read().decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        raise ApiError("the Docker API at %s does not answer: %s" % (socket_path, error)) from error
    finally:
        connection.close()
    decoded = _decode(text)
    if answer.status >= 400:
        message = decoded.get("message", text) if isinstance(decoded, dict) else text
        raise ApiError(str(message).strip(), answer.status)
    return decoded


def _decode(text):
    try:
        return json.loads(text)
    except ValueError:
        return text


def get(path, timeout=TIMEOUT, socket_path=SOCKET):
    """GET a path of the API."""
    return request("GET", path, timeout=timeout, socket_path=socket_path)


def answers(timeout=5, socket_path=SOCKET):
    """Whether the API answers now."""
    try:
        return get("/_ping", timeout, socket_path) == "OK"
    except ApiError:
        return False


def containers(everything=False, socket_path=SOCKET):
    """The facts of the containers that run, or of all, sorted by name."""
    listed = get("/containers/json?all=%d" % everything, socket_path=socket_path)
    found = [container_facts(entry["Id"], socket_path) for entry in listed]
    return sorted(
        [one for one in found if one and (everything or one["running"])],
        key=lambda one: one["name"],
    )


def container_facts(identifier, socket_path=SOCKET):
    """What decisions and checks need of one container, None if it is gone. Its environment is dropped unread."""
    try:
        inspected = get("/containers/%s/json" % identifier, socket_path=socket_path)
    except ApiError as error:
        if error.status == 404:
            return None
        raise
    host, state = inspected["HostConfig"], inspected["State"]
    return {
        "id": inspected["Id"],
        "name": inspected["Name"].lstrip("/"),
        "running": bool(state["Running"]),
        "restarting": bool(state.get("Restarting")),
        "pid": state["Pid"],
        "started": state["StartedAt"],
        "created": inspected["Created"],
        "privileged": bool(host["Privileged"]),
        "network_mode": host["NetworkMode"],
        "pid_mode": host["PidMode"],
        "ipc_mode": host.get("IpcMode", ""),
        "userns_mode": host["UsernsMode"],
        "security_options": host["SecurityOpt"] or [],
        "restart_policy": (host.get("RestartPolicy") or {}).get("Name", ""),
        "auto_remove": bool(host.get("AutoRemove")),
        "stop_timeout": inspected["Config"].get("StopTimeout"),
        "log_driver": (host.get("LogConfig") or {}).get("Type", ""),
        "log_target": log_target(host.get("LogConfig") or {}),
        "swarm": "com.docker.swarm.task" in (inspected["Config"].get("Labels") or {}),
        "published": sorted((host.get("PortBindings") or {}).keys()),
    }


def log_target(given):
    """Where a container's lines go, of its LogConfig; "" where nobody has to answer there for the container to start."""
    options = given.get("Config") or {}
    if "true" in (options.get("fluentd-async"), options.get("fluentd-async-connect")):
        return ""
    return options.get("%s-address" % given.get("Type", ""), "")
