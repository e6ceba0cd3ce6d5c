"""Lines arrive at a collector; one that does not answer is said before containers fail to start."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hosts import workload
from tests.hosts.container_host import Host
from tests.hosts.project import Project, render
from tests.hosts.steps import LONG

HERE = Path(__file__).parents[1]
CONTROL = "docker_daemon/log_destination"
ARRIVED = "/run/collected"
PORT = 5514
KEEPER = "docker inspect -f '{{.State.Pid}} {{.State.Running}}' keeper"
FOLDER = "/srv/logs"
# The collector's certificate is its own authority; the other one is nobody's.
CERTIFICATES = f"""set -eu
mkdir -p {FOLDER} && cd {FOLDER}
for name in collector other; do
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 \\
        -subj /CN=$name -addext subjectAltName=IP:127.0.0.1 -keyout $name.key -out $name.pem
done 2>/dev/null
"""
# Driver, scheme of its target, and how the collector listens.
DESTINATIONS = [
    ("syslog", "udp", "udp"),
    ("syslog", "tcp+tls", "tls"),
    ("gelf", "udp", "udp"),
    ("gelf", "tcp", "tcp"),
    ("fluentd", "tcp", "tcp"),
]


@pytest.fixture(scope="module")
def logs(nodes: list[Host], memory: Path) -> Project:
    for node in nodes:
        node.sh(CERTIFICATES)
        node.sh("cat > /srv/collector.py", stdin=(HERE / "files/collector.py").read_bytes())
        workload.make_image(node)
    return render("logs", memory / "logs", nodes, HERE / "profiles")


@pytest.fixture(autouse=True)
def no_collector(nodes: list[Host]) -> Iterator[None]:
    """A case begins and ends without one."""
    yield
    stop(nodes)


def start(nodes: list[Host], kind: str) -> None:
    """systemd returns when it listens."""
    for node in nodes:
        node.sh(
            f"rm -f {ARRIVED}; systemd-run --quiet --collect --unit collector"
            f" --property=Type=notify python3 /srv/collector.py {kind} {PORT} {ARRIVED}"
            f" {FOLDER}/collector.pem {FOLDER}/collector.key"
        )


def stop(nodes: list[Host]) -> None:
    for node in nodes:
        node.sh("systemctl stop collector", check=False)


def give(logs: Project, driver: str, scheme: str, authority: str = "") -> None:
    logs.give(
        docker_daemon_log_driver=driver,
        docker_daemon_log_target=f"{scheme}://127.0.0.1:{PORT}",
        docker_daemon_log_tls_ca=f"{FOLDER}/{authority}.pem" if authority else "",
    )


def say(node: Host, line: str) -> tuple[int, str]:
    """A container says a line; its exit code, and what the client says."""
    done = node.sh(f"docker run --rm workload /bin/sh -c 'echo {line}' 2>&1", check=False)
    return done.returncode, done.stdout.decode()


def assert_starts(nodes: list[Host]) -> None:
    for node in nodes:
        assert say(node, "a line") == (0, "a line\n")


def assert_arrives(nodes: list[Host]) -> None:
    """A line that was never said before, by the driver that a new container gets by itself."""
    for node in nodes:
        line = f"marked-{secrets.token_hex(8)}"
        assert say(node, line) == (0, f"{line}\n")
        node.sh(f"timeout 30 sh -c 'until grep -aq {line} {ARRIVED}; do sleep 0.2; done'")


def test_a_collector_that_does_not_answer_holds_it_back(logs: Project, nodes: list[Host]) -> None:
    give(logs, "syslog", "tcp")
    logs.play().assert_converged(*nodes)
    for node in nodes:
        found = logs.decision(node.name, CONTROL)
        assert found["decision"] == "pending"
        assert "no container would start with it" in found["reason"]
    assert_starts(nodes)


def test_lines_arrive_at_the_collector(logs: Project, nodes: list[Host]) -> None:
    start(nodes, "tcp")
    logs.play().assert_converged(*nodes)
    logs.play().assert_unchanged(*nodes)
    assert_arrives(nodes)
    report = logs.verify()
    assert report.code == 0, report.text
    assert {report.statuses(node.name)[CONTROL] for node in nodes} == {"pass"}
    for node in nodes:
        node.sh("docker run -d --name keeper workload /bin/sleep 1000000")


def test_a_collector_that_goes_away_is_said_and_can_be_taken_back(
    logs: Project, nodes: list[Host]
) -> None:
    """Containers that log there hold the restart back, which they would not survive."""
    for node in nodes:
        code, said = say(node, "a line")
        assert code != 0, "containers start without it: nothing would be shown"
        assert "logging driver" in said
    run = logs.play()
    run.assert_unchanged(*nodes)
    assert "IT IS IN FORCE, AND NO CONTAINER STARTS" in " ".join(run.text.split())
    report = logs.verify()
    for node in nodes:
        assert report.statuses(node.name)[CONTROL] == "pending"
        assert "does not answer" in report.reasons(node.name)[CONTROL]
    back = {"hardhost_rollback_scope": "controls", "hardhost_rollback_controls": [CONTROL]}
    before = [node.out(KEEPER) for node in nodes]
    run = logs.play("rollback", inputs=back)
    run.assert_converged(*nodes)
    assert "would lose the containers that log there: keeper" in " ".join(run.text.split())
    assert [node.out(KEEPER) for node in nodes] == before
    for node in nodes:
        node.sh("docker rm -f keeper")
    logs.play("rollback", inputs=back).assert_converged(*nodes)
    assert_starts(nodes)
    logs.play("rollback", inputs=back).assert_unchanged(*nodes)


@LONG
@pytest.mark.parametrize(
    ("driver", "scheme", "kind"), DESTINATIONS, ids=["-".join(one[:2]) for one in DESTINATIONS]
)
def test_lines_arrive_by(
    driver: str, scheme: str, kind: str, logs: Project, nodes: list[Host]
) -> None:
    """One after the other takes the place of the last."""
    start(nodes, kind)
    give(logs, driver, scheme, "collector" if kind == "tls" else "")
    logs.play().assert_converged(*nodes)
    assert_arrives(nodes)
    report = logs.verify()
    assert report.code == 0, report.text
    assert {report.statuses(node.name)[CONTROL] for node in nodes} == {"pass"}


@LONG
def test_a_destination_with_which_no_container_starts_is_taken_back(
    logs: Project, nodes: list[Host]
) -> None:
    """It takes connections, so that only the container on trial can show it."""
    logs.play("rollback").assert_converged(*nodes)
    start(nodes, "tls")
    give(logs, "syslog", "tcp+tls", "other")
    run = logs.play()
    run.assert_failed(*nodes, saying="the old daemon.json is in force again")
    run.assert_failed(*nodes, saying="no container can be started")
    assert_starts(nodes)
    give(logs, "syslog", "tcp+tls", "collector")
    logs.play().assert_converged(*nodes)
    assert_arrives(nodes)
