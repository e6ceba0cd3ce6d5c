"""A directory has a file system to itself where the mount table says so, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible.module_utils import hardhost_mounts as mounts

# Lines of /proc/self/mountinfo of hosts, one file system each.
ROOT = "27 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n"
BTRFS = "27 1 0:25 /@ / rw,relatime shared:1 - btrfs /dev/vda2 rw,subvolid=256,subvol=/@\n"
SUBVOLUME = "61 27 0:25 /@docker {} rw - btrfs /dev/vda2 rw,subvolid=258,subvol=/@docker\n"
DISK = "61 27 254:16 / {} rw,relatime shared:30 - ext4 /dev/vdb rw\n"
DIRECTORY = "62 27 254:1 /srv/docker {} rw,relatime shared:1 - ext4 /dev/vda1 rw\n"
VOLUME = "62 27 254:1 /volumes/4f/_data {} rw - ext4 /dev/vda1 rw\n"
OVERLAY = "27 1 0:44 / / rw,relatime - overlay overlay rw,lowerdir=/a,upperdir=/b,workdir=/c\n"
DOCKER = "/var/lib/docker"


@pytest.mark.parametrize(
    ("table", "path", "other"),
    [
        pytest.param(ROOT, DOCKER, "/", id="one disk"),
        pytest.param(ROOT + DISK.format(DOCKER), DOCKER, "", id="a disk at the data root"),
        pytest.param(ROOT + DISK.format("/data"), "/data/docker", "", id="a disk above it"),
        pytest.param(ROOT + DISK.format("/var"), DOCKER, "/var", id="the disk of /var"),
        pytest.param(ROOT + DISK.format("/srv"), "/srv/docker", "/srv", id="the disk of /srv"),
        pytest.param(ROOT + DISK.format("/var"), "/data", "/", id="a disk elsewhere"),
        pytest.param(BTRFS, DOCKER, "/", id="a subvolume without a mount"),
        pytest.param(BTRFS + SUBVOLUME.format(DOCKER), DOCKER, "/", id="a subvolume mounted"),
        pytest.param(ROOT + DIRECTORY.format(DOCKER), DOCKER, "/", id="a directory mounted"),
        pytest.param(OVERLAY + VOLUME.format(DOCKER), DOCKER, "", id="a host in a container"),
        pytest.param(
            ROOT + DISK.format(r"/data/my\040disk"), "/data/my disk/docker", "", id="a blank"
        ),
        pytest.param(
            ROOT + DISK.format(DOCKER) + DIRECTORY.format(DOCKER), DOCKER, "/", id="the upper one"
        ),
        pytest.param("", DOCKER, "/", id="nothing to look at"),
    ],
)
def test_whose_file_system_a_directory_is_on(
    table: str, path: str, other: str, tmp_path: Path
) -> None:
    recorded = tmp_path / "mountinfo"
    recorded.write_text(table)
    assert mounts.shared_with(path, str(recorded)) == other


def test_a_link_is_followed(tmp_path: Path) -> None:
    recorded, link = tmp_path / "mountinfo", tmp_path / "docker"
    recorded.write_text(ROOT + DISK.format("/data"))
    link.symlink_to("/data/docker")
    assert mounts.shared_with(str(link), str(recorded)) == ""
