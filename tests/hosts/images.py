"""Base images of the disposable hosts, built from distribution packages, cached by recipe."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.hosts.local import HostsUnavailableError, cache_directory, locked, run

PACKAGES = (
    *("systemd-sysv", "dbus", "openssh-server", "python3", "docker.io", "iptables", "iproute2"),
    *("procps", "adduser", "busybox-static", "conntrack", "ca-certificates"),
)

# Nothing may change a host behind a scenario's back, and there is no console to log in on.
MASKED_UNITS = (
    *("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "fstrim.timer"),
    *("e2scrub_all.timer", "console-getty.service", "getty.target", "systemd-logind.service"),
    *("systemd-udevd.service", "systemd-modules-load.service"),
)

# What signs images and serves them: the scenario of content trust starts these by itself.
TRUST_PACKAGES = ("docker-registry", "notary", "openssl", "sudo", "cron")
TRUST_MASKED = ("docker-registry.service",)

# What empties packet filters behind Docker's back: the scenario `firewall` starts these itself.
FIREWALL_PACKAGES = ("nftables", "firewalld")
FIREWALL_MASKED = ("nftables.service", "firewalld.service")

# What makes a repository on the host, and what the distribution updates itself with.
PATCHING_PACKAGES = ("gnupg", "dpkg-repack", "unattended-upgrades", "cron")
PATCHING_MASKED = tuple(unit for unit in MASKED_UNITS if not unit.startswith("apt-daily"))

# The newest engine that Debian has runs on its stable release too, whose systemd still starts on
# control groups of version 1.
ENGINE_PACKAGES = ("docker.io", "docker-cli", "containerd", "runc", "tini-static")
MIRROR = "http://deb.debian.org/debian"
PINS = """\
Package: *
Pin: release n=sid
Pin-Priority: 100

Package: {packages}
Pin: release n=sid
Pin-Priority: 990
"""

# Every host brings its own host key and machine id, and its engine starts without a past.
FORGOTTEN = ("etc/ssh/ssh_host_*", "etc/docker/key.json")


APT = (
    "apt-get update && DEBIAN_FRONTEND=noninteractive"
    " apt-get install -y --no-install-recommends {packages} && rm -rf /var/lib/apt/lists/*"
)
# Docker is in no repository of this family's own.
DNF = (
    "dnf -y install dnf-plugins-core && dnf config-manager --add-repo"
    " https://download.docker.com/linux/rhel/docker-ce.repo && dnf -y install {packages}"
    " && dnf clean all && systemctl enable docker sshd"
)
REDHAT_PACKAGES = (
    *(
        "systemd",
        "dbus",
        "openssh-server",
        "python3",
        "docker-ce",
        "docker-ce-cli",
        "containerd.io",
    ),
    *("iptables", "iproute", "procps-ng", "shadow-utils", "conntrack-tools"),
)


@dataclass(frozen=True)
class Recipe:
    """What a base image is made of; its digest is the image's tag."""

    os: str
    suite: str  # of Debian; empty: only a public base image serves
    packages: tuple[str, ...]
    install: str = APT
    masked: tuple[str, ...] = MASKED_UNITS
    version: int = 1
    newest: tuple[str, ...] = ()  # packages that are taken from sid

    @property
    def digest(self) -> str:
        described = asdict(self)
        if not self.newest:
            del described["newest"]  # what has none is the image that it was
        return digest(json.dumps(described, sort_keys=True))

    @property
    def image(self) -> str:
        return f"hardhost-test/{self.os}:{self.digest}"

    @property
    def variable(self) -> str:
        """The environment variable that names a public base image to use instead."""
        return f"HARDHOST_BASE_IMAGE_{self.os.upper()}"


RECIPES = {
    recipe.os: recipe
    for recipe in (
        Recipe("debian12", "bookworm", PACKAGES),
        Recipe("debian13", "trixie", (*PACKAGES, "docker-cli")),
        Recipe(
            "debian12trust",
            "bookworm",
            (*PACKAGES, *TRUST_PACKAGES),
            masked=(*MASKED_UNITS, *TRUST_MASKED),
        ),
        Recipe(
            "debian13trust",
            "trixie",
            (*PACKAGES, "docker-cli", *TRUST_PACKAGES, "cosign"),
            masked=(*MASKED_UNITS, *TRUST_MASKED),
        ),
        Recipe(
            "debian12firewall",
            "bookworm",
            (*PACKAGES, *FIREWALL_PACKAGES),
            masked=(*MASKED_UNITS, *FIREWALL_MASKED),
        ),
        Recipe(
            "debian13firewall",
            "trixie",
            (*PACKAGES, "docker-cli", *FIREWALL_PACKAGES),
            masked=(*MASKED_UNITS, *FIREWALL_MASKED),
        ),
        Recipe(
            "debian12patching",
            "bookworm",
            (*PACKAGES, *PATCHING_PACKAGES),
            masked=PATCHING_MASKED,
        ),
        Recipe(
            "debian13patching",
            "trixie",
            (*PACKAGES, "docker-cli", *PATCHING_PACKAGES),
            masked=PATCHING_MASKED,
        ),
        Recipe("debian13engine28", "trixie", (*PACKAGES, "docker-cli"), newest=ENGINE_PACKAGES),
        Recipe("ubuntu2204", "", PACKAGES),
        Recipe("ubuntu2404", "", PACKAGES),
        Recipe("rocky9", "", REDHAT_PACKAGES, DNF),
    )
}


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def ensure(os_name: str) -> str:
    """Return the name of an image for this operating system that the engine has."""
    recipe = RECIPES[os_name]
    public = os.environ.get(recipe.variable)
    with locked(f"image-{os_name}"):
        if public:
            return from_public_image(recipe, public)
        if not recipe.suite:
            raise HostsUnavailableError(f"{os_name} needs a public base image in {recipe.variable}")
        if not present(recipe.image):
            import_root(recipe, root_archive(recipe))
        return recipe.image


def present(image: str) -> bool:
    return run(["docker", "image", "inspect", image], check=False).returncode == 0


def root_archive(recipe: Recipe) -> Path:
    archive = cache_directory() / f"{recipe.os}-{recipe.digest}.tar"
    if not archive.exists():
        build_root(recipe, archive)
    return archive


def build_root(recipe: Recipe, archive: Path) -> None:
    if not shutil.which("mmdebstrap"):
        raise HostsUnavailableError("mmdebstrap is not installed: no base image can be built")
    partial = archive.with_suffix(".partial.tar")
    command = [
        *("mmdebstrap", "--quiet", "--variant=minbase"),
        f"--include={','.join(recipe.packages)}",
        f'--customize-hook=cd "$1" && {clean_up(recipe)}',
    ]
    mirror = os.environ.get("HARDHOST_MIRROR")
    if recipe.newest:
        command += from_sid(recipe)
        places = [f"deb {mirror or MIRROR} {suite} main" for suite in (recipe.suite, "sid")]
    else:
        places = [mirror] if mirror else []
    run([*command, recipe.suite, str(partial), *places], timeout=1200)
    partial.rename(archive)


def from_sid(recipe: Recipe) -> list[str]:
    """Options of mmdebstrap: these packages from there, and nothing else."""
    pins = shlex.quote(PINS.format(packages=" ".join(recipe.newest)))
    return [
        f'--setup-hook=printf %s {pins} > "$1/etc/apt/preferences.d/newest"',
        # Lists of sid are valid for a week, and mirrors may be older; Debian's signature counts.
        '--aptopt=Acquire::Check-Valid-Until "false"',
    ]


def clean_up(recipe: Recipe) -> str:
    """Shell for the root directory of a new root: the same for both ways to build one."""
    masks = [f"ln -sf /dev/null etc/systemd/system/{unit}" for unit in recipe.masked]
    return " && ".join([f"rm -rf {' '.join(FORGOTTEN)}", ": > etc/machine-id", *masks])


def import_root(recipe: Recipe, archive: Path) -> None:
    change = 'CMD ["/sbin/init"]'
    run(["docker", "import", "--change", change, str(archive), recipe.image], timeout=600)


def from_public_image(recipe: Recipe, base: str) -> str:
    """Build the same host on a public base image, where a registry can be reached."""
    install = recipe.install.format(packages=" ".join(recipe.packages))
    text = f'FROM {base}\nRUN {install} && cd / && {clean_up(recipe)}\nCMD ["/sbin/init"]\n'
    image = f"hardhost-test/{recipe.os}:{digest(text)}"
    if not present(image):
        run(["docker", "build", "-t", image, "-"], stdin=text.encode(), timeout=1800)
    return image
