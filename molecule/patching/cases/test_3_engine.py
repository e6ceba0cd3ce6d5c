"""The engine is upgraded under containers that serve; what has to be decided waits; a new engine that fails is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.hosts.observation import observe
from tests.hosts.package_lab import REPOSITORY, Lab
from tests.hosts.project import Project
from tests.hosts.serving import serving
from tests.hosts.steps import LONG

SHORT_FORM_ON = "patching12"
UPDATED = "docker_engine/engine_updated"
RUNNING = "docker_engine/engine_running_updated"
# In place of the new dockerd: it says its version, and gives up.
BROKEN = """#!/bin/sh
case "$*" in *--version*) echo '%s'; exit 0 ;; esac
echo 'failed to start daemon: this engine is broken' >&2
exit 1
"""
# A task of the operator's, with braces doubled for str.format.
NOTES = """
- name: Look at the engine
  ansible.builtin.shell: |
    echo {what} $(dpkg-query -W -f '${{Version}}' docker.io) $(systemctl show -p MainPID --value docker)
  register: noted
  changed_when: false
- name: Note it
  ansible.builtin.shell: echo "{{{{ noted.stdout }}}}" >> {log}
  delegate_to: localhost
  become: false
  changed_when: false
"""


# What packages of Docker's own end with; what it found afterwards is noted, to be compared.
RESTARTS = """
if [ "$1" = configure ] && [ -n "$2" ]; then
    invoke-rc.d docker restart || true
    deb-systemd-invoke restart containerd.service docker.service || true
    systemctl show -p MainPID --value docker containerd > /run/noted-by-package
fi
"""
# Somebody's own: it allows everything, and notes what it was asked.
POLICY = "/usr/sbin/policy-rc.d"
THEIRS = f"""cat > {POLICY} <<'END'
#!/bin/sh
echo "$@" >> /run/asked-of-policy
exit 0
END
chmod 750 {POLICY}; touch -d 2020-02-02 {POLICY}; rm -f /run/asked-of-policy
"""
STARTED = "39f53479d3a045ac8e11786248231fbf"  # systemd's message that a unit has been started


def build(
    lab: Lab, version: str, replaced: dict[str, str] | None = None, package: str = "docker.io"
) -> None:
    """Build a newer package of the installed engine; it restarts nothing unless it is told to."""
    contents = {**restarting(lab, package, ""), **(replaced or {})}
    lab.repository("repack", package, version, json.dumps(contents))


def restarting(lab: Lab, package: str = "docker.io", more: str = RESTARTS) -> dict[str, str]:
    """The script that configures the package, which restarts the engine after all that it does."""
    script = lab.host.out(f"cat /var/lib/dpkg/info/{package}.postinst")
    return {"/DEBIAN/postinst": script.partition(RESTARTS)[0] + more}


def in_pool(version: str) -> str:
    """A version as names of files have it: without its epoch."""
    return version.partition(":")[2] or version


def publish(lab: Lab, version: str, package: str = "docker.io") -> None:
    """Offer it; the host's lists do not know it yet."""
    lab.publish([], [f"{package}_{in_pool(version)}_"])


def offer(lab: Lab, version: str, replaced: dict[str, str] | None = None) -> None:
    """Build and publish it, and refresh the host's lists."""
    build(lab, version, replaced)
    publish(lab, version)
    lab.refresh_lists()


def processes(lab: Lab) -> list[str]:
    """The processes of dockerd and of containerd."""
    return lab.host.out("systemctl show -p MainPID --value docker containerd").split()


def starts(lab: Lab, unit: str) -> int:
    """How often systemd has started a unit in this boot."""
    lab.host.sh("journalctl --sync")
    told = lab.host.out(f"journalctl -q -o cat UNIT={unit}.service MESSAGE_ID={STARTED}")
    return len(told.splitlines())


def programs(lab: Lab) -> list[str]:
    """The files that run as dockerd and containerd, each with whether it is the one on the disk."""
    pids = zip(processes(lab), ("/usr/sbin/dockerd", "/usr/bin/containerd"), strict=True)
    command = "[ /proc/{}/exe -ef {} ] && echo {} || echo replaced"
    return [lab.host.out(command.format(pid, path, path)).strip() for pid, path in pids]


def decided(project: Project, lab: Lab, **inputs: Any) -> dict[str, Any]:
    run = project.play("preflight", limit=lab.host.name, inputs=inputs)
    run.assert_unchanged(lab.host)
    return project.decision(lab.host.name, UPDATED)


def test_what_has_to_be_decided_waits(lab: Lab, project: Project) -> None:
    installed = lab.version("docker.io")
    offer(lab, "99.0")
    found = decided(project, lab)
    assert found["decision"] == "pending"
    assert "another major version" in found["reason"]
    offer(lab, f"{installed}+hardhost1", restarting(lab))
    found = decided(project, lab)
    assert found["decision"] == "apply"
    assert [one["what"] for one in found["changes"]] == ["package docker.io"]
    pin = {"version": installed, "until": "2099-01-01", "reason": "a test"}
    assert decided(project, lab, docker_engine_pin=pin)["changes"] == []
    old = decided(project, lab, docker_engine_pin={**pin, "until": "2020-01-01"})
    assert "docker_engine_pin has ended (until 2020-01-01): a test" in old["reason"]
    lab.host.sh("apt-mark hold docker.io")
    assert "on hold" in decided(project, lab)["reason"]
    lab.host.sh("apt-mark unhold docker.io")
    never = decided(project, lab, docker_restart_policy="never")
    assert (never["decision"], never["reason"]) == ("pending", "docker_restart_policy is never")
    assert lab.version("docker.io") == installed


def test_its_package_restarts_the_engine_where_nobody_keeps_it_from_that(lab: Lab) -> None:
    """Else what follows would show nothing."""
    newer, before = lab.version("docker.io") + "+hardhost0", processes(lab)
    build(lab, newer, restarting(lab))
    lab.host.sh("systemctl reset-failed docker.service docker.socket")
    lab.host.sh(f"dpkg -i {REPOSITORY}/pool/docker.io_{in_pool(newer)}_*.deb")
    assert not set(before) & set(processes(lab))
    assert lab.host.out("cat /run/noted-by-package").split() == processes(lab)


def test_an_upgrade_under_containers_that_serve(lab: Lab, project: Project) -> None:
    """The package restarts nothing, the run restarts dockerd, and both once."""
    lab.host.sh("docker rm -f web worker; rm -f /run/noted-by-package", check=False)
    with serving(lab.host) as served:
        began, counted = processes(lab), starts(lab, "docker")
        project.play(limit=lab.host.name).assert_converged(lab.host)
        assert lab.version("docker.io").endswith("+hardhost1")
        assert lab.host.out("cat /run/noted-by-package").split() == began, "the package restarted"
        assert starts(lab, "docker") == counted + 1
        assert processes(lab)[1] == began[1], "containerd is the one that it was"
        assert lab.host.sh(f"test -e {POLICY}", check=False).returncode == 1
        assert programs(lab) == ["/usr/sbin/dockerd", "/usr/bin/containerd"]
        assert observe(lab.host)["process"] != served.before["process"]
        served.assert_unbroken()
        project.play(limit=lab.host.name).assert_unchanged(lab.host)
        report = project.verify(limit=lab.host.name)
        statuses = report.statuses(lab.host.name)
        assert (statuses[UPDATED], statuses[RUNNING]) == ("pass", "pass"), report.text
        kinds = {one["target"]: one for one in changes(lab)}
        assert kinds["docker.io"]["after"]["value"].endswith("+hardhost1")


def test_containerd_is_upgraded_under_containers_that_serve(lab: Lab, project: Project) -> None:
    """By the run, once, and not by the package; somebody's policy, which would have allowed that, is as it was."""
    newer = lab.version("containerd") + "+hardhost1"
    build(lab, newer, restarting(lab, "containerd"), "containerd")
    publish(lab, newer, "containerd")
    lab.refresh_lists()
    lab.host.sh("docker rm -f web worker; rm -f /run/noted-by-package", check=False)
    lab.host.sh(THEIRS)
    policy = lab.host.out(f"stat -c '%i %a %u:%g %Y' {POLICY}; cat {POLICY}")
    try:
        with serving(lab.host) as served:
            began, counted = processes(lab), [starts(lab, one) for one in ("docker", "containerd")]
            run = project.play(limit=lab.host.name)
            run.assert_converged(lab.host)
            assert "containerd.service: restarted" in run.text
            assert lab.version("containerd") == newer
            assert lab.host.out("cat /run/noted-by-package").split() == began, "the package did"
            now = [starts(lab, one) for one in ("docker", "containerd")]
            assert now == [counted[0], counted[1] + 1]
            assert programs(lab) == ["/usr/sbin/dockerd", "/usr/bin/containerd"]
            served.assert_unbroken()
            served.assert_daemon_untouched()
            lab.host.sh("docker run --rm workload /bin/sh -c true")
            assert policy == lab.host.out(f"stat -c '%i %a %u:%g %Y' {POLICY}; cat {POLICY}")
            assert lab.host.sh("ls /usr/sbin/*hardhost*", check=False).returncode != 0
            project.play(limit=lab.host.name).assert_unchanged(lab.host)
            report = project.verify(limit=lab.host.name)
            statuses = report.statuses(lab.host.name)
            assert (statuses[UPDATED], statuses[RUNNING]) == ("pass", "pass"), report.text
    finally:
        lab.host.sh(f"rm {POLICY}")


@LONG
def test_somebodys_policy_that_allows_restarts_allows_none(lab: Lab, project: Project) -> None:
    """Both packages in one run, which restarts each of the two once."""
    newer = {name: lab.version(name) + "+both" for name in ("containerd", "docker.io")}
    for name, version in newer.items():
        build(lab, version, restarting(lab, name), name)
    lab.publish([], [f"{name}_{in_pool(version)}_" for name, version in newer.items()])
    lab.refresh_lists()
    lab.host.sh("docker rm -f web worker; rm -f /run/noted-by-package", check=False)
    lab.host.sh(THEIRS)
    try:
        with serving(lab.host) as served:
            began, counted = processes(lab), [starts(lab, one) for one in ("docker", "containerd")]
            project.play(limit=lab.host.name).assert_converged(lab.host)
            assert {name: lab.version(name) for name in newer} == newer
            assert lab.host.out("cat /run/noted-by-package").split() == began, "a package did"
            now = [starts(lab, one) for one in ("docker", "containerd")]
            assert now == [number + 1 for number in counted]
            served.assert_unbroken()
            assert "docker" not in lab.host.out("cat /run/asked-of-policy || true")
    finally:
        lab.host.sh(f"rm {POLICY}")


def changes(lab: Lab) -> list[dict[str, Any]]:
    state = json.loads(lab.host.out("cat /var/lib/hardhost/state.json"))
    return [one for one in state["changes"] if one["kind"] == "package"]


def draining(log: Path) -> dict[str, str]:
    """The operator's tasks, as inputs: each notes the installed and the running engine."""
    log.unlink(missing_ok=True)
    paths = {what: log.with_name(f"{what}.yml") for what in ("drain", "undrain")}
    for what, path in paths.items():
        path.write_text(NOTES.format(what=what, log=log))
    return {f"hardhost_{what}_tasks": str(path) for what, path in paths.items()}


def pid(lab: Lab) -> str:
    return lab.host.out("systemctl show -p MainPID --value docker").strip()


def test_lists_that_were_old_are_read_again_before_the_engine_is_touched(
    lab: Lab, project: Project, memory: Path
) -> None:
    """One run: what preflight could not announce is drained for, upgraded, and restarted."""
    log, installed, before = memory / "drained.log", lab.version("docker.io"), pid(lab)
    tasks = draining(log)
    build(lab, f"{installed}+old")
    publish(lab, f"{installed}+old")
    run = project.play(limit=lab.host.name, inputs=tasks)
    run.assert_converged(lab.host)
    assert f"docker.io: {installed} -> {installed}+old" in run.text
    assert lab.version("docker.io") == f"{installed}+old"
    after = pid(lab)
    assert after != before
    assert log.read_text().splitlines() == [
        f"drain {installed} {before}",
        f"undrain {installed}+old {after}",
    ]
    project.play(limit=lab.host.name).assert_unchanged(lab.host)


@LONG
def test_lists_that_were_old_offer_what_may_not_be_restarted(
    lab: Lab, project: Project, memory: Path
) -> None:
    """It is found only after the lists were fetched, and held back even so; nobody is drained."""
    log, installed, before = memory / "drained.log", lab.version("docker.io"), pid(lab)
    tasks = draining(log)
    build(lab, f"{installed}+never")
    publish(lab, f"{installed}+never")
    never = {**tasks, "docker_restart_policy": "never"}
    project.play(limit=lab.host.name, inputs=never).assert_converged(lab.host)
    assert (lab.version("docker.io"), pid(lab)) == (installed, before)
    assert not log.exists()
    found = decided(project, lab, **never)
    assert (found["decision"], found["reason"]) == ("pending", "docker_restart_policy is never")
    project.play(limit=lab.host.name, inputs=tasks).assert_converged(lab.host)
    assert lab.version("docker.io") == f"{installed}+never"
    assert log.read_text().split()[0] == "drain"


@LONG
def test_a_new_engine_that_does_not_start(lab: Lab, project: Project) -> None:
    """It is said, the containers run on without it, and the package that mends it brings Docker back."""
    installed = lab.version("docker.io")
    build(lab, f"{installed}b")
    broken = BROKEN % lab.host.out("dockerd --version").strip()
    lab.host.sh("docker rm -f web worker", check=False)
    with serving(lab.host) as served:
        offer(lab, f"{installed}a", {"/usr/sbin/dockerd": broken})
        run = project.play(limit=lab.host.name)
        run.assert_failed(lab.host, saying="DOCKER IS DOWN")
        run.assert_failed(lab.host, saying="this engine is broken")
        publish(lab, f"{installed}b")
        lab.refresh_lists()
        project.play(limit=lab.host.name).assert_converged(lab.host)
        assert lab.version("docker.io") == f"{installed}b"
        served.assert_unbroken()
