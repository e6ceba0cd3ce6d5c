"""While packages are installed ours is asked; then somebody's own is there again, the same file."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from ansible.module_utils import hardhost_policy as policies

THEIRS = "#!/bin/sh\necho theirs $1 $2\nexit 104\n"


@pytest.fixture
def policy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    path = tmp_path / "sbin" / "policy-rc.d"
    path.parent.mkdir()
    owner = {"uid": os.getuid(), "gid": os.getgid()}
    replace = policies.files.replace
    monkeypatch.setattr(policies, "POLICY", str(path))
    monkeypatch.setattr(policies, "KEPT", f"{path}.hardhost-kept")
    monkeypatch.setattr(
        policies.files, "replace", lambda p, data, d: replace(p, data, {**d, **owner})
    )
    monkeypatch.setattr(policies.work, "at_work", lambda: False)
    return path


def theirs(path: Path) -> os.stat_result:
    path.write_text(THEIRS)
    path.chmod(0o750)
    os.utime(path, (1_500_000_000, 1_500_000_000))
    return path.stat()


def alone(path: Path) -> bool:
    return [one.name for one in path.parent.iterdir()] in ([], [path.name])


def same(before: os.stat_result, after: os.stat_result) -> bool:
    names = ("st_ino", "st_mode", "st_uid", "st_gid", "st_size", "st_mtime_ns")
    return all(getattr(before, name) == getattr(after, name) for name in names)


def asked(path: Path, at_work: bool, *words: str) -> tuple[int, str]:
    """What a package's script is told; `at_work`: whether apt's unit runs."""
    systemctl = path.parent.parent / "bin" / "systemctl"
    systemctl.parent.mkdir(exist_ok=True)
    systemctl.write_text(f"#!/bin/sh\nexit {0 if at_work else 3}\n")
    systemctl.chmod(0o755)
    environment = {"PATH": f"{systemctl.parent}:/usr/bin:/bin"}
    done = subprocess.run(
        [str(path), *words], env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout


def test_ours_is_there_for_that_time_alone(policy: Path) -> None:
    with policies.no_restart_by_packages():
        assert policy.read_bytes() == policies.TEXT
        assert policy.stat().st_mode & 0o777 == 0o755
        assert asked(policy, True, "docker.service", "restart") == (101, "")
        assert asked(policy, True, "docker", "start") == (101, "")
        assert asked(policy, True, "containerd.service", "restart") == (101, "")
        assert asked(policy, True, "ssh.service", "restart") == (0, "")
        assert asked(policy, False, "docker.service", "restart") == (0, "")
    assert alone(policy)
    assert not policy.exists()


def test_somebodys_own_is_asked_for_all_else_and_is_the_same_file_afterwards(policy: Path) -> None:
    before = theirs(policy)
    with policies.no_restart_by_packages():
        assert policy.read_bytes() == policies.TEXT
        assert asked(policy, True, "docker.service", "restart") == (101, "")
        assert asked(policy, True, "ssh.service", "start") == (104, "theirs ssh.service start\n")
        assert asked(policy, False, "docker", "start") == (104, "theirs docker start\n")
    assert same(before, policy.stat())
    assert policy.read_text() == THEIRS
    assert alone(policy)


def test_one_that_nobody_may_execute_decides_nothing(policy: Path) -> None:
    theirs(policy)
    policy.chmod(0o644)
    with policies.no_restart_by_packages():
        assert asked(policy, True, "ssh.service", "start") == (0, "")
    assert policy.stat().st_mode & 0o777 == 0o644


def test_a_link_stays_the_link_that_it_was(policy: Path) -> None:
    theirs(policy.parent / "elsewhere")
    policy.symlink_to("elsewhere")
    with policies.no_restart_by_packages():
        assert not policy.is_symlink()
    assert policy.readlink() == Path("elsewhere")
    assert (policy.parent / "elsewhere").read_text() == THEIRS


def test_it_outlasts_a_run_that_packages_outlast(
    policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = theirs(policy)
    monkeypatch.setattr(policies.work, "at_work", lambda: True)
    with policies.no_restart_by_packages():
        pass
    assert policy.read_bytes() == policies.TEXT
    monkeypatch.setattr(policies.work, "at_work", lambda: False)
    with policies.no_restart_by_packages():
        assert policy.read_bytes() == policies.TEXT
    assert same(before, policy.stat())
    assert alone(policy)


def test_one_that_somebody_writes_meanwhile_stays(policy: Path) -> None:
    theirs(policy)
    with policies.no_restart_by_packages():
        policy.write_text("#!/bin/sh\n# newer\n")
    assert policy.read_text() == "#!/bin/sh\n# newer\n"
    assert alone(policy)


def test_what_cannot_be_put_there_leaves_theirs(
    policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = theirs(policy)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(policies.files, "replace", full)
    with pytest.raises(OSError, match="No space"), policies.no_restart_by_packages():
        pytest.fail("packages would restart dockerd")
    assert same(before, policy.stat())
    assert alone(policy)
