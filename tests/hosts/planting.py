"""Plants marked secrets where real hosts have them, and finds them in what came out."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from pathlib import Path

from tests.hosts import workload
from tests.hosts.container_host import Host

MARK = "plantedsecret"

# Here original bytes are kept, for root alone, so that everything can be taken back.
KEPT = "/var/lib/hardhost"
TALK = "/etc/systemd/system/docker.service.d/talk.conf"
OWN = ("/etc", "/root", "/home", "/opt", "/run", "/tmp", "/usr/local", "/var")
# What the host had before anybody came: planted, or the engine's own.
PLANTED = (
    "/etc/docker/",
    "/etc/default/docker",
    "/etc/systemd/system/docker.service.d/",
    "/root/.docker/",
    "/var/lib/docker/",
    "/var/lib/containerd/",
    "/var/log/journal/",
    "/run/log/journal/",
    "/run/docker/",
    "/run/containerd/",
)

DAEMON_JSON = {
    "proxies": {
        "http-proxy": f"http://ops:{MARK}-proxy@127.0.0.1:9",
        "https-proxy": f'http://ops:{MARK}-quoted"{MARK}-tail@127.0.0.1:9',
        "no-proxy": "localhost",
    },
    "log-driver": "splunk",
    "log-opts": {
        "splunk-token": f"{MARK}-log-token",
        "splunk-url": "http://127.0.0.1:9",
        "splunk-verify-connection": "false",
    },
    "tlskey": "/etc/docker/tls/key.pem",
    "debug": True,
}
FLAGS = f'DOCKER_OPTS="--label com.example.password={MARK}-flag"\n'
DROP_IN = f'[Service]\nEnvironment="HTTPS_PROXY=http://ops:{MARK}-environment@127.0.0.1:9"\n'
KEY = f"-----BEGIN PRIVATE KEY-----\n{MARK}-tls-key\n-----END PRIVATE KEY-----\n"
LOGIN = {"auths": {"registry.example.org": {"auth": f"{MARK}-registry"}}}

CONTAINER = f"""docker run -d --name holder --restart unless-stopped \
    -e PASSWORD={MARK}-container-environment -l api-token={MARK}-container-label \
    --log-driver splunk --log-opt splunk-token={MARK}-container-log \
    --log-opt splunk-url=http://127.0.0.1:9 --log-opt splunk-verify-connection=false \
    {workload.IMAGE} /bin/sh -c 'sleep 1000000 # {MARK}-container-argument'"""


def plant(host: Host) -> None:
    """Secrets in the daemon's file, flags, environment and keys, a container's, and a login's."""
    host.sh("mkdir -p /etc/docker/tls /etc/systemd/system/docker.service.d /root/.docker")
    put(host, "/etc/docker/daemon.json", json.dumps(DAEMON_JSON, indent=2) + "\n")
    put(host, "/etc/default/docker", FLAGS)
    put(host, "/etc/systemd/system/docker.service.d/proxy.conf", DROP_IN)
    put(host, "/etc/docker/tls/key.pem", KEY)
    put(host, "/root/.docker/config.json", json.dumps(LOGIN))
    host.sh("chmod 644 /etc/docker/tls/key.pem; chmod 600 /root/.docker/config.json")
    host.sh("systemctl daemon-reload && systemctl restart docker")
    workload.make_image(host)
    host.sh(CONTAINER)


def put(host: Host, path: str, text: str) -> None:
    host.sh(f"cat > {path}", stdin=text.encode())


def forms() -> list[bytes]:
    """The mark as it is, and as it looks when a layer on the way encoded it."""
    encoded = [base64.b64encode(b"x" * shift + MARK.encode())[4:-4] for shift in range(3)]
    return [MARK.encode(), MARK.encode().hex().encode(), *encoded]


FORMS = re.compile(b"|".join(map(re.escape, forms())))


def found(content: bytes) -> list[str]:
    """Every line that holds a secret in any form."""
    lines = content.splitlines()
    return [line.decode(errors="replace")[:300] for line in lines if FORMS.search(line)]


def in_texts(texts: Mapping[str, str]) -> list[str]:
    return [f"{name}: {line}" for name, text in texts.items() for line in found(text.encode())]


def below(directory: Path, *, but: str) -> list[str]:
    """Files on the controller that hold a secret, but for one directory that was given one."""
    files = [path for path in sorted(directory.rglob("*")) if path.is_file()]
    assert files, f"nothing is below {directory}"
    return [
        f"{path}: {line}"
        for path in files
        if path.relative_to(directory).parts[0] != but
        for line in found(path.read_bytes())
    ]


def on_host(host: Host) -> list[str]:
    """Files on the host that hold a secret and are neither planted nor the kept originals."""
    done = host.sh(f"grep -rlIa {MARK} {' '.join(OWN)} 2>/dev/null", check=False)
    paths = done.stdout.decode().split("\n")
    allowed = (*PLANTED, f"{KEPT}/")
    return [path for path in paths if path and not path.startswith(allowed)]


def in_journal(host: Host) -> list[str]:
    """Lines of the journal that hold a secret; the engine's own lines are the engine's."""
    own = r'"_SYSTEMD_UNIT":"(docker|containerd)\.service"'
    text = host.out(f"journalctl --no-pager -o json | grep -Ev '{own}' || true")
    return found(text.encode())


def kept_for_others(host: Host) -> list[str]:
    """Kept originals that anybody but root could read; an error where none is kept."""
    holding = f"grep -rlIa {MARK} {KEPT}"
    assert host.out(holding).split(), "no original is kept"
    closed = f"find {KEPT} -maxdepth 0 -not -perm 700"
    own = f"find $({holding}) -not \\( -user root -perm 600 \\)"
    return host.out(f"{closed}; {own}").splitlines()


def let_the_engine_talk(host: Host, marker: str) -> None:
    """Its start fails while daemon.json holds the marker, with secrets in its last words."""
    said = f"proxy http://ops:{MARK}-said@127.0.0.1:9: refused, splunk-token={MARK}-said-too"
    script = f"! grep -q {marker} /etc/docker/daemon.json || {{ echo '{said}'; exit 1; }}"
    put(host, TALK, f'[Service]\nExecStartPre=/bin/sh -c "{script}"\n')
    host.sh("systemctl daemon-reload")


def let_it_be(host: Host) -> None:
    host.sh(f"rm {TALK} && systemctl daemon-reload")
