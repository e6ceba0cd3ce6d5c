"""What hardhost-container refuses by path: the host below any directory, and no more."""

from __future__ import annotations

import re

import pytest
from ansible.module_utils import hardhost_apparmor_profile as profile

VARIABLES = {"PROC": "/proc/"}
GLOB = re.compile(r"\*\*|\*|\[[^]]*\]|[{},]|.")


def variables() -> dict[str, str]:
    """Those of the profile, each as one alternation, in the order in which they stand."""
    values: dict[str, list[str]] = {}
    for name, text in re.findall(r"^@\{(\w+)\}\+?=(.*)$", profile.TEXT, re.MULTILINE):
        values.setdefault(name, []).extend(text.split())
    return VARIABLES | {name: "{" + ",".join(given) + "}" for name, given in values.items()}


def pattern(glob: str) -> re.Pattern[str]:
    """A path of a rule as the parser reads it: `*` is something where it is a whole component."""
    known = variables()
    while "@{" in glob:
        glob = re.sub(r"@\{(\w+)\}", lambda found: known[found.group(1)], glob)
    glob, text = re.sub("/+", "/", glob), ""
    for found in GLOB.finditer(glob):
        part, whole = found.group(), glob[found.start() - 1] == "/"
        whole = whole and glob[found.end() : found.end() + 1] in ("/", "")
        text += {
            "**": "[^/].*" if whole else ".*",
            "*": "[^/]+" if whole else "[^/]*",
            "{": "(?:",
            "}": ")",
            ",": "|",
        }.get(part, part if part[0] == "[" else re.escape(part))
    return re.compile(text)


DENIED = [
    (pattern(path), set(modes))
    for path, modes in re.findall(r"^ +audit deny (\S+) (\w+),$", profile.TEXT, re.MULTILINE)
]


def refused(path: str) -> str:
    """`rw`, `w` or nothing of a path is refused."""
    modes = {mode for rule, given in DENIED if rule.fullmatch(path) for mode in given}
    return "".join(mode for mode in "rw" if mode in modes)


KERNEL = {
    "/proc/sys/kernel/core_pattern": "w",
    "/proc/sys/fs/binfmt_misc/register": "w",
    "/proc/bus/pci/00/00.0": "w",
    "/proc/irq/1/smp_affinity": "w",
    "/proc/sysrq-trigger": "rw",
    "/proc/kcore": "rw",
    "/proc/kallsyms": "rw",
    "/sys/kernel/uevent_helper": "w",
    "/sys/kernel/mm/transparent_hugepage/enabled": "w",
    "/sys/kernel/security/apparmor/.remove": "rw",
    "/sys/kernel/debug/x": "rw",
    "/sys/kernel/tracing/x": "rw",
    "/sys/fs/cgroup/devices/docker/x/devices.allow": "w",
    "/sys/fs/cgroup/new/": "w",
    "/sys/fs/bpf/x": "rw",
    "/sys/firmware/efi/efivars/x": "rw",
    "/sys/module/printk/parameters/time": "rw",
    "/sys/devices/pci0000:00/0000:00:04.0/virtio1/block/vda/queue/iostats": "w",
    "/sys/devices/system/cpu/cpu1/online": "w",
    "/sys/devices/virtual/net/docker0/mtu": "w",
    "/sys/devices/LNXSYSTM:00/x": "w",
    "/sys/bus/pci/drivers/vfio-pci/new_id": "w",
    "/sys/class/net/bonding_masters": "w",
    "/sys/power/state": "w",
    "/dev/kmsg": "rw",
    "/dev/mem": "rw",
    "/dev/mapper/control": "rw",
    "/dev/sda": "rw",
    "/dev/sdab12": "rw",
    "/dev/vda1": "rw",
    "/dev/nvme0n1p2": "rw",
    "/dev/ng0n1": "rw",
    "/dev/mmcblk0p1": "rw",
    "/dev/dm-0": "rw",
    "/dev/md127": "rw",
    "/dev/loop0p1": "rw",
    "/dev/sg0": "rw",
}
ABOVE = ["", "/host", "/mnt/of/the/host"]
SECRETS = {
    "/dev/console": "rw",  # of the host: a container has its own
    "/dev/pts/0": "rw",
    "/etc/shadow": "rw",
    "/etc/ssh/ssh_host_ed25519_key": "rw",
    "/etc/docker/key.json": "rw",
    "/root/.ssh/id_ed25519": "rw",
    "/home/somebody/.aws/credentials": "rw",
    "/var/lib/docker/overlay2/x/diff/etc/passwd": "rw",
    "/var/lib/hardhost/state.json": "rw",
    "/run/systemd/private": "rw",
    "/run/dbus/system_bus_socket": "rw",
}


@pytest.mark.parametrize("path", KERNEL)
def test_the_kernels_interfaces_are_the_kernels_below_any_directory(path: str) -> None:
    assert {above: refused(above + path) for above in ABOVE} == dict.fromkeys(ABOVE, KERNEL[path])


@pytest.mark.parametrize("path", SECRETS)
def test_what_is_the_hosts_below_a_directory_is_the_containers_own_at_its_place(path: str) -> None:
    assert refused(path) == ""
    assert {refused(above + path) for above in ABOVE[1:]} == {SECRETS[path]}


@pytest.mark.parametrize("socket", ["/run/docker.sock", "/run/docker/containerd/x"])
def test_the_engine_stands_above_the_container(socket: str) -> None:
    assert {refused(above + socket) for above in [*ABOVE, "/var"]} == {"rw"}


@pytest.mark.parametrize(
    "path",
    [
        "/proc/self/oom_score_adj",
        "/proc/2024/comm",
        "/data/proc/2024/01.csv",
        "/data/proc/keys.csv",
        "/opt/x/sys/module/users/index.js",
        "/var/www/html/sys/class/User.php",
        "/app/sys/bus/events.json",
        "/app/sys/devices/kitchen.json",
        "/app/sys/fs/index.db",
        "/app/sys/power/plan.txt",
        "/go/pkg/mod/golang.org/x/sys@v0.30.0/unix/syscall.go",
        "/usr/share/dev/README",
        "/app/dev/hdf5.py",
        "/app/dev/loop.py",
        "/app/dev/md5sums",
        "/app/dev/mem.py",
        "/app/dev/sda.json",
        "/app/dev/sdk/",
        "/app/dev/sdk/index.js",
        "/app/dev/nvme.c",
        "/config/dev/port",
        "/src/main/java/com/example/dev/mapper/UserMapper.java",
        "/var/spool/postfix/dev/log",
        "/var/spool/postfix/dev/urandom",
        "/jail/dev/null",
        "/dev/shm/x",
        "/dev/pts/0",
        "/dev/console",
        "/dev/fd/1",
        "/dev/stdout",
        "/run/systemd/journal/dev-log",
        "/usr/local/etc/passwd",
        "/etc/shadow",
    ],
)
def test_an_application_has_its_own_files(path: str) -> None:
    assert refused(path) == ""


def test_what_monitors_a_host_reads() -> None:
    """The agents that are given `/`, `/proc` and `/sys` below a directory."""
    for path in ("/proc/meminfo", "/proc/1/stat", "/proc/sys/fs/file-nr", "/sys/class/net/"):
        assert "r" not in refused("/host" + path)
    for path in ("/sys/fs/cgroup/memory.stat", "/sys/devices/system/cpu/online", "/proc/swaps"):
        assert "r" not in refused("/rootfs" + path)
