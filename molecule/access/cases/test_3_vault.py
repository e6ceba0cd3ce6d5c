"""tls_mutual with texts from a vault: wrong ones change nothing, and no text is anywhere else."""

from __future__ import annotations

import base64
import dataclasses
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.hosts.container_host import Host
from tests.hosts.observation import differences, observe
from tests.hosts.project import Project, program
from tests.hosts.tls_client import ask

CONTROL = "docker_daemon/tls_mutual"
FOLDER = "/srv/vault"  # where each host's authority is; an operator has it elsewhere
OURS = "/etc/docker/hardhost-tls"
DROP_IN = "/etc/systemd/system/docker.service.d/zz-hardhost-listen.conf"
STATE = "/var/lib/hardhost"
# An authority; two certificates for the host, one for another, one of a kind dockerd cannot read.
MAKE = f"""set -eu
mkdir -p {FOLDER} && cd {FOLDER}
ec="-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
openssl req -x509 $ec -days 30 -subj /CN=ca -addext keyUsage=critical,keyCertSign \\
    -keyout ca.key -out ca.pem 2>/dev/null
signed() {{  # name, extensions, kind of key
    openssl req -new $3 -subj /CN=$1 -keyout $1.key -out $1.csr 2>/dev/null
    printf "$2\\n" > $1.ext
    openssl x509 -req -in $1.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 \\
        -extfile $1.ext -out $1.pem 2>/dev/null
}}
names='subjectAltName=DNS:docker.test,IP:127.0.0.1\\nextendedKeyUsage=serverAuth'
signed server "$names" "$ec"
signed renewed "$names" "$ec"
signed exotic "$names" '-newkey ed448 -nodes'
signed other 'subjectAltName=DNS:other.test\\nextendedKeyUsage=serverAuth' "$ec"
signed client 'extendedKeyUsage=clientAuth' "$ec"
grep -q docker.test /etc/hosts || echo '127.0.0.1 docker.test' >> /etc/hosts
"""
PATHS = ("docker_daemon_tls_ca", "docker_daemon_tls_certificate", "docker_daemon_tls_key")
GIVEN: dict[str, Any] = {
    **dict.fromkeys(PATHS, ""),
    "docker_daemon_tls_address": "127.0.0.1:2376",
    "docker_daemon_tls_names": ["docker.test", "127.0.0.1"],
    "docker_restart_timeout": 30,
}


def lines_of_key(node: Host, name: str) -> list[str]:
    """The inner lines of a key, which are enough to know it by, and what they look like encoded."""
    text = node.out(f"cat {FOLDER}/{name}.key")
    inner = [line for line in text.splitlines() if line and not line.startswith("-")]
    assert inner
    encoded = base64.b64encode(text.encode()).decode()
    return [*inner, encoded[32:64]]


def give(project: Project, nodes: list[Host], name: str) -> None:
    """Each host's own texts, as an operator vaults them: `ansible-vault encrypt_string`."""
    for node in nodes:
        folder = project.directory / "host_vars" / node.name
        folder.mkdir(parents=True, exist_ok=True)
        files = {"ca": "ca.pem", "certificate": f"{name}.pem", "key": f"{name}.key"}
        texts = [
            vaulted(project, f"docker_daemon_tls_{part}_pem", node.out(f"cat {FOLDER}/{file}"))
            for part, file in files.items()
        ]
        (folder / "tls.yml").write_text("".join(texts))


def vaulted(project: Project, variable: str, text: str) -> str:
    words = ["encrypt_string", "--vault-password-file", str(project.vault), "--stdin-name"]
    done = subprocess.run(
        [program("ansible-vault"), *words, variable],
        input=text.encode(), capture_output=True, check=True, timeout=60,
    )  # fmt: skip
    return done.stdout.decode()


def assert_served(node: Host) -> None:
    """Who has a certificate gets in, and nobody else; the local socket is kept."""
    own = f"--tlscert {FOLDER}/client.pem --tlskey {FOLDER}/client.key"
    assert ask(node, FOLDER, own)[0] == 0, ask(node, FOLDER, own)
    code, said = ask(node, FOLDER)
    assert code != 0
    assert "certificate" in said
    node.sh("docker version")


def shown(node: Host) -> str:
    """The name of the certificate that dockerd shows."""
    return node.out(
        "openssl s_client -connect 127.0.0.1:2376 </dev/null 2>/dev/null"
        " | openssl x509 -noout -subject"
    ).strip()


def process(node: Host) -> str:
    return node.out("systemctl show -p MainPID --value docker")


def assert_hidden(project: Project, node: Host, name: str, *texts: str) -> None:
    """A key's text is in its file alone: in no output, artifact, state, journal or leftover."""
    for line in lines_of_key(node, name):
        for text in texts:
            assert line not in text
        for path in project.directory.rglob("*"):
            assert not path.is_file() or line.encode() not in path.read_bytes(), path
        searched = f"{STATE} /etc /tmp /run /root /var/tmp /var/lib/docker"
        found = node.sh(f"grep -rlIF -- '{line}' {searched} 2>/dev/null", check=False)
        assert all(path.startswith(OURS) for path in found.stdout.decode().split()), found.stdout
        journal = node.sh(f"journalctl --no-pager | grep -F -- '{line}'", check=False)
        assert not journal.stdout


@pytest.fixture(scope="module")
def vault(project: Project, nodes: list[Host], memory: Path) -> Project:
    """The project with a password file, on hosts that are converged but for the API over TCP."""
    password = memory / "vault-password"
    password.write_text("correct horse\n")
    given = dataclasses.replace(project, vault=password)
    shutil.rmtree(project.directory / "host_vars", ignore_errors=True)
    for node in nodes:
        node.sh(MAKE)
    given.give(**GIVEN)
    given.play().assert_converged(*nodes)
    return given


def test_a_certificate_for_another_name_changes_nothing(vault: Project, nodes: list[Host]) -> None:
    before = {node.name: observe(node) for node in nodes}
    give(vault, nodes, "other")
    run = vault.play("site", "--diff", "-vvv")
    run.assert_unchanged(*nodes)
    for node in nodes:
        found = vault.decision(node.name, CONTROL)
        assert found["decision"] == "pending"
        assert "docker_daemon_tls_certificate_pem as docker.test: " in found["reason"]
        assert differences(before[node.name], observe(node)) == {}
        assert_hidden(vault, node, "other", run.text)


def test_a_path_and_a_text_is_an_error(vault: Project, nodes: list[Host]) -> None:
    give(vault, nodes, "server")
    vault.give(docker_daemon_tls_key=f"{FOLDER}/server.key")
    run = vault.play("site", "-vvv")
    vault.give(docker_daemon_tls_key="")
    run.assert_failed(
        *nodes, saying="docker_daemon_tls_key and docker_daemon_tls_key_pem are both given"
    )
    for node in nodes:
        assert_hidden(vault, node, "server", run.text)


def test_texts_are_in_force_and_nowhere_else(vault: Project, nodes: list[Host]) -> None:
    give(vault, nodes, "server")
    before = {node.name: observe(node) for node in nodes}
    checked = vault.play("site", "--check", "--diff", "-vvv")
    checked.assert_converged(*nodes)
    for node in nodes:
        assert checked.recap(node)["changed"] > 0
        assert differences(before[node.name], observe(node)) == {}
    run = vault.play("site", "--diff", "-vvv")
    run.assert_converged(*nodes)
    assert "(hidden)" in run.text
    again = vault.play("site", "--diff", "-vvv")
    again.assert_unchanged(*nodes)
    assert again.text.count("Using module file") == len(nodes), "one module on each host"
    report = vault.verify(probe=True)
    assert report.code == 0, report.text
    for node in nodes:
        assert report.statuses(node.name)[CONTROL] == "pass"
        assert_served(node)
        modes = node.out(f"stat -c '%a %U:%G' {OURS}/key-*.pem").strip()
        assert modes == "400 root:root"
        texts = (checked.text, run.text, again.text, report.text, str(report.content))
        assert_hidden(vault, node, "server", *texts)


def test_another_text_replaces_it_and_restarts_dockerd(vault: Project, nodes: list[Host]) -> None:
    old = [process(node) for node in nodes]
    give(vault, nodes, "renewed")
    waiting = vault.verify()
    for node in nodes:
        assert waiting.statuses(node.name)[CONTROL] == "fail", waiting.text
    run = vault.play("site", "--diff", "-vvv")
    run.assert_converged(*nodes)
    vault.play().assert_unchanged(*nodes)
    report = vault.verify()
    assert report.code == 0, report.text
    for node, before in zip(nodes, old, strict=True):
        assert process(node) != before
        assert shown(node).endswith("renewed")
        assert_served(node)
        assert len(node.out(f"ls {OURS}").split()) == 3, "the old certificate and key are gone"
        assert_hidden(vault, node, "renewed", run.text)
        for line in lines_of_key(node, "server"):
            assert node.sh(f"grep -rF -- '{line}' /etc {STATE}", check=False).stdout == b""


def test_a_key_that_dockerd_cannot_read_comes_back_to_the_old_one(
    vault: Project, nodes: list[Host]
) -> None:
    """OpenSSL believes it, Go has no such curve: dockerd does not start, and serves as before."""
    give(vault, nodes, "exotic")
    run = vault.play("site", "--diff", "-vvv")
    run.assert_failed(*nodes, saying="Docker API answers")
    for node in nodes:
        assert shown(node).endswith("renewed")
        assert_served(node)
        assert_hidden(vault, node, "exotic", run.text)
    give(vault, nodes, "renewed")
    vault.play().assert_unchanged(*nodes)
    assert vault.verify().code == 0


def test_a_rollback_takes_the_files_away(vault: Project, nodes: list[Host]) -> None:
    run = vault.play("rollback", "--diff", "-vvv")
    run.assert_converged(*nodes)
    for node in nodes:
        assert node.sh(f"test -e {OURS} -o -e {DROP_IN}", check=False).returncode == 1
        assert "2376" not in node.out("tr '\\0' ' ' < /proc/$(pidof dockerd)/cmdline")
        node.sh("docker version")
        assert_hidden(vault, node, "renewed", run.text)
    vault.play("rollback").assert_unchanged(*nodes)
