"""Settings that are wrong, or that other people made: said, stepped around, converged later."""

from __future__ import annotations

import json
from pathlib import Path

from tests.hosts import workload
from tests.hosts.container_host import Host
from tests.hosts.project import Project, render
from tests.hosts.serving import serving

SHORT_FORM_ON = "faults13"
BROKEN = b'{"dns": ["192.0.2.53"],\n "icc": fals}\n'


def put_daemon_json(host: Host, content: bytes) -> None:
    host.sh("cat > /etc/docker/daemon.json", stdin=content)


def assert_converges(project: Project, host: Host) -> None:
    """The next run succeeds, and leaves nothing to do for the one after it."""
    project.play().assert_converged(host)
    project.play("site", "--check").assert_unchanged(host)


def test_unparsable_daemon_json(fresh: Host, project: Project) -> None:
    with serving(fresh) as served:
        put_daemon_json(fresh, BROKEN)
        run = project.play()
        run.assert_failed(fresh, saying="/etc/docker/daemon.json")
        refused = project.artifact(fresh.name)["refused"]
        assert refused.startswith("/etc/docker/daemon.json:2: ")
        assert fresh.sh("cat /etc/docker/daemon.json").stdout == BROKEN
        served.assert_unbroken()
        served.assert_daemon_untouched()
        fresh.sh("rm /etc/docker/daemon.json")
        assert_converges(project, fresh)
        served.assert_unbroken()


def test_managed_key_as_unit_flag(fresh: Host, project: Project) -> None:
    fresh.sh("echo 'DOCKER_OPTS=\"--log-level=warn\"' > /etc/default/docker")
    fresh.sh("systemctl restart docker")
    with serving(fresh) as served:
        project.play().assert_converged(fresh)
        decision = project.decision(fresh.name, "docker_daemon/log_level")
        assert decision["decision"] == "pending"
        assert "flag for log-level: warn" in decision["reason"]
        written = json.loads(fresh.out("cat /etc/docker/daemon.json"))
        assert "log-level" not in written
        assert written["icc"] is False
        served.assert_unbroken()
        served.assert_old_or_in_force()
        fresh.sh(": > /etc/default/docker")
        assert_converges(project, fresh)
        served.assert_unbroken()
        assert json.loads(fresh.out("cat /etc/docker/daemon.json"))["log-level"] == "info"


def test_managed_key_as_equal_unit_flag(fresh: Host, project: Project) -> None:
    """Equal is in force already, and the key in the file as well would stop dockerd."""
    fresh.sh("echo 'DOCKER_OPTS=\"--icc=false\"' > /etc/default/docker")
    fresh.sh("systemctl restart docker")
    with serving(fresh) as served:
        assert_converges(project, fresh)
        assert "icc" not in json.loads(fresh.out("cat /etc/docker/daemon.json"))
        served.assert_unbroken()
        served.assert_old_or_in_force()
        report = project.verify()
        assert report.statuses(fresh.name)["docker_daemon/icc"] == "pass", report.text


def test_missing_seccomp_file(fresh: Host, project: Project) -> None:
    profile = "/etc/docker/seccomp.json"
    project.give(docker_daemon_seccomp_profile=profile)
    with serving(fresh) as served:
        project.play().assert_converged(fresh)
        decision = project.decision(fresh.name, "docker_daemon/seccomp_default")
        assert decision["decision"] == "pending"
        assert profile in decision["reason"]
        assert "seccomp-profile" not in fresh.out("cat /etc/docker/daemon.json")
        served.assert_unbroken()
        served.assert_old_or_in_force()
        fresh.sh(f"cat > {profile}", stdin=b'{"defaultAction": "SCMP_ACT_ALLOW"}')
        assert_converges(project, fresh)
        served.assert_unbroken()
        written = json.loads(fresh.out("cat /etc/docker/daemon.json"))
        assert written["seccomp-profile"] == profile


def test_size_limit_with_journald(fresh: Host, project: Project) -> None:
    """`max-size` with this driver would stop dockerd at its next start."""
    put_daemon_json(fresh, b'{"log-driver": "journald"}\n')
    fresh.sh("systemctl restart docker")
    with serving(fresh) as served:
        project.play().assert_converged(fresh)
        decision = project.decision(fresh.name, "docker_daemon/log_rotation")
        assert decision["decision"] == "not_applicable"
        assert "journald" in decision["reason"]
        assert "max-size" not in fresh.out("cat /etc/docker/daemon.json")
        served.assert_unbroken()
        served.assert_old_or_in_force()
        assert_converges(project, fresh)
        served.assert_unbroken()


def test_limit_above_the_daemons_own(fresh: Host, memory: Path) -> None:
    """With such a limit the API would answer and no container start."""
    fresh.sh("mkdir -p /etc/systemd/system/docker.service.d")
    drop_in = b"[Service]\nLimitNOFILE=8192\n"
    fresh.sh("cat > /etc/systemd/system/docker.service.d/limit.conf", stdin=drop_in)
    fresh.sh("systemctl daemon-reload && systemctl restart docker")
    project = render("production", memory / f"{fresh.name}-production", [fresh])
    project.give(docker_daemon_nofile_soft=1024, docker_daemon_nofile_hard=16384)
    project.play().assert_converged(fresh)
    decision = project.decision(fresh.name, "docker_daemon/default_ulimits")
    assert decision["decision"] == "pending"
    assert "8192" in decision["reason"]
    assert "default-ulimits" not in fresh.out("cat /etc/docker/daemon.json")
    workload.make_image(fresh)
    fresh.sh(f"docker run --rm {workload.IMAGE} /bin/sleep 0")
