"""The Engine API is asked with bounded waits; here of a server that speaks like it."""

from __future__ import annotations

import http.server
import json
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import hardhost_docker as docker

ANSWERS: dict[str, tuple[int, str]] = {
    "/_ping": (200, "OK"),
    "/containers/json": (200, '[{"Id": "a1"}, {"Id": "gone"}]'),
    "/containers/gone/json": (404, '{"message": "No such container: gone"}'),
    "/broken": (500, '{"message": "driver failed"}'),
    "/plain": (502, "bad gateway\n"),
    "/containers/a1/json": (
        200,
        json.dumps(
            {
                "Id": "a1",
                "Name": "/web",
                "Created": "2026-11-21T09:00:00Z",
                "State": {"Running": True, "Pid": 42, "StartedAt": "2026-11-21T10:00:00Z"},
                "Config": {"Env": ["PASSWORD=hunter2"]},
                "HostConfig": {
                    "Privileged": False,
                    "NetworkMode": "bridge",
                    "PidMode": "",
                    "UsernsMode": "",
                    "SecurityOpt": None,
                    "AutoRemove": True,
                    "PortBindings": {"80/tcp": []},
                },
            }
        ),
    ),
}


class Api(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/slow":
            self.server.stop.wait(30)  # type: ignore[attr-defined]
        status, text = ANSWERS.get(self.path, (404, '{"message": "page not found"}'))
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text.encode())

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        said = {"body": self.rfile.read(length).decode(), "type": self.headers.get("Content-Type")}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(said).encode())

    def address_string(self) -> str:
        return "local"

    def log_message(self, *_words: Any) -> None:
        pass


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


@pytest.fixture
def socket_path(tmp_path: Path) -> Iterator[str]:
    path = str(tmp_path / "docker.sock")
    with Server(path, Api) as server:
        server.stop = threading.Event()  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield path
        server.stop.set()  # type: ignore[attr-defined]
        server.shutdown()


def test_a_healthy_daemon_answers(socket_path: str) -> None:
    assert docker.answers(socket_path=socket_path)


def test_an_absent_one_does_not(tmp_path: Path) -> None:
    assert not docker.answers(socket_path=str(tmp_path / "none"))
    with pytest.raises(docker.ApiError, match="does not answer") as caught:
        docker.get("/info", socket_path=str(tmp_path / "none"))
    assert caught.value.status is None


def test_a_hanging_one_is_not_waited_for(socket_path: str) -> None:
    with pytest.raises(docker.ApiError, match="does not answer"):
        docker.get("/slow", timeout=0.2, socket_path=socket_path)


@pytest.mark.parametrize(
    ("path", "status", "text"), [("/broken", 500, "driver failed"), ("/plain", 502, "bad gateway")]
)
def test_an_error_brings_the_daemons_words(
    path: str, status: int, text: str, socket_path: str
) -> None:
    with pytest.raises(docker.ApiError) as caught:
        docker.get(path, socket_path=socket_path)
    assert (caught.value.status, str(caught.value)) == (status, text)


def test_a_body_is_json_or_bytes(socket_path: str) -> None:
    sent = docker.request("POST", "/x", {"a": 1}, socket_path=socket_path)
    assert (json.loads(sent["body"]), sent["type"]) == ({"a": 1}, "application/json")
    sent = docker.request(
        "POST", "/x", b"tar", content_type="application/x-tar", socket_path=socket_path
    )
    assert (sent["body"], sent["type"]) == ("tar", "application/x-tar")


def test_the_environment_of_a_container_is_dropped(socket_path: str) -> None:
    found = docker.container_facts("a1", socket_path)
    assert (found["name"], found["pid"], found["auto_remove"], found["published"]) == (
        "web",
        42,
        True,
        ["80/tcp"],
    )
    assert found["security_options"] == []
    assert "hunter2" not in json.dumps(found)


def test_a_container_that_ends_while_we_look_is_left_out(socket_path: str) -> None:
    assert docker.container_facts("gone", socket_path) is None


@pytest.mark.parametrize(
    ("given", "target"),
    [
        ({"Type": "syslog", "Config": {"syslog-address": "tcp://logs:514"}}, "tcp://logs:514"),
        ({"Type": "gelf", "Config": {"gelf-address": "tcp://logs:12201"}}, "tcp://logs:12201"),
        ({"Type": "fluentd", "Config": {"fluentd-address": "a:1", "fluentd-async": "true"}}, ""),
        ({"Type": "json-file", "Config": {}}, ""),
        ({"Type": "journald", "Config": None}, ""),
        ({}, ""),
    ],
)
def test_where_somebody_has_to_answer_for_a_container_to_start(
    given: dict[str, Any], target: str
) -> None:
    assert docker.log_target(given) == target
