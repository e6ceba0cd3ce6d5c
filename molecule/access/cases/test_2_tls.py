"""tls_mutual: what is wrong is refused; then who has a certificate gets in, and nobody else."""

from __future__ import annotations

import pytest

from tests.hosts.container_host import Host
from tests.hosts.observation import differences, observe
from tests.hosts.project import Project
from tests.hosts.tls_client import ask
from tests.sabotage import states
from tests.sabotage.states import State

CONTROL = "docker_daemon/tls_mutual"
STATES = states.load(CONTROL)
FOLDER = "/srv/tls"
DROP_IN = "/etc/systemd/system/docker.service.d/zz-hardhost-listen.conf"
# An authority; certificates for the host, for another name, of long ago; a client's.
MAKE = f"""set -eu
mkdir -p {FOLDER} && cd {FOLDER}
new="-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
openssl req -x509 $new -days 30 -subj /CN=ca -addext keyUsage=critical,keyCertSign \\
    -keyout ca.key -out ca.pem 2>/dev/null
cat > ca.cnf <<END
[ca]
default_ca = d
[d]
database = index.txt
serial = serial
new_certs_dir = .
policy = p
default_md = sha256
certificate = ca.pem
private_key = ca.key
[p]
commonName = supplied
END
: > index.txt
echo 01 > serial
signed() {{  # name, extensions, end
    openssl req -new $new -subj /CN=$1 -keyout $1.key -out $1.csr 2>/dev/null
    printf "$2\\n" > $1.ext
    openssl ca -batch -notext -config ca.cnf -in $1.csr -out $1.pem -extfile $1.ext \\
        -startdate 20200101000000Z -enddate $3 2>/dev/null
}}
names='subjectAltName=DNS:docker.test,IP:127.0.0.1\\nextendedKeyUsage=serverAuth'
signed server "$names" 20490101000000Z
signed expired "$names" 20200102000000Z
signed client 'extendedKeyUsage=clientAuth' 20490101000000Z
chmod 644 *.pem
chmod 600 *.key
grep -q docker.test /etc/hosts || echo '127.0.0.1 docker.test' >> /etc/hosts
"""
GIVEN = {
    "docker_daemon_tls_address": "127.0.0.1:2376",
    "docker_daemon_tls_ca": f"{FOLDER}/ca.pem",
    "docker_daemon_tls_certificate": f"{FOLDER}/server.pem",
    "docker_daemon_tls_key": f"{FOLDER}/server.key",
    "docker_daemon_tls_names": ["docker.test", "127.0.0.1"],
}
WRONG = [
    pytest.param({"key": f"{FOLDER}/client.key"}, "is not that of the certificate", id="key"),
    pytest.param(
        {"certificate": f"{FOLDER}/expired.pem", "key": f"{FOLDER}/expired.key"},
        "certificate has expired",
        id="expired",
    ),
]


@pytest.fixture(scope="module")
def prepared(project: Project, nodes: list[Host]) -> list[Host]:
    for node in nodes:
        node.sh(MAKE)
    project.play().assert_converged(*nodes)
    return nodes


@pytest.mark.parametrize(("changed", "said"), WRONG)
def test_what_is_wrong_is_refused_before_anything_changes(
    changed: dict, said: str, project: Project, prepared: list[Host]
) -> None:
    given = {**GIVEN, **{f"docker_daemon_tls_{name}": one for name, one in changed.items()}}
    project.give(**given)
    run = project.play("preflight")
    run.assert_converged(*prepared)
    for node in prepared:
        found = project.decision(node.name, CONTROL)
        assert found["decision"] == "pending"
        assert said in found["reason"], found["reason"]
        assert node.sh(f"test -e {DROP_IN}", check=False).returncode == 1


def test_a_key_as_text_is_refused_and_said_nowhere(project: Project, prepared: list[Host]) -> None:
    text = prepared[0].out(f"cat {FOLDER}/server.key")
    project.give(**{**GIVEN, "docker_daemon_tls_key": text})
    run = project.play("preflight", "-vvv")
    run.assert_failed(*prepared, saying="docker_daemon_tls_key holds a private key")
    body = text.splitlines()[1]
    assert body not in run.text
    for node in prepared:
        assert body not in (project.directory / f"artifacts/{node.name}.json").read_text()


def test_who_has_a_certificate_gets_in(project: Project, prepared: list[Host]) -> None:
    project.give(**GIVEN)
    before = {node.name: observe(node) for node in prepared}
    checked = project.play("site", "--check", "--diff", "-vvv")
    checked.assert_converged(*prepared)
    for node in prepared:
        assert differences(before[node.name], observe(node)) == {}
    run = project.play("site", "--diff", "-vvv")
    run.assert_converged(*prepared)
    project.play().assert_unchanged(*prepared)
    report = project.verify(probe=True)
    assert report.code == 0, report.text
    body = prepared[0].out(f"sed -n 2p {FOLDER}/server.key").strip()
    assert body not in checked.text + run.text + report.text
    own = f"--tlscert {FOLDER}/client.pem --tlskey {FOLDER}/client.key"
    for node in prepared:
        assert report.statuses(node.name)[CONTROL] == "pass"
        assert ask(node, FOLDER, own)[0] == 0, ask(node, FOLDER, own)
        code, said = ask(node, FOLDER)
        assert code != 0
        assert "certificate" in said
        assert node.sh("docker version", check=False).returncode == 0, "the local socket is kept"
        assert node.out(f"stat -c %a {FOLDER}/server.key").strip() == "400"
        line = node.out(f"sed -n 2p {FOLDER}/server.key").strip()
        places = "/var/lib/hardhost /tmp /run/hardhost"
        found = node.sh(f"grep -rlF -- '{line}' {places}", check=False)
        assert not found.stdout


@pytest.mark.parametrize("state", STATES, ids=lambda state: f"{state.control}-{state.name}")
def test_state(state: State, project: Project, prepared: list[Host]) -> None:
    report = project.verify()
    before = {node.name: report.statuses(node.name) for node in prepared}
    for node in prepared:
        node.sh(state.script())
    report = project.verify()
    for node in prepared:
        wanted = {
            control: state.expect if state.concerns(control) else status
            for control, status in before[node.name].items()
        }
        assert report.statuses(node.name) == wanted, f"{state.why}\n{report.text}"
    for node in prepared:  # a unit that somebody changed is restarted by hand first
        node.sh("systemctl reset-failed docker.service docker.socket; systemctl restart docker")
    project.play().assert_converged(*prepared)
    report = project.verify()
    assert report.code == 0, report.text


def test_a_daemon_that_does_not_start_with_it_comes_back(
    project: Project, prepared: list[Host]
) -> None:
    """Another program has the port: dockerd does not start, and the old unit returns."""
    project.play("rollback").assert_converged(*prepared)
    for node in prepared:
        node.sh(
            "systemd-run --quiet --collect --unit squatter python3 -c 'import socket, time;"
            ' one = socket.create_server(("127.0.0.1", 2376)); time.sleep(600)\''
        )
    project.give(docker_restart_timeout=30)
    run = project.play()
    run.assert_failed(*prepared, saying="Docker API answers")
    for node in prepared:
        assert node.sh(f"test -e {DROP_IN}", check=False).returncode == 1
        assert node.sh("docker version", check=False).returncode == 0
        assert "2376" not in node.out("tr '\\0' ' ' < /proc/$(pidof dockerd)/cmdline")
        node.sh("systemctl stop squatter")
    project.play().assert_converged(*prepared)
    assert project.verify().code == 0


def test_a_rollback_closes_it_again(project: Project, prepared: list[Host]) -> None:
    project.play("rollback").assert_converged(*prepared)
    for node in prepared:
        assert node.sh(f"test -e {DROP_IN}", check=False).returncode == 1
        assert "2376" not in node.out("tr '\\0' ' ' < /proc/$(pidof dockerd)/cmdline")
        assert node.out(f"stat -c %a {FOLDER}/server.key").strip() == "600"
        assert node.sh("docker version", check=False).returncode == 0
    project.play("rollback").assert_unchanged(*prepared)
