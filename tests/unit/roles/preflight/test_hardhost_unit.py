"""The flags with which systemd starts dockerd are read as dockerd reads them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import hardhost_unit as unit

DEBIAN = (
    "{{ path=/usr/sbin/dockerd ; argv[]=/usr/sbin/dockerd -H fd:// "
    "--containerd=/run/containerd/containerd.sock $DOCKER_OPTS ; ignore_errors=no ; "
    "start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }}"
)


def flags(text: str) -> dict[str, Any]:
    found: dict[str, Any] = unit.flags(["/usr/sbin/dockerd", *text.split()])
    return found


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("", {}),
        ("-H fd://", {"hosts": ["fd://"]}),
        ("-Hfd://", {"hosts": ["fd://"]}),
        ("-H=fd:// --host tcp://127.0.0.1:2375", {"hosts": ["fd://", "tcp://127.0.0.1:2375"]}),
        ("-D", {"debug": True}),
        ("--debug=false", {"debug": False}),
        ("-l warn", {"log-level": "warn"}),
        ("-lwarn", {"log-level": "warn"}),
        ("--log-level=info", {"log-level": "info"}),
        ("--log-level info --icc=false", {"log-level": "info", "icc": False}),
        ("--icc=0 --ipv6", {"icc": False, "ipv6": True}),
        ("--live-restore --log-driver=journald", {"live-restore": True, "log-driver": "journald"}),
        ("--mtu 1400", {"mtu": 1400}),
        ("--dns 8.8.8.8 --dns=1.1.1.1", {"dns": ["8.8.8.8", "1.1.1.1"]}),
        ("--label a=b", {"labels": ["a=b"]}),
        ("--storage-opt size=1g", {"storage-opts": ["size=1g"]}),
        (
            "--log-opt max-size=10m --log-opt=tag={{.Name}}",
            {"log-opts": {"max-size": "10m", "tag": "{{.Name}}"}},
        ),
        (
            "--default-ulimit nofile=1024:4096",
            {"default-ulimits": {"nofile": {"Name": "nofile", "Soft": 1024, "Hard": 4096}}},
        ),
        (
            "--default-ulimit=nproc=5",
            {"default-ulimits": {"nproc": {"Name": "nproc", "Soft": 5, "Hard": 5}}},
        ),
        ("--add-runtime kata=/bin/kata", {"runtimes": {"kata": "/bin/kata"}}),
        ("--userns-remap=default --tlsverify", {"userns-remap": "default", "tlsverify": True}),
        ("--validate --config-file /x.json", {}),
        ("--newer-than-us=1", {"newer-than-us": "1"}),
        ("stray --icc=false", {"icc": False}),
        ("--log-level", {"log-level": "true"}),
    ],
)
def test_flags_stand_for_keys(given: str, found: dict[str, Any]) -> None:
    assert flags(given) == found


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("-H fd://", "/etc/docker/daemon.json"),
        ("--config-file=/srv/d.json -D", "/srv/d.json"),
        ("-D --config-file /srv/d.json", "/srv/d.json"),
    ],
)
def test_the_configuration_file_is_the_one_the_flags_name(given: str, path: str) -> None:
    assert unit.config_file(["dockerd", *given.split()]) == path


def command(environment_file: str, tmp_path: Path, **properties: str) -> list[str]:
    path = tmp_path / "docker"
    path.write_text(environment_file)
    words: list[str] = unit.command(
        {
            "ExecStart": DEBIAN.format(),
            "EnvironmentFiles": f"{path} (ignore_errors=yes)",
            **properties,
        }
    )
    return words[4:]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("", [], id="empty"),
        pytest.param("#DOCKER_OPTS=--icc=false\n; DOCKER_OPTS=-D\n", [], id="comments"),
        pytest.param("DOCKER_OPTS=--icc=false\n", ["--icc=false"], id="plain"),
        pytest.param('DOCKER_OPTS="--icc=false -D"\n', ["--icc=false", "-D"], id="double quotes"),
        pytest.param("DOCKER_OPTS='--icc=false -D'\n", ["--icc=false", "-D"], id="single quotes"),
        pytest.param('DOCKER_OPTS="--icc=false \\\n -D"\n', ["--icc=false", "-D"], id="two lines"),
        pytest.param(
            "DOCKER_OPTS=-D\nDOCKER_OPTS=-Hfd://\n", ["-Hfd://"], id="the last one counts"
        ),
        pytest.param(
            'DOCKER_OPTS=--label=a="b c"\n',
            ["--label=a=b c"],
            id="quotes in the middle belong to the flags",
        ),
        pytest.param("DOCKER_OPTS=\"--label='b c'\"\n", ["--label=b c"], id="quotes in quotes"),
        pytest.param(
            'DOCKER_OPTS="--label=\'b -D"\n', ["--label='b", "-D"], id="a quote left open"
        ),
        pytest.param("OTHER=-D\nwithout a value\n", [], id="other lines"),
    ],
)
def test_the_environment_file_fills_the_variable(
    text: str, words: list[str], tmp_path: Path
) -> None:
    assert command(text, tmp_path) == words


def test_the_environment_file_wins_over_the_unit(tmp_path: Path) -> None:
    given = {"Environment": '"DOCKER_OPTS=-D --ipv6" LANG=C'}
    assert command("", tmp_path, **given) == ["-D", "--ipv6"]
    assert command("DOCKER_OPTS=-l warn\n", tmp_path, **given) == ["-l", "warn"]


def test_a_missing_environment_file_is_no_error(tmp_path: Path) -> None:
    assert command("", tmp_path, EnvironmentFiles=f"{tmp_path}/none (ignore_errors=yes)") == []


def test_every_environment_file_counts(tmp_path: Path) -> None:
    """`systemctl show` gives each a line of its own; the last must not hide the others."""
    (tmp_path / "one").write_text("A=-D\n")
    (tmp_path / "two").write_text("B=--ipv6\n")
    shown = (
        f"ExecStart={{ path=x ; argv[]=dockerd $A ${{B}} ; ignore_errors=no ; }}\n"
        f"EnvironmentFiles={tmp_path}/one (ignore_errors=yes)\n"
        f"EnvironmentFiles={tmp_path}/tw* (ignore_errors=no)\n"
    )
    assert unit.command(unit.properties(shown)) == ["dockerd", "-D", "--ipv6"]


def test_a_variable_inside_a_word_stays_one_word() -> None:
    properties = {
        "ExecStart": "{ path=x ; argv[]=dockerd --label=${WHO}x ; ignore_errors=no ; }",
        "Environment": '"WHO=a b"',
    }
    assert unit.command(properties) == ["dockerd", "--label=a bx"]


def test_a_unit_without_a_command_has_none() -> None:
    assert unit.command(unit.properties("LoadState=not-found\nExecStart=\n")) == []


def test_a_process_is_described_by_the_kernel() -> None:
    found = unit.process(os.getpid())
    assert found["arguments"][0] == sys.orig_argv[0]
    assert Path(found["executable"]) == Path(sys.executable).resolve()
    assert found["age"] > 0
    assert found["started"] == unit.process(os.getpid())["started"]


def test_a_process_that_is_gone_is_none() -> None:
    ended = subprocess.Popen(["/bin/true"])
    ended.wait()
    assert unit.process(ended.pid) is None


def test_the_hard_limit_of_open_files_is_the_processes_own() -> None:
    """The shell waits for a line: when it is read it has not become another program."""
    with subprocess.Popen(
        ["sh", "-c", "ulimit -n 77; echo; read line"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        found = unit.process(child.pid)
        child.communicate(b"\n", timeout=30)
    assert found["nofile"] == 77
