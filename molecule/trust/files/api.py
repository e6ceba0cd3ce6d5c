"""Pulls an image as any program that talks to the daemon can: `python3 api.py REFERENCE`."""

from __future__ import annotations

import http.client
import socket
import sys

connection = http.client.HTTPConnection("docker")
connection.sock = socket.socket(socket.AF_UNIX)
connection.sock.connect("/run/docker.sock")
connection.request("POST", "/images/create?fromImage=" + sys.argv[1])
answer = connection.getresponse()
print(answer.status, answer.read().decode()[-300:])
sys.exit(answer.status != 200)
