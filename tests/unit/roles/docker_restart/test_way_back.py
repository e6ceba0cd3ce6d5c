"""The job ends with a dockerd that runs, or with the old file, whatever else goes wrong."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import hardhost_docker as docker
from ansible.module_utils import hardhost_files as files
from ansible.module_utils import hardhost_restart_job as job
from ansible.module_utils import hardhost_service as service
from ansible.module_utils import hardhost_state as states
from ansible.module_utils import hardhost_trial as trial
from ansible.module_utils import hardhost_unit as units

from tests.unit.roles.hosts import Json, container

OLD = b'{"dns": ["192.0.2.1"]}\n'
NEW = b'{"dns": ["192.0.2.1"], "icc": false}\n'
EDITED = b'{"dns": ["192.0.2.1"], "icc": false, "mtu": 1400}\n'
PLAIN = {"uid": 0, "gid": 0, "mode": 0o644}

JOB = {
    "run": "r1",
    "holder": "me",
    "longest": 900,
    "step": "restart",
    "timeout": 1,
    "drop_ins": {},
    "flags": {},
    "process": {"pid": 1, "started": 5},
    "swarm": False,
    "data_root_changes": False,
    "stop_first": False,
    "stop_timeout": 10,
    "reloads": True,
    "image": "",
}


def busy(*names: str, **changed: Any) -> list[Json]:
    """Containers that run, as the job sees them."""
    seen = {"restarting": False, "swarm": False, "pid": 2**30, **changed}
    return [container(name, **seen) for name in names]


def stopped(found: Json) -> None:
    found["running"] = False


def stops_in_vain(found: Json) -> None:
    """The last one does not stop in time."""
    if found["name"] == "z":
        raise docker.ApiError("timed out")
    stopped(found)


class Host:
    """A job's folder and daemon.json, with a dockerd that is only what these attributes say."""

    def __init__(self, directory: Path) -> None:
        self.file = directory / "daemon.json"
        self.folder = directory / "job"
        self.folder.mkdir()
        self.file.write_bytes(NEW)
        self.answers = True
        self.starts: list[bytes] = []
        self.at_start: Callable[[], str] = str  # "" is a start that went well
        self.restarted = True  # by an earlier attempt
        self.moves = False  # to another data root
        self.reloads = True  # without loss
        self.reloaded: list[bytes] = []
        self.waited = 0.0
        self.live_restore = False
        self.containers: list[Json] = []
        self.stops: Callable[[Json], None] = stopped
        self.asked: list[tuple[str, float]] = []

    def restart(self, _seconds: int) -> str:
        self.starts.append(self.file.read_bytes())
        problem = self.at_start()
        self.answers = not problem
        return problem

    def process(self, _pid: int) -> Json:
        restarted = self.restarted or self.starts
        return {"pid": 77, "started": 9 if restarted else 5, "age": 1.0}

    def request(self, _method: str, path: str, _body: bytes, timeout: float) -> str:
        self.asked.append((path, timeout))
        _unused, _containers, identifier, what = path.partition("?")[0].split("/")
        found = self.container(identifier)
        if found and what == "start":
            found["running"] = True
        elif found:
            self.stops(found)
        return ""

    def reload(self, _seconds: int, expected: Callable[[], bool]) -> bool:
        """It takes live-restore over, and the authorization plugins that a flag names are gone."""
        self.reloaded.append(self.file.read_bytes())
        self.live_restore = json.loads(self.reloaded[-1]).get("live-restore", self.live_restore)
        return expected()

    def until(self, condition: Callable[[], Any], seconds: float) -> Any:
        if not condition():
            self.waited += seconds
        return condition()

    def container(self, identifier: str) -> Json | None:
        return next((one for one in self.containers if one["id"] == identifier), None)

    def running(self) -> list[str]:
        return [one["name"] for one in self.containers if one["running"]]

    def fails_with_new(self) -> str:
        return "it does not start" if b"icc" in self.starts[-1] else ""

    def knows(self, *, live_restore: bool, **changed: Any) -> None:
        """An earlier attempt was killed on its way forwards."""
        known = {"before": [], "could": "", "returning": "", "settling": False, "started": None}
        known.update(changed, live_restore=live_restore)
        (self.folder / "progress.json").write_text(json.dumps(known))

    def run(self, old: bytes = OLD, new: bytes = NEW, how: str = "") -> dict[str, Any]:
        changed = {"data_root_changes": self.moves, "stop_first": self.moves}
        changed["reloads"] = self.reloads
        kept = {"wanted": states.keep(new), "old": {"blob": states.keep(old), "described": PLAIN}}
        of_this_file = {"path": str(self.file), "described": PLAIN, **kept}
        (self.folder / "job.json").write_text(json.dumps(JOB | changed | of_this_file))
        job.reserve(str(self.folder))
        job.main(str(self.folder), how)
        return self.result()

    def result(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads((self.folder / "result.json").read_text())
        return loaded


@pytest.fixture
def host(tmp_path: Path, state_directory: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    found = Host(tmp_path)
    monkeypatch.setattr(job, "BOOT_PATH", str(tmp_path / "boot.service"))
    monkeypatch.setattr(job, "BOOT_LINK", str(tmp_path / "boot.link"))
    monkeypatch.setattr(
        docker, "containers", lambda: [dict(one) for one in found.containers if one["running"]]
    )
    monkeypatch.setattr(docker, "container_facts", found.container)
    monkeypatch.setattr(docker, "request", found.request)
    monkeypatch.setattr(docker, "get", lambda _path: {"LiveRestoreEnabled": found.live_restore})
    monkeypatch.setattr(docker, "answers", lambda: found.answers)
    monkeypatch.setattr(trial, "start_container", lambda *_names: "")
    monkeypatch.setattr(units, "show", lambda _unit: {"MainPID": "77", "ActiveState": "active"})
    monkeypatch.setattr(units, "process", found.process)
    monkeypatch.setattr(service, "reload", found.reload)
    monkeypatch.setattr(service, "until", found.until)
    monkeypatch.setattr(service, "systemctl", lambda *_words: 0)
    monkeypatch.setattr(service, "end_hanging", lambda: None)
    monkeypatch.setattr(service, "log", lambda *_since: "the log")
    monkeypatch.setattr(service, "restart", found.restart)
    return found


def fill(monkeypatch: pytest.MonkeyPatch, host: Host) -> None:
    """From now on there is no room below the folders of hardhost."""
    replace = files.replace

    def full(path: str, data: bytes, like: Any = None) -> None:
        if path.startswith((str(host.folder), str(host.folder.parent / "hardhost"))):
            raise OSError(errno.ENOSPC, "No space left on device", path)
        replace(path, data, like)

    monkeypatch.setattr(files, "replace", full)


def no_room(*_state: Any) -> None:
    raise states.UnwritableStateError("the state cannot be written: No space left on device")


def test_a_disk_that_fills_once_dockerd_restarts(
    host: Host, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The old file comes back and dockerd starts; a job without a result is started again."""

    def start() -> str:
        if b"icc" in host.starts[-1]:
            fill(monkeypatch, host)
            return "it does not start"
        # What fills the disk may be the dockerd that systemd starts again with the new file.
        assert (host.folder / "reserve").exists()
        return ""

    host.at_start = start
    with pytest.raises(OSError, match="No space left"):
        host.run()
    assert "returned: it does not start" in capsys.readouterr().err
    assert host.starts == [NEW, OLD]
    assert host.answers
    assert host.file.read_bytes() == OLD
    assert not (host.folder / "reserve").exists()


def test_no_room_for_the_old_file_either(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """One disk for everything, as on most hosts: the old file is written with the reserve."""
    replace = files.replace

    def full(path: str, data: bytes, like: Any = None) -> None:
        if host.starts and (host.folder / "reserve").exists():
            raise OSError(errno.ENOSPC, "No space left on device", path)
        replace(path, data, like)

    monkeypatch.setattr(files, "replace", full)
    host.at_start = host.fails_with_new
    result = host.run()
    assert (result["outcome"], host.file.read_bytes(), host.answers) == ("returned", OLD, True)


def test_an_attempt_that_cannot_take_the_lease_goes_on(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk: dockerd is down with the new file, and must not stay so."""
    host.knows(live_restore=False)

    monkeypatch.setattr(states, "save", no_room)
    host.at_start = host.fails_with_new
    result = host.run()
    assert (result["outcome"], host.file.read_bytes(), host.answers) == ("returned", OLD, True)


def test_what_cannot_be_recorded_on_the_way_back_is_said(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start() -> str:
        monkeypatch.setattr(states, "save", no_room)
        return host.fails_with_new()

    host.at_start = start
    result = host.run()
    assert (result["outcome"], host.file.read_bytes(), host.answers) == ("returned", OLD, True)
    assert "what was put back could not be recorded" in result["notes"][-1]


def test_what_serves_is_not_taken_back_because_it_cannot_be_recorded(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record takes with it what only the old file names: after it there is no way back."""

    host.at_start = lambda: monkeypatch.setattr(states, "save", no_room) or ""
    result = host.run()
    assert (result["outcome"], host.file.read_bytes(), host.starts) == ("broken", NEW, [NEW])


def test_an_attempt_that_could_not_write_down_its_way_back(host: Host) -> None:
    """The next one does not try the new file again: the old one is there."""
    host.file.write_bytes(OLD)
    host.knows(live_restore=False)
    result = host.run()
    assert (result["outcome"], host.file.read_bytes(), host.starts) == ("returned", OLD, [OLD])


def test_an_attempt_that_kept_live_restore_on_its_way_forwards_goes_on(host: Host) -> None:
    """Until dockerd has started, the new file without live-restore looks like the old one."""
    kept = b'{"live-restore": true}\n'
    host.file.write_bytes(kept)
    host.knows(live_restore=True)
    result = host.run(old=kept, new=b"{}\n")
    assert (result["outcome"], host.file.read_bytes()) == ("done", b"{}\n")


def test_a_dockerd_that_ends_right_after_its_trial(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive = {"pid": 77, "started": 9, "age": 1.0}
    monkeypatch.setattr(
        units, "process", lambda _pid: alive if host.starts and host.starts[-1] == OLD else None
    )
    result = host.run()
    assert (result["outcome"], host.file.read_bytes()) == ("returned", OLD)
    assert "dockerd has ended again" in result["message"]
    assert host.starts == [NEW, OLD]


def test_a_dockerd_that_ends_with_the_old_file_too(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(units, "process", lambda _pid: None)
    result = host.run()
    assert (result["outcome"], host.file.read_bytes()) == ("down", OLD)


@pytest.mark.parametrize(("problem", "outcome"), [("", "done"), ("it does not start", "returned")])
def test_what_somebody_else_writes_while_dockerd_starts_is_not_lost(
    host: Host, problem: str, outcome: str
) -> None:
    def start() -> str:
        first = len(host.starts) == 1
        if first:
            host.file.write_bytes(EDITED)
            host.file.chmod(0o640)
        return problem if first else ""

    host.at_start = start
    result = host.run()
    assert result["outcome"] == outcome
    assert host.file.read_bytes() == (NEW if outcome == "done" else OLD)
    copy = Path(f"{host.file}.r1")
    assert copy.read_bytes() == EDITED
    assert copy.stat().st_mode & 0o777 == 0o640
    assert str(copy) in " ".join(result["notes"])


def test_nothing_is_copied_where_nobody_interfered(host: Host) -> None:
    result = host.run()
    assert (result["outcome"], result["notes"]) == ("done", [])
    assert sorted(path.name for path in host.file.parent.glob("daemon.json*")) == ["daemon.json"]
    assert sorted(path.name for path in host.folder.iterdir()) == [
        *("job.json", "progress.json", "result.json")
    ]


def test_a_job_that_breaks_off_says_whether_docker_is_down(
    host: Host, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def start() -> str:
        monkeypatch.setattr(service, "restart", broken)
        return "it does not start"

    def broken(_seconds: int) -> str:
        raise RuntimeError("http_proxy=http://user:hunter2@proxy cannot be")

    host.at_start = start
    assert host.run()["outcome"] == "stranded"
    said = capsys.readouterr().err
    assert "RuntimeError" in said
    assert "hunter2" not in said


def test_a_container_that_does_not_stop_leaves_no_other_down(host: Host) -> None:
    """dockerd was not restarted: those that were stopped for it run again, and it is said."""
    host.restarted, host.moves = False, True
    host.containers, host.stops = busy("a", "b", "z"), stops_in_vain
    result = host.run()
    assert (result["outcome"], host.starts, host.file.read_bytes()) == ("returned", [], OLD)
    assert "container z does not stop: timed out" in result["message"]
    assert result["notes"] == ["container a was started again", "container b was started again"]
    assert host.running() == ["a", "b", "z"]


def test_a_container_that_does_not_start_again_leaves_no_other_down(host: Host) -> None:
    host.restarted, host.moves = False, True
    host.containers, host.stops = busy("a", "b", "z"), stops_in_vain
    request = host.request

    def refuses(method: str, path: str, body: bytes, timeout: float) -> str:
        if path == f"/containers/{host.containers[0]['id']}/start":
            raise docker.ApiError("port is already allocated", 500)
        return request(method, path, body, timeout)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(docker, "request", refuses)
        result = host.run()
    assert result["notes"] == [
        "container a does not start again: port is already allocated",
        "container b was started again",
    ]
    assert host.running() == ["b", "z"]


def test_those_that_a_killed_attempt_has_stopped_run_again_too(host: Host) -> None:
    """Also where it was the host that went down: `unless-stopped` does not start them then."""
    host.moves, host.containers = True, busy("a", "b")
    host.knows(live_restore=False, before=[dict(one) for one in host.containers])
    stopped(host.containers[0])
    stopped(host.containers[1])
    host.answers = False
    host.at_start = lambda: "" if b"icc" not in host.starts[-1] else "it does not start"
    result = host.run(how="boot")
    assert (result["outcome"], host.starts, host.running()) == ("returned", [OLD], ["a", "b"])


def test_a_container_that_is_gone_before_its_turn_is_no_failure(host: Host) -> None:
    """It was started with --rm and has ended since the first look."""

    def is_gone(found: Json) -> None:
        if found["name"] == "a":
            host.containers.remove(found)
            raise docker.ApiError("No such container", 404)
        stopped(found)

    host.moves, host.stops = True, is_gone
    host.containers = busy("a", auto_remove=True) + busy("b")
    result = host.run()
    assert (result["outcome"], host.running()) == ("done", [])
    assert result["notes"] == ["stopped, and left in the old data root: b"]


@pytest.mark.parametrize(
    ("asked", "seconds"), [(None, 10), (120, 120), (0, 0), (-1, 3600), (86400, 3600)]
)
def test_a_container_gets_the_time_that_it_asks_for(
    asked: int | None, seconds: int, host: Host
) -> None:
    host.moves, host.containers = True, busy("a", stop_timeout=asked)
    assert host.run()["outcome"] == "done"
    (path, timeout) = host.asked[0]
    assert path == f"/containers/{host.containers[0]['id']}/stop?t={seconds}"
    assert timeout > seconds


@pytest.mark.parametrize("reloads", [True, False])
def test_live_restore_is_not_switched_off_where_authorization_goes_with_it(
    reloads: bool, host: Host
) -> None:
    host.live_restore, host.reloads = True, reloads
    result = host.run()
    assert (result["outcome"], host.file.read_bytes()) == ("done", NEW)
    assert (bool(host.reloaded), host.live_restore) == (reloads, not reloads)
    assert ("stays on until somebody restarts Docker" in "".join(result["notes"])) is not reloads


@pytest.mark.parametrize("reloads", [True, False])
def test_live_restore_is_not_switched_on_where_authorization_goes_with_it(
    reloads: bool, host: Host
) -> None:
    """The containers stop with dockerd then, which was ordered, and are started again."""
    host.reloads, host.containers = reloads, busy("a")

    def start() -> str:
        if not host.live_restore:
            stopped(host.containers[0])
        return ""

    host.at_start = start
    wanted = b'{"live-restore": true}'
    host.file.write_bytes(wanted)
    result = host.run(old=NEW, new=wanted)
    assert (result["outcome"], host.running()) == ("done", ["a"])
    assert (bool(host.reloaded), bool(result["notes"])) == (reloads, not reloads)


@pytest.mark.parametrize("reloads", [True, False])
def test_no_reload_into_the_old_file_where_authorization_goes_with_it(
    reloads: bool, host: Host
) -> None:
    """The new one was never in force: neither by a start nor by a reload."""
    host.restarted, host.moves, host.reloads = False, True, reloads
    host.containers, host.stops = busy("a", "z"), stops_in_vain
    result = host.run()
    assert (result["outcome"], host.file.read_bytes(), host.starts) == ("returned", OLD, [])
    assert (bool(host.reloaded), host.running()) == (reloads, ["a", "z"])


class Killed(BaseException):
    """The job is ended from outside, as by systemd."""


def stops_them(host: Host) -> str:
    """A start of dockerd without live-restore."""
    for one in host.containers:
        stopped(one)
    return ""


def is_killed(host: Host) -> None:
    """While it starts the second container again."""
    request = host.request

    def dies(method: str, path: str, body: bytes, timeout: float) -> str:
        if path == f"/containers/{host.containers[1]['id']}/start":
            raise Killed
        return request(method, path, body, timeout)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(docker, "request", dies)
        with pytest.raises(Killed):
            host.run()


def test_many_containers_are_waited_for_together(host: Host) -> None:
    host.containers, host.at_start = busy(*"abcdefgh"), lambda: stops_them(host)
    assert (host.run()["outcome"], host.running()) == ("done", list("abcdefgh"))
    assert host.waited <= 5


def test_an_attempt_goes_on_with_the_dockerd_that_an_earlier_one_started(host: Host) -> None:
    """A second start would stop what runs again."""
    host.containers, host.at_start = busy("a", "b"), lambda: stops_them(host)
    is_killed(host)
    result = host.run()
    assert (result["outcome"], host.starts, host.running()) == ("done", [NEW], ["a", "b"])
    assert result["notes"] == ["container b was started again"]


def test_so_it_does_on_its_way_back(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "start_container", lambda *_names: "no container starts")
    host.containers = busy("a", "b")
    host.knows(live_restore=False, before=[dict(one) for one in host.containers])
    host.at_start = lambda: stops_them(host) if b"icc" not in host.starts[-1] else ""
    is_killed(host)
    result = host.run()
    assert (result["outcome"], host.starts, host.running()) == ("returned", [NEW, OLD], ["a", "b"])


@pytest.mark.parametrize("started", [["another boot", 77, 9, False], ["b", 77, 8, False]])
def test_a_dockerd_that_it_did_not_start_is_started_anew(
    started: list[Any], host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(units, "boot", lambda: "b")
    host.knows(live_restore=False, started=started)
    assert (host.run()["outcome"], host.starts) == ("done", [NEW])


def test_a_start_with_the_new_file_is_none_with_the_old_one(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk kept the attempt that put the old one there from writing that down."""
    monkeypatch.setattr(units, "boot", lambda: "b")
    host.file.write_bytes(OLD)
    host.knows(live_restore=False, started=["b", 77, 9, False])
    assert (host.run()["outcome"], host.starts) == ("returned", [OLD])
