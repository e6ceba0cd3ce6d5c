"""published_ports: before it everybody reaches a published port; with it only who is listed."""

from __future__ import annotations

import time

import pytest

from tests.hosts import workload
from tests.hosts.container_host import Host
from tests.hosts.project import Project
from tests.hosts.steps import LONG
from tests.sabotage import states
from tests.sabotage.states import State

CONTROL, WIDE = "docker_firewall/published_ports", "docker_firewall/published_on_all_addresses"
STATES = [state for control in (CONTROL, WIDE) for state in states.load(control)]
SHORT_FORM = 3  # the last of these, WIDE's among them
PORT = 8090
EVERY = 30  # seconds, as the timer has it
LISTED, STRANGER = "198.51.100.2", "203.0.113.2"
LISTED6, STRANGER6 = "fd00:51::2", "fd00:113::2"
ALLOW = [
    {"cidr": f"{LISTED}/32", "port": PORT},
    {"cidr": f"{LISTED6}/128", "port": f"{PORT}:{PORT + 1}", "proto": "tcp"},
]
# A client beside the host, in a network namespace of its own, with two addresses of each family.
CLIENT = f"""set -eu
on='for one in all default; do echo 0 > /proc/sys/net/ipv6/conf/$one/disable_ipv6; done'
sh -c "$on"
ip netns add client
ip netns exec client sh -c "$on"
ip link add outside type veth peer name eth0 netns client
for one in {LISTED[:-1]}1/24 {STRANGER[:-1]}1/24; do ip addr add $one dev outside; done
for one in fd00:51::1/64 fd00:113::1/64; do ip -6 addr add $one dev outside nodad; done
ip link set outside up
ip -n client link set lo up
for one in {LISTED}/24 {STRANGER}/24; do ip -n client addr add $one dev eth0; done
for one in {LISTED6}/64 {STRANGER6}/64; do ip -n client -6 addr add $one dev eth0 nodad; done
ip -n client link set eth0 up
ip -n client route add default via {LISTED[:-1]}1
"""
ASK = """
import socket, sys
try:
    with socket.create_connection((sys.argv[2], int(sys.argv[3])), 2, (sys.argv[1], 0)) as one:
        print(one.recv(64).decode())
except OSError as error:
    print("refused:", error)
"""
SERVE = f"while :; do echo served | /bin/busybox nc -l -p {PORT}; done"


# A machine that is no container, to which the host forwards a port of its own.
FORWARDED = PORT + 5
GUEST = f"""set -eu
ip netns add guest
ip link add lab0 type bridge
ip link add guest0 type veth peer name eth0 netns guest
ip link set guest0 master lab0 up
ip addr add 192.0.2.1/24 dev lab0
ip link set lab0 up
ip -n guest addr add 192.0.2.2/24 dev eth0
ip -n guest link set eth0 up
ip -n guest route add default via 192.0.2.1
systemd-run --quiet --unit=guest ip netns exec guest /bin/busybox sh -c \
    'while :; do echo served | /bin/busybox nc -l -p {FORWARDED}; done'
iptables -t nat -I PREROUTING -p tcp --dport {FORWARDED} -j DNAT --to-destination 192.0.2.2
iptables -A FORWARD -d 192.0.2.2 -j ACCEPT
iptables -A FORWARD -s 192.0.2.2 -j ACCEPT
"""
NO_GUEST = f"""
iptables -D FORWARD -s 192.0.2.2 -j ACCEPT
iptables -D FORWARD -d 192.0.2.2 -j ACCEPT
iptables -t nat -D PREROUTING -p tcp --dport {FORWARDED} -j DNAT --to-destination 192.0.2.2
systemctl stop guest
ip netns delete guest
ip link delete lab0
"""


def ask(node: Host, source: str, port: int = PORT) -> str:
    """What a port of the host says to a client with this address."""
    target = {LISTED: "198.51.100.1", STRANGER: "203.0.113.1"}
    target |= {LISTED6: "fd00:51::1", STRANGER6: "fd00:113::1"}
    words = f"ip netns exec client python3 - {source} {target[source]} {port}"
    return node.sh(words, stdin=ASK.encode()).stdout.decode().strip()


def reached(node: Host) -> list[bool]:
    """Whether the listed address and the other one are answered; who is not waits in vain."""
    said = [ask(node, LISTED), ask(node, STRANGER)]
    assert all(one == "served" or "timed out" in one for one in said), said
    return [one == "served" for one in said]


def soon(node: Host) -> None:
    """Only the listed address is answered, once firewalls have settled and the timer has run."""
    deadline = time.monotonic() + 3 * EVERY
    while time.monotonic() < deadline:
        if (ask(node, LISTED), "timed out" in ask(node, STRANGER)) == ("served", True):
            return
        time.sleep(1)
    assert reached(node) == [True, False]


@pytest.fixture(scope="module")
def prepared(project: Project, nodes: list[Host]) -> list[Host]:
    for node in nodes:
        node.sh("ip netns delete client 2>/dev/null; ip link delete outside 2>/dev/null; true")
        node.sh(CLIENT)
        workload.make_image(node)
        node.sh("docker rm -f published 2>/dev/null; true")
        node.sh(
            f"docker run -d --restart always --name published -p 198.51.100.1:{PORT}:{PORT}"
            f" -p 203.0.113.1:{PORT}:{PORT} {workload.IMAGE} /bin/busybox sh -c '{SERVE}'"
        )
    project.give(docker_firewall_allow=[])
    project.play().assert_converged(*nodes)
    return nodes


def test_before_it_everybody_gets_in(project: Project, prepared: list[Host]) -> None:
    """Also past the host's own rules for what comes in: that is why it is needed."""
    for node in prepared:
        assert reached(node) == [True, True]
        node.sh(f"iptables -I INPUT -p tcp --dport {PORT} -j DROP")
        assert reached(node) == [True, True], "Docker's forwarding comes before INPUT"
        node.sh(f"iptables -D INPUT -p tcp --dport {PORT} -j DROP")


def test_with_it_only_who_is_listed(project: Project, prepared: list[Host]) -> None:
    project.give(docker_firewall_allow=ALLOW)
    rules = {node.name: node.out("iptables -S; ip6tables -S") for node in prepared}
    checked = project.play("site", "--check", "--diff")
    checked.assert_converged(*prepared)
    assert "+-A HARDHOST-DOCKER -j DROP" in checked.text
    for node in prepared:
        assert node.out("iptables -S; ip6tables -S") == rules[node.name]
    standing = {node.name: process(node) for node in prepared}
    project.play().assert_converged(*prepared)
    project.play().assert_unchanged(*prepared)
    report = project.verify()
    for node in prepared:
        assert report.statuses(node.name)[CONTROL] == "pass", report.text
        assert reached(node) == [True, False]
        assert process(node) == standing[node.name], "dockerd was restarted"


def test_what_others_forward_goes_on(prepared: list[Host]) -> None:
    """To a guest on a bridge of the host's own, once the timer has seen it."""
    for node in prepared:
        node.sh(GUEST)
        deadline = time.monotonic() + 3 * EVERY
        while ask(node, STRANGER, FORWARDED) != "served":
            assert time.monotonic() < deadline, node.out("iptables -S; ip -br addr")
            time.sleep(1)
        assert reached(node) == [True, False]
        node.sh(NO_GUEST)


def process(node: Host) -> str:
    return node.out("systemctl show -p MainPID --value docker")


EMPTIED = "iptables -F; iptables -X"
NFTABLES = "systemctl unmask nftables"
RESTART = "systemctl reset-failed docker.service docker.socket; systemctl restart docker"


@pytest.mark.parametrize(
    "what",
    [
        pytest.param(RESTART, id="restart"),
        pytest.param(
            f"iptables -F DOCKER-USER; iptables -F HARDHOST-DOCKER; {RESTART}",
            id="flushed_chain",
            marks=LONG,
        ),
        pytest.param(
            f"systemctl stop docker.socket docker; {EMPTIED}; systemctl start docker",
            id="flushed_table",
        ),
        pytest.param(
            f"{NFTABLES}; systemctl start nftables; systemctl reload nftables; {RESTART}",
            id="nftables_reload",
            marks=LONG,
        ),
        pytest.param(
            f"{NFTABLES}; systemctl restart nftables; {RESTART};"
            f" systemctl stop nftables; {RESTART}",
            id="nftables_restart",
        ),
        pytest.param(
            f"systemctl unmask firewalld; systemctl start firewalld; {RESTART}", id="firewalld"
        ),
        pytest.param("firewall-cmd --reload", id="firewalld_reload"),
        pytest.param("systemctl restart firewalld", id="firewalld_restart", marks=LONG),
        pytest.param(f"systemctl stop firewalld; {RESTART}", id="firewalld_stop"),
    ],
)
def test_it_is_there_again_after(what: str, project: Project, prepared: list[Host]) -> None:
    for node in prepared:
        node.sh(what)
        workload_runs(node)
        soon(node)
    report = project.verify()
    for node in prepared:
        assert report.statuses(node.name)[CONTROL] == "pass", report.text


def test_what_the_timer_has_not_mended_is_told(project: Project, prepared: list[Host]) -> None:
    """The timer runs, and what it starts does nothing."""
    folder = "/run/systemd/system/hardhost-docker-firewall.service.d"
    unable = "[Unit]\\nConditionPathExists=/none\\n"
    for node in prepared:
        node.sh(f"mkdir -p {folder}; printf '{unable}' > {folder}/x.conf")
        node.sh("systemctl daemon-reload; iptables -F DOCKER-USER")
    report = project.verify()
    for node in prepared:
        assert report.statuses(node.name)[CONTROL] == "fail", report.text
        assert "DOCKER-USER does not begin with it" in report.reasons(node.name)[CONTROL]
    project.play().assert_converged(*prepared)
    for node in prepared:
        assert reached(node) == [True, False]
        node.sh(f"rm -r {folder}; systemctl daemon-reload")


def test_a_bridge_that_comes_while_docker_starts(prepared: list[Host]) -> None:
    """It may be Docker's; one that was let through before goes on to be."""
    folder = "/run/systemd/system/docker.service.d"
    lets = "iptables -S HARDHOST-DOCKER | grep -o -e '-o lab[01] ' || :"
    load = "systemctl start hardhost-docker-firewall.service"
    for node in prepared:
        node.sh(f"ip link add lab0 type bridge && {load}")
        program = node.out("systemctl cat docker | sed -n 's/^ExecStart=//p'").strip()
        slow = f"[Service]\nExecStart=\nExecStart=/bin/sh -c 'sleep 12; exec {program}'\n"
        node.sh(f"mkdir -p {folder}; cat > {folder}/slow.conf", stdin=slow.encode())
        node.sh("systemctl daemon-reload; systemctl reset-failed docker.service docker.socket")
        node.sh("systemctl --no-block restart docker")
        node.sh("until systemctl show -p SubState docker | grep -qx SubState=start; do :; done")
        node.sh(f"ip link add lab1 type bridge && {load}")
        seen = node.out(f"{lets}; systemctl show -p SubState --value docker").split()
        assert seen == ["-o", "lab0", "start"]
        node.sh("systemctl start docker")  # waits for the start that is under way
        assert node.out(lets).split() == ["-o", "lab0", "-o", "lab1"]
        node.sh(f"rm {folder}/slow.conf; ip link delete lab0; ip link delete lab1")
        node.sh("systemctl daemon-reload")
        workload_runs(node)
        soon(node)


@pytest.mark.parametrize(
    "flush",
    [
        pytest.param("iptables -F; iptables -t nat -F", id="iptables"),
        pytest.param("nft flush ruleset", id="nft", marks=LONG),
    ],
)
def test_what_only_docker_can_bring_back(
    flush: str, project: Project, prepared: list[Host]
) -> None:
    """Without Docker's rules in table nat docker-proxy answers everybody, past ours."""
    running = "docker inspect -f '{{.State.Pid}}' published"
    pids = {node.name: node.out(running) for node in prepared}
    daemons = {node.name: process(node) for node in prepared}
    before = {node.name: told(node) for node in prepared}
    for node in prepared:
        node.sh(f"{flush}; systemctl start hardhost-docker-firewall.service")
        assert reached(node) == [True, True], "docker-proxy does not answer in place of the rules"
        node.sh("systemctl start hardhost-docker-firewall.service")
        assert told(node) == before[node.name] + 1, "one line, not one each time"
    report = project.verify()
    for node in prepared:
        assert report.statuses(node.name)[CONTROL] == "fail", report.text
        said = report.reasons(node.name)[CONTROL]
        assert "gone from table nat, so docker-proxy answers everybody past" in said
        assert f"published {PORT}/tcp" in said
    withheld = project.play(inputs={"docker_restart_policy": "never"})
    withheld.assert_converged(*prepared)
    assert "restart withheld" in withheld.text
    for node in prepared:
        assert process(node) == daemons[node.name], "dockerd was restarted"
        assert reached(node) == [True, True]
    project.play().assert_converged(*prepared)
    for node in prepared:
        soon(node)
        assert process(node) != daemons[node.name]
        assert node.out(running) == pids[node.name], "the container was stopped"
    project.play().assert_unchanged(*prepared)
    assert project.verify().code == 0


def told(node: Host) -> int:
    """How often the journal says that Docker's rules are gone."""
    return int(node.out("journalctl -q -o cat -t hardhost-docker-firewall | grep -c restart || :"))


def workload_runs(node: Host) -> None:
    """Wait until the container serves again, by the host's own way to it."""
    node.sh(
        "for n in $(seq 60); do docker exec published /bin/busybox true 2>/dev/null && break;"
        " sleep 0.5; done"
    )


def test_past_it_over_ipv6_is_told(project: Project, prepared: list[Host]) -> None:
    """These engines leave IPv6 to docker-proxy, which no forwarding rule sees."""
    for node in prepared:
        node.sh(
            f"docker run -d --name past -p {PORT + 5}:{PORT} {workload.IMAGE}"
            f" /bin/busybox sh -c '{SERVE}'"
        )
    report = project.verify()
    for node in prepared:
        assert report.statuses(node.name)[CONTROL] == "fail", report.text
        assert "docker-proxy" in report.reasons(node.name)[CONTROL]
        assert "past" in report.reasons(node.name)[WIDE]
        node.sh("docker rm -f past")


@pytest.mark.parametrize(
    "state",
    [
        pytest.param(
            state,
            id=f"{state.control}-{state.name}",
            marks=LONG if number < len(STATES) - SHORT_FORM else (),
        )
        for number, state in enumerate(STATES)
    ],
)
def test_state(state: State, project: Project, prepared: list[Host]) -> None:
    for node in prepared:
        node.sh(state.script())
    report = project.verify()
    for node in prepared:
        found = report.statuses(node.name)
        assert found[state.control] == "fail", f"{state.why}\n{report.text}"
        if state.mend_script():
            node.sh(state.mend_script() or "")
    if not state.mend_script():
        project.play().assert_converged(*prepared)
        for node in prepared:
            assert reached(node) == [True, False]
            node.sh(state.cleanup_script() or "true")


def test_a_rollback_opens_it_again(project: Project, prepared: list[Host]) -> None:
    assert project.verify().code == 0
    project.play("rollback").assert_converged(*prepared)
    for node in prepared:
        assert reached(node) == [True, True]
        left = node.out("iptables -S; ip6tables -S; ls -A /etc/hardhost 2>&1 || true")
        assert "HARDHOST" not in left
        assert "docker-firewall.sh" not in left
        listed = node.out("systemctl list-units --all --no-legend 'hardhost-docker-firewall*'")
        assert not node.out("ls /etc/systemd/system/docker.service.d 2>/dev/null || true")
        assert "active" not in listed.replace("inactive", "")
