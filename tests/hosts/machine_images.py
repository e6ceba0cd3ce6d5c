"""Disks of the virtual machines, built from distribution packages, cached by recipe."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.hosts.images import digest
from tests.hosts.local import HostsUnavailableError, cache_directory, key_pair, locked, new_key, run

BUILD_SECONDS = 600
DISK = "6G"

PACKAGES = (
    *("systemd-sysv", "dbus", "udev", "kmod", "openssh-server", "python3", "docker.io", "iptables"),
    *("iproute2", "procps", "adduser", "busybox-static", "ca-certificates", "auditd", "apparmor"),
    *("linux-image-cloud-amd64", "initramfs-tools", "grub2-common", "grub-pc-bin"),
)

# Nothing may change a host behind a scenario's back, and nobody logs in on the console.
MASKED_UNITS = (
    *("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "fstrim.timer"),
    *("e2scrub_all.timer", "e2scrub_reap.service", "getty.target", "serial-getty@ttyS0.service"),
    "systemd-networkd-wait-online.service",
)

NETWORK = "[Match]\nName=en* eth*\n[Network]\nDHCP=ipv4\n[DHCPv4]\nUseHostname=no\n"
# The whole disk is one file system; its name is the same on every machine.
GRUB_DEFAULTS = """\
GRUB_DEFAULT=0
GRUB_TIMEOUT=0
GRUB_TERMINAL=console
GRUB_DISTRIBUTOR=Debian
GRUB_DISABLE_LINUX_UUID=true
GRUB_CMDLINE_LINUX_DEFAULT=""
GRUB_CMDLINE_LINUX="console=ttyS0 {arguments}"
"""
# For the first boot only: `update-grub` needs the disk to be there.
GRUB_FIRST = "linux /vmlinuz root=/dev/vda ro console=ttyS0 {arguments}\ninitrd /initrd.img\nboot\n"
# A boot loader that qemu starts like a kernel: it reads the disk's own configuration, so that a
# reboot takes new kernels and new arguments as on any host.
LOADER = """\
cat > /loader.cfg <<'END'
set root=(hd0)
set prefix=(hd0)/boot/grub
configfile /boot/grub/grub.cfg
END
grub-mkimage -O i386-pc -o /loader.core -c /loader.cfg -p '(hd0)/boot/grub' \
    biosdisk ext2 configfile normal linux echo test search search_fs_uuid gzio probe \
    part_gpt part_msdos all_video gfxterm ls cat serial terminal loadenv true halt reboot
cat /usr/lib/grub/i386-pc/lnxboot.img /loader.core > /loader.img
rm /loader.cfg /loader.core
"""
# What a machine may have to install: reading the lists of all packages anew takes minutes there.
KEEP_A_PACKAGE = (
    'chroot "$1" apt-get clean &&'
    ' chroot "$1" apt-get install --yes --quiet --download-only --reinstall apparmor'
)
# Those of sid are valid for a week, and mirrors may be older; their signature is looked at.
OLD_LISTS = ('--aptopt=Acquire::Check-Valid-Until "false"',)
FINISH = """\
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
printf 'MODULES=list\\nCOMPRESS=gzip\\n' > /etc/initramfs-tools/conf.d/hardhost
printf 'virtio_pci\\nvirtio_blk\\next4\\n' >> /etc/initramfs-tools/modules
update-initramfs -u
systemctl enable systemd-networkd.service ssh.service docker.service
rm -f /etc/docker/key.json /etc/ssh/ssh_host_*
: > /etc/machine-id
"""
SELINUX_PACKAGES = ("selinux-policy-default", "policycoreutils", "selinux-utils")
# Labelled while it is built, where that takes seconds; the first boot is a permissive one.
SELINUX_LABELS = """\
sed -i 's/^SELINUX=.*/SELINUX=permissive/' /etc/selinux/config
setfiles -F -e /proc -e /sys -e /dev /etc/selinux/default/contexts/files/file_contexts /
"""


@dataclass(frozen=True)
class MachineRecipe:
    """What a machine's disk is made of; its digest names it in the cache."""

    os: str
    suite: str
    packages: tuple[str, ...]
    arguments: str = ""  # for the kernel
    finish: str = ""  # shell in the new root, at the end: labels, for instance
    first_boot: str = ""  # shell on the running machine, before it is kept for all that follow
    version: int = 1

    @property
    def digest(self) -> str:
        texts = (
            KEEP_A_PACKAGE,
            FINISH,
            LOADER,
            GRUB_DEFAULTS,
            GRUB_FIRST,
            NETWORK,
            DISK,
            *MASKED_UNITS,
        )
        public = key_pair().with_suffix(".pub").read_text()
        return digest(json.dumps([asdict(self), texts, public], sort_keys=True))

    @property
    def directory(self) -> Path:
        return cache_directory() / f"{self.os}-{self.digest}"


RECIPES = {
    recipe.os: recipe
    for recipe in (
        MachineRecipe("debian12vm", "bookworm", PACKAGES),
        MachineRecipe("debian13vm", "trixie", (*PACKAGES, "docker-cli")),
        # The newest engine that Debian has; what sid is, changes from day to day.
        MachineRecipe("debiansidvm", "sid", (*PACKAGES, "docker-cli")),
        MachineRecipe(
            "debian13selinux",
            "trixie",
            (*PACKAGES, "docker-cli", *SELINUX_PACKAGES),
            arguments="security=selinux selinux=1",
            finish=SELINUX_LABELS,
        ),
    )
}


def ensure(os_name: str) -> MachineRecipe:
    """The recipe of this operating system, once its disk lies in the cache."""
    recipe = RECIPES[os_name]
    with locked(f"image-{os_name}"):
        if not recipe.directory.exists():
            build(recipe)
    return recipe


def build(recipe: MachineRecipe) -> None:
    """Make disk, boot loader and host key in one step; what broke off before is begun anew."""
    missing = [name for name in ("mmdebstrap", "mke2fs") if not shutil.which(name)]
    if missing or os.geteuid() != 0:
        what = f"{', '.join(missing)} is not installed" if missing else "only root can"
        raise HostsUnavailableError(f"no disk of a virtual machine can be built: {what}")
    partial = recipe.directory.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(mode=0o700)
    root = partial / "root"
    unpack(recipe, root)
    furnish(recipe, root, partial / "host_key")
    shutil.move(root / "loader.img", partial / "loader.img")
    run(["mke2fs", "-q", "-t", "ext4", "-d", str(root), str(partial / "disk.raw"), DISK])
    shutil.rmtree(root)
    partial.rename(recipe.directory)


def unpack(recipe: MachineRecipe, root: Path) -> None:
    command = [
        *("mmdebstrap", "--quiet", "--mode=root", "--variant=minbase"),
        f"--include={','.join(recipe.packages)}",
        *("--skip=cleanup/apt/lists,cleanup/apt/cache", f"--customize-hook={KEEP_A_PACKAGE}"),
        *(OLD_LISTS if recipe.suite == "sid" else ()),
        *(recipe.suite, str(root)),
    ]
    mirror = os.environ.get("HARDHOST_MIRROR")
    run([*command, mirror] if mirror else command, timeout=BUILD_SECONDS)


def furnish(recipe: MachineRecipe, root: Path, host_key: Path) -> None:
    """Give a new root what a machine needs: network, keys, boot configuration."""
    shell(root, FINISH + LOADER)
    new_key(host_key, recipe.os)
    for path, content in settings(recipe, host_key).items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        target.write_text(content)
    (root / "root/.ssh").chmod(0o700)
    (root / "etc/ssh/ssh_host_ed25519_key").chmod(0o600)
    for unit in MASKED_UNITS:
        (root / "etc/systemd/system" / unit).unlink(missing_ok=True)
        (root / "etc/systemd/system" / unit).symlink_to("/dev/null")
    if recipe.finish:
        shell(root, recipe.finish)


def settings(recipe: MachineRecipe, host_key: Path) -> dict[str, str]:
    """The files of a new root, by path."""
    return {
        "etc/fstab": "/dev/vda / ext4 defaults 0 1\n",
        "etc/hostname": "machine\n",
        "etc/hosts": "127.0.0.1 localhost\n",
        "etc/resolv.conf": "nameserver 10.0.2.3\n",
        "etc/systemd/network/80-dhcp.network": NETWORK,
        "etc/default/grub": GRUB_DEFAULTS.format(arguments=recipe.arguments),
        "boot/grub/grub.cfg": GRUB_FIRST.format(arguments=recipe.arguments),
        "root/.ssh/authorized_keys": key_pair().with_suffix(".pub").read_text(),
        "etc/ssh/ssh_host_ed25519_key": host_key.read_text(),
        "etc/ssh/ssh_host_ed25519_key.pub": host_key.with_suffix(".pub").read_text(),
    }


def shell(root: Path, script: str) -> subprocess.CompletedProcess[bytes]:
    """Run a script inside a root that no machine has booted yet."""
    words = ["chroot", str(root), "sh", "-eu"]
    return run(words, stdin=script.encode(), timeout=BUILD_SECONDS)
