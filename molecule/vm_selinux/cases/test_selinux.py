"""To enforcing by steps, attacked, broken in each way, rebooted and taken back; in this order."""

from __future__ import annotations

from tests.hosts.attacks import attack, make_image, refused
from tests.hosts.container_host import Host
from tests.hosts.project import Project, Report
from tests.hosts.steps import EVERY_POINT, LONG
from tests.sabotage import states
from tests.sabotage.states import State

ENFORCING = "mandatory_access/selinux_enforcing"
POLICY = "mandatory_access/selinux_container_policy"
LABELS = "docker_daemon/selinux_labels"
NOT_HERE = (
    "docker_daemon/selinux_storage",  # for engine 29
    "mandatory_access/apparmor_active",
    "mandatory_access/apparmor_container_profile",
    "mandatory_access/apparmor_docker_default",
)
STATES = [state for control in (ENFORCING, POLICY, LABELS) for state in states.load(control)]
# One state of each control, made together: under emulation each verify costs half a minute.
TOGETHER = ("permissive", "module_removed", "container_without_a_label")

IMAGE = """set -eu
mkdir -p /root/lab/bin /root/lab/tmp
cp /bin/busybox /root/lab/bin/
for name in sh ping arping id cat nc sleep echo chown; do ln -sf busybox /root/lab/bin/$name; done
tar -C /root/lab -c . | docker import - hardhost-lab > /dev/null
"""
# What every container has to be able to do, then what only some may.
ATTEMPTS = """
cat /proc/self/attr/current; echo
echo x > /file && chown 5:5 /file && echo own files
nc -l -p 80 > /dev/null & sleep 2; echo hello | nc 127.0.0.1 80 && echo tcp
ping -c 1 -W 2 127.0.0.1 > /dev/null && echo raw socket
arping -c 1 -w 1 -I lo 127.0.0.1 2>&1 | grep -q 'not ARPable' && echo packet socket
true
"""
DATA_ROOT = """set -eu
python3 - <<'END'
import json
path = "/etc/docker/daemon.json"
options = json.load(open(path))
options.{}
json.dump(options, open(path, "w"), indent=1)
END
systemctl restart docker
"""
MOVE = "mkdir /srv/docker\n" + DATA_ROOT.format('update({"data-root": "/srv/docker"})')
MOVE_BACK = DATA_ROOT.format('pop("data-root")') + "rm -r /srv/docker\n"
WANTED = {"own files", "tcp"}
# By root of the host, granted everything but this.
ATTEMPTS_OF_ROOT = {
    *("raw_socket", "packet_socket", "af_alg", "mount", "ptrace", "sysctl"),
    *("kernel_log", "kernel_memory", "other_container"),
}
OTHER = """docker run -d -i --name other attack sh > /dev/null
docker inspect -f '{{.GraphDriver.Data.MergedDir}}' other
"""
# Our type's name is that of an attribute already, by somebody else.
TAKEN = """echo '(typeattribute hardhost_container_t)' > /root/taken.cil
semodule -X 400 -r hardhost_container && semodule -i /root/taken.cil
"""
FORBIDDEN = {"raw socket", "packet socket"}


def in_container(host: Host, *options: str) -> tuple[str, set[str]]:
    """The type of a container's process, and which attempts it got through."""
    words = f'docker run --rm {" ".join(options)} hardhost-lab sh -c "$ATTEMPTS" 2>/dev/null'
    label, *lines = host.out(f"ATTEMPTS='{ATTEMPTS.replace(chr(39), chr(34))}'; {words}").split(
        "\n"
    )
    return label.split(":")[2], {line.strip() for line in lines if line.strip()}


def denials(host: Host, kind: str) -> str:
    return host.out(
        f"grep 'avc:  denied' /var/log/audit/audit.log | grep 'tcontext=.*{kind}' | tail -n 1"
    )


def statuses(report: Report, host: Host) -> dict[str, str]:
    """Those of the controls that are about a host of this kind."""
    found = report.statuses(host.name)
    others = {control: found.pop(control) for control in NOT_HERE}
    assert set(others.values()) == {"not_applicable"}, report.text
    return found


def passes(selinux: Project, host: Host, *, probe: bool = False) -> Report:
    report = selinux.verify(probe=probe)
    assert set(statuses(report, host).values()) == {"pass"}, report.text
    return report


def test_0_a_permissive_host_is_permissive(host: Host) -> None:
    assert host.out("getenforce").strip() == "Permissive"
    assert ":dockerd_t:" in host.out("ps -o label= -C dockerd")


def test_1_the_first_converge_enforces_until_the_next_boot(selinux: Project, host: Host) -> None:
    selinux.play().assert_converged(host)
    assert host.out("getenforce").strip() == "Enforcing"
    assert "SELINUX=permissive" in host.out("cat /etc/selinux/config")
    host.sh(IMAGE)


def test_2_the_second_makes_it_last_and_the_third_changes_nothing(
    selinux: Project, host: Host
) -> None:
    selinux.play().assert_converged(host)
    assert "SELINUX=enforcing" in host.out("cat /etc/selinux/config")
    report = passes(selinux, host, probe=True)
    seen = {one["id"]: one["probe"] for one in report.results(host.name) if one.get("probe")}
    print(seen[POLICY]["reason"], seen[LABELS]["reason"], sep="\n")  # shown with the result
    assert "avc:  denied  { create }" in seen[POLICY]["reason"]
    selinux.play().assert_unchanged(host)


def test_3_what_the_type_forbids_is_refused_and_recorded(host: Host) -> None:
    kind, got = in_container(host)
    assert kind == "container_t"
    assert got >= WANTED | FORBIDDEN, "the control probe has to get through"
    kind, got = in_container(host, "--security-opt label=type:hardhost_container_t")
    assert kind == "hardhost_container_t"
    assert got == WANTED
    for socket in ("rawip_socket", "packet_socket"):
        record = denials(host, f"hardhost_container_t.*{socket}")
        print(record)  # shown with the result
        assert "permissive=0" in record


def test_4_attacked_by_root_with_every_capability(host: Host) -> None:
    """What differs from the first is the type's doing."""
    make_image(host)
    files = f"-v {host.out(OTHER).strip()}/etc:/other:ro"
    for label, stopped in (
        ("disable", set()),
        ("type:container_t", ATTEMPTS_OF_ROOT),
        ("type:hardhost_container_t", ATTEMPTS_OF_ROOT),
    ):
        found = attack(host, sorted(ATTEMPTS_OF_ROOT), (files, f"--security-opt=label={label}"))
        assert found.keys() == ATTEMPTS_OF_ROOT
        assert refused(found) == stopped, f"{label}: {found}"
    for kind in ("alg_socket", "process"):
        record = denials(host, f"hardhost_container_t.*tclass={kind}")
        print(record)  # shown with the result
        assert "permissive=0" in record
    host.sh("docker rm -f other")


def test_4_two_containers_have_different_categories(host: Host) -> None:
    command = "docker run --rm hardhost-lab cat /proc/self/attr/current"
    one, other = host.out(f"{command}; echo; {command}").split()
    assert one.split(":s0:")[0] == other.split(":s0:")[0] == "system_u:system_r:container_t"
    assert one != other


def test_5_each_sabotage_fails_its_control_and_no_other(selinux: Project, host: Host) -> None:
    for chosen in [[one] for one in STATES] if EVERY_POINT else [together()]:
        for state in chosen:
            host.sh(state.script(), timeout=600)
        broken = {
            control
            for control, status in statuses(selinux.verify(), host).items()
            if status == "fail"
        }
        assert broken == {state.control for state in chosen}
        for state in chosen:
            if state.mend_script():
                host.sh(state.mend_script() or "", timeout=600)
        if "hardhost" not in host.out("semodule -l", timeout=300):
            selinux.play("site", "--check").assert_converged(host)
            assert "hardhost" not in host.out("semodule -l", timeout=300), "compiled, not loaded"
        selinux.play().assert_converged(host)
        passes(selinux, host)


def together() -> list[State]:
    found = [state for state in STATES if state.name in TOGETHER]
    assert len(found) == len(TOGETHER)
    return found


def test_6_it_is_the_same_after_a_reboot(selinux: Project, host: Host) -> None:
    reboot = getattr(host, "reboot", None)
    assert reboot is not None, "only a virtual machine has a boot of its own"
    reboot()
    passes(selinux, host)
    selinux.play().assert_unchanged(host)


@LONG
def test_6_another_data_root(selinux: Project, host: Host) -> None:
    """Docker's data on another disk: containers cannot read it until its files have labels."""
    # While the policy enforces, dockerd itself may not write to a directory of this type.
    host.sh(f"setenforce 0\n{MOVE}")
    report = selinux.verify()
    assert statuses(report, host)[POLICY] == "fail", report.text
    assert "the policy has none for /srv/docker" in report.reasons(host.name)[POLICY]
    selinux.play().assert_converged(host)
    host.sh("setenforce 1 && systemctl restart docker")
    passes(selinux, host)
    host.sh(IMAGE)
    assert in_container(host, "--security-opt label=type:hardhost_container_t")[1] == WANTED
    host.sh("chcon -t default_t /srv/docker")
    assert statuses(selinux.verify(), host)[POLICY] == "fail"
    selinux.play().assert_converged(host)
    passes(selinux, host)
    host.sh(f"setenforce 0\n{MOVE_BACK}\nsetenforce 1 && systemctl restart docker")
    passes(selinux, host)


@LONG
def test_6_a_module_that_does_not_compile(selinux: Project, host: Host) -> None:
    """It replaces nothing, is named, and is loaded once it compiles."""
    host.sh(TAKEN, timeout=900)
    before = host.out("semodule -lfull", timeout=300)
    run = selinux.play()
    run.assert_failed(host, saying="hardhost_container")
    assert host.out("semodule -lfull", timeout=300) == before
    assert host.out("getenforce").strip() == "Enforcing"
    host.sh("semodule -r taken", timeout=900)
    selinux.play().assert_converged(host)
    passes(selinux, host)


def test_7_the_way_back(selinux: Project, host: Host) -> None:
    selinux.play("rollback").assert_converged(host)
    assert host.out("getenforce").strip() == "Permissive"
    assert "SELINUX=permissive" in host.out("cat /etc/selinux/config")
    assert "hardhost" not in host.out("semodule -l", timeout=300)
    assert "/srv/docker" not in host.out("cat /etc/selinux/default/contexts/files/*.subs || true")
    report = selinux.verify()
    found = statuses(report, host)
    # In the long form dockerd has written, permissive, to a data root without labels in this boot.
    wanted = {ENFORCING: "pending" if EVERY_POINT else "fail", POLICY: "fail", LABELS: "fail"}
    assert {control: found[control] for control in wanted} == wanted, report.text
    if EVERY_POINT:
        assert "dockerd_t (dockerd)" in report.reasons(host.name)[ENFORCING]
