"""Faults of the host: said clearly, the API answers, nothing is lost, the next run converges."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.hosts import breakage
from tests.hosts.serving import Serving, wait_settled
from tests.hosts.steps import EVERY_POINT, LONG, ORIGINAL, Steps

DAEMON_JSON = "/etc/docker/daemon.json"
STATE = "/var/lib/hardhost"
MARKER = "no-new-privileges"


def write_fails(steps: Steps, *, saying: str) -> None:
    steps.new_run()
    steps.write(steps.read()).failed(saying=saying)


def after(steps: Steps, served: Serving) -> None:
    """The file is the old one and no record says otherwise; then a run converges and is taken back.

    The latter in `make test-all`: in `make test` the cases that converge the same host show it.
    """
    served.assert_unbroken()
    served.assert_old_file()
    assert not steps.read("all")["undo"]
    if not EVERY_POINT:
        return
    steps.converge()
    assert MARKER in steps.host.out(f"cat {DAEMON_JSON}")
    served.assert_unbroken()
    steps.roll_back()
    served.assert_old_file()
    assert not steps.host.out("find /etc /var/lib/hardhost -name '.hardhost-*'")


@contextmanager
def mounted(steps: Steps, where: str, options: str) -> Iterator[None]:
    """A small file system in place of a directory, with the directory's content."""
    host = steps.host
    host.sh(f"mkdir -p {where} && rm -rf /run/kept && cp -a {where} /run/kept")
    host.sh(f"mount -t tmpfs -o mode=0755,{options} none {where} && cp -a /run/kept/. {where}/")
    try:
        yield
    finally:
        host.sh(f"umount {where}")


FULL = pytest.mark.parametrize(
    ("where", "options", "fill", "saying"),
    [
        pytest.param(
            STATE, "size=16k", "cat /dev/zero >", "the state cannot be written", id="disk_of_state"
        ),
        pytest.param(
            STATE,
            "nr_inodes=1",
            "",
            "the state cannot be written",
            id="inodes_of_state",
            marks=LONG,
        ),
        pytest.param(
            "/etc/docker", "size=16k", "cat /dev/zero >", f"{DAEMON_JSON}: No space", id="disk"
        ),
        pytest.param(
            "/etc/docker",
            "nr_inodes=4",
            "touch",
            f"{DAEMON_JSON}: No space",
            id="inodes",
            marks=LONG,
        ),
    ],
)


@FULL
def test_nothing_left_on(
    where: str, options: str, fill: str, saying: str, old: Steps, served: Serving
) -> None:
    with mounted(old, where, options):
        if fill.startswith("cat"):
            old.host.sh(f"{fill} {where}/ballast", check=False)
        elif fill:
            old.host.sh(f"for n in 1 2 3 4; do touch {where}/ballast$n; done", check=False)
        write_fails(old, saying=saying)
        assert old.host.sh(f"cat {DAEMON_JSON}").stdout == ORIGINAL
    after(old, served)


def test_no_room_for_the_way_back(old: Steps, served: Serving) -> None:
    """The file is written, and then the disk runs full: nothing is restarted."""
    old.new_run()
    with mounted(old, "/etc/docker", "size=64k"):
        old.write(old.read()).ok()
        old.host.sh("cat /dev/zero > /etc/docker/ballast", check=False)
        old.restart().failed(saying="nothing was restarted")
        served.assert_daemon_untouched()
        old.host.sh("rm /etc/docker/ballast")
        old.roll_back()
    after(old, served)


def test_a_disk_that_fills_while_dockerd_restarts(old: Steps, served: Serving) -> None:
    """The way back has kept room for itself: the old file is in force, and the operator is told."""
    old.new_run()
    with mounted(old, STATE, "size=16m"):
        old.write(old.read()).ok()
        breakage.fills_disk_at_start(old.host, MARKER, STATE)
        try:
            old.restart().failed(saying="the old daemon.json is in force again")
        finally:
            breakage.mend(old.host)
        wait_settled(old.host)
        assert int(old.host.out(f"stat -c %s {STATE}/ballast")) > 2**20
        old.host.sh(f"rm {STATE}/ballast")
        assert not old.read("all")["undo"]
    after(old, served)


@pytest.mark.parametrize("where", ["/etc/docker", pytest.param("/etc", marks=LONG)])
def test_read_only_etc(where: str, old: Steps, served: Serving) -> None:
    old.host.sh(f"mount --bind {where} {where} && mount -o remount,ro,bind {where}")
    try:
        write_fails(old, saying="Read-only file system")
    finally:
        old.host.sh(f"umount {where}")
    after(old, served)


def test_immutable(old: Steps, served: Serving) -> None:
    breakage.make_immutable(old.host, DAEMON_JSON, on=True)
    try:
        write_fails(old, saying=f"{DAEMON_JSON}: Operation not permitted")
    finally:
        breakage.make_immutable(old.host, DAEMON_JSON, on=False)
    after(old, served)


@pytest.mark.parametrize("link", [pytest.param("/etc/docker", marks=LONG), DAEMON_JSON])
def test_symbolic_link(link: str, old: Steps, served: Serving) -> None:
    """The file it leads to is managed; the link stays a link."""
    target = "/srv/elsewhere"
    old.host.sh(f"rm -rf {target} && mv {link} {target} && ln -s {target} {link}")
    try:
        old.converge()
        assert old.host.out(f"readlink {link}").strip() == target
        assert MARKER in old.host.out(f"cat {DAEMON_JSON}")
        old.roll_back()
        assert old.host.out(f"readlink {link}").strip() == target
        assert old.host.sh(f"cat {DAEMON_JSON}").stdout == ORIGINAL
    finally:
        old.host.sh(f"rm {link} && mv {target} {link}")
    after(old, served)


@LONG
def test_link_that_leads_nowhere(old: Steps, served: Serving) -> None:
    """What it names is made by the run and gone after the rollback; the link is the operator's."""
    old.host.sh(f"mv {DAEMON_JSON} /run/kept.json && ln -s /srv/none.json {DAEMON_JSON}")
    old.host.sh("systemctl reset-failed docker docker.socket; systemctl restart docker")
    try:
        old.converge()
        old.roll_back()
        assert old.host.out(f"readlink {DAEMON_JSON}").strip() == "/srv/none.json"
        assert old.host.sh("test -e /srv/none.json", check=False).returncode == 1
    finally:
        old.host.sh(f"rm {DAEMON_JSON} && cp -a /run/kept.json {DAEMON_JSON}")


def test_directory_in_its_place(old: Steps, served: Serving) -> None:
    old.host.sh(f"mv {DAEMON_JSON} /run/kept.json && mkdir {DAEMON_JSON}")
    try:
        assert f"{DAEMON_JSON}: Is a directory" in old.read()["refused"]
    finally:
        old.host.sh(f"rmdir {DAEMON_JSON} && cp -a /run/kept.json {DAEMON_JSON}")
    after(old, served)


@pytest.mark.parametrize("when", [pytest.param("1980-01-02", marks=LONG), "2049-01-02"])
def test_clock_years_off(when: str, old: Steps, served: Serving) -> None:
    """While another run worked here, the clock was wrong: its lease and its file are from then."""
    old.host.sh(f"touch -d {when} {DAEMON_JSON}")
    seconds = int(old.host.out(f"date -d {when} +%s"))
    lease = {"run": "r0", "holder": "ops@bastion", "since": seconds, "expires": seconds + 60}
    state = {"version": 1, "changes": [], "undone": [], "files": {}, "daemon": None, "lease": lease}
    old.host.sh(f"mkdir -p {STATE} && cat > {STATE}/state.json", stdin=json.dumps(state).encode())
    old.converge()
    assert MARKER in old.host.out(f"cat {DAEMON_JSON}")
    old.roll_back()
    served.assert_unbroken()
    served.assert_old_file()
    old.host.sh(f"touch -d 2024-02-29 {DAEMON_JSON}")
    after(old, served)


def test_killed_for_want_of_memory_while_starting(old: Steps, served: Serving) -> None:
    """As the kernel does it: SIGKILL, whenever dockerd starts with the new file."""
    script = f"grep -q {MARKER} {DAEMON_JSON} && kill -9 $$$$ || :"
    text = f"[Service]\nExecStartPre=/bin/sh -c '{script}'\n"
    old.host.sh(
        f"mkdir -p $(dirname {breakage.DROP_IN}) && cat > {breakage.DROP_IN}", stdin=text.encode()
    )
    old.host.sh("systemctl daemon-reload")
    try:
        old.new_run()
        old.write(old.read()).ok()
        old.restart().failed(saying="the old daemon.json is in force again")
    finally:
        breakage.mend(old.host)
    after(old, served)


def test_containerd_down(old: Steps, served: Serving) -> None:
    old.host.sh("systemctl stop containerd")
    try:
        assert "containerd does not answer" in old.read()["refused"]
        assert old.host.out("docker version")
    finally:
        old.host.sh("systemctl start containerd")
        old.host.sh("until ctr version >/dev/null 2>&1; do sleep 0.2; done; sleep 3")
    after(old, served)


@LONG
def test_api_that_does_not_answer(old: Steps, served: Serving) -> None:
    old.host.sh("kill -STOP $(cat /run/docker.pid)")
    try:
        assert "its API does not answer" in old.read()["refused"]
    finally:
        old.host.sh("kill -CONT $(cat /run/docker.pid)")
    after(old, served)


@LONG
def test_slow_api(old: Steps, served: Serving) -> None:
    """Every answer takes seconds, through the restart and back."""
    loop = (
        "while [ ! -e /run/fast ]; do pid=$(cat /run/docker.pid);"
        " kill -STOP $pid; sleep 1.5; kill -CONT $pid; sleep 0.5; done"
    )
    old.host.sh("rm -f /run/fast")
    slow = threading.Thread(target=lambda: old.host.sh(loop, check=False, timeout=300), daemon=True)
    slow.start()
    try:
        old.converge()
        assert MARKER in old.host.out(f"cat {DAEMON_JSON}")
        old.roll_back()
    finally:
        old.host.sh(": > /run/fast")
        slow.join(timeout=30)
        old.host.sh("kill -CONT $(cat /run/docker.pid)")
    wait_settled(old.host)
    after(old, served)


def test_two_controllers(old: Steps, served: Serving) -> None:
    """The second one is told who works here, since when, and until when it has to wait."""
    old.new_run()
    first = old.run
    old.write(old.read()).ok()
    old.new_run()
    old.undo().failed(saying=f"run {first} of tests@here has been working on this host since 20")
    said = old.restart().failed(saying="its lease ends at 20")["msg"]
    lease = json.loads(old.host.out(f"cat {STATE}/state.json"))["lease"]
    assert time.strftime("%H:%M:%SZ", time.gmtime(lease["expires"])) in said
    served.assert_daemon_untouched()
    old.run = first
    old.restart().ok()
    assert json.loads(old.host.out(f"cat {STATE}/state.json"))["lease"] is None
    old.roll_back()
    after(old, served)


def test_state_of_another_version(old: Steps, served: Serving) -> None:
    old.converge()
    text = old.host.out(f"cat {STATE}/state.json")
    for version in ("0", "2", '"1"', "null"):
        other = text.replace('"version": 1', f'"version": {version}')
        old.host.sh(f"cat > {STATE}/state.json", stdin=other.encode())
        assert "use the hardhost release that wrote it" in old.read()["refused"]
        assert old.host.out(f"cat {STATE}/state.json") == other
    old.new_run()
    old.undo().failed(saying="has version None, this project knows version 1")
    served.assert_unbroken()
    old.host.sh(f"cat > {STATE}/state.json", stdin=text.encode())
    old.roll_back()
    after(old, served)
