"""Docker's client over TCP, with certificates that a scenario has made on the host."""

from __future__ import annotations

from tests.hosts.container_host import Host


def ask(node: Host, folder: str, *words: str) -> tuple[int, str]:
    """Exit code and output of asking for the version; the words name the client's certificate."""
    options = f"--tls --tlscacert {folder}/ca.pem --tlsverify"
    done = node.sh(
        f"docker -H tcp://docker.test:2376 {options} {' '.join(words)}"
        " version -f '{{.Server.Version}}' 2>&1",
        check=False,
    )
    return done.returncode, done.stdout.decode()
