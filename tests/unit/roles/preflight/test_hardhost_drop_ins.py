"""Drop-ins of docker.service: with which dockerd runs, whether a restart is due, the way back."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import hardhost_decisions as decisions
from ansible.module_utils import hardhost_drop_ins as drop_ins
from ansible.module_utils import hardhost_running as running
from ansible.module_utils import hardhost_unit as units
from ansible.module_utils import hardhost_unit_files as unit_files

from tests.unit.roles.hosts import Json, facts

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="files are given to root")
PLAIN = "/usr/sbin/dockerd -H fd://"
LISTENS = f"{PLAIN} -H tcp://127.0.0.1:2376 --tlsverify"
TLS = f"[Service]\nExecStart=\nExecStart={LISTENS}\n".encode()
NEW = 2.0**40  # an age of dockerd, in seconds: older than any file


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state_directory: Path) -> Path:
    folder = tmp_path / "system"
    (folder / "docker.service.d").mkdir(parents=True)
    (folder / "docker.service").write_text(f"[Service]\nExecStart={PLAIN}\n")
    found = folder / "docker.service.d/zz-hardhost-listen.conf"
    monkeypatch.setattr(unit_files, "DIRECTORIES", (str(folder),))
    monkeypatch.setattr(drop_ins, "CARRIED", (str(found),))
    return found


def host(age: float, command: str = PLAIN, **more: Any) -> Json:
    process = {"pid": 7, "started": 1, "age": age}
    arguments = {"running": PLAIN.split(), "configured": command.split()}
    flags = units.flags(command.split())
    return facts(process=process, arguments=arguments, flags=flags, **more)


def recorded(one: Json) -> Json:
    """This process was recorded with what is there now."""
    running.note(one["state"], one["process"], b"")
    return one


def test_nothing_there_nothing_due(path: Path) -> None:
    assert drop_ins.in_force({"daemon": None}, host(NEW)["process"]) == {}
    assert not drop_ins.pending(host(NEW))


def test_a_file_older_than_dockerd_is_in_force(path: Path) -> None:
    path.write_bytes(TLS)
    assert not drop_ins.pending(host(-60.0))


def test_a_file_newer_than_dockerd_is_not_known(path: Path) -> None:
    path.write_bytes(TLS)
    one = host(NEW)
    assert drop_ins.in_force(one["state"], one["process"]) is None
    assert drop_ins.pending(one)
    reason, _containers = decisions.withheld(one, {}, True)
    assert "a drop-in of docker.service was changed by somebody" in reason


def test_what_we_wrote_is_due_and_has_a_way_back(path: Path) -> None:
    one = recorded(host(NEW))
    path.write_bytes(TLS)
    one["flags"] = units.flags(LISTENS.split())
    assert drop_ins.pending(one)
    assert drop_ins.flags_without_pending(one) == {"hosts": ["fd://"]}
    assert decisions.withheld(one, {}, True)[0] == ""
    found = decisions.restart({}, one, {}, [])
    assert (found["needed"], found["why"], found["allowed"]) == (
        "restart",
        ["docker.service"],
        True,
    )


def test_flags_of_others_withhold_it_still(path: Path) -> None:
    one = recorded(host(NEW))
    path.write_bytes(TLS)
    unit = path.parent.parent / "docker.service"
    unit.write_text(f"[Service]\nExecStart={PLAIN} --debug\n")
    assert "the unit's flags were changed" in decisions.withheld(one, {}, True)[0]


def test_both_and_put(path: Path) -> None:
    one = recorded(host(NEW))
    path.write_bytes(TLS)
    choices = drop_ins.both(drop_ins.in_force(one["state"], one["process"]))[str(path)]
    assert choices["old"] is None
    assert drop_ins.is_one_of(str(path), choices.values())
    drop_ins.put(str(path), choices["old"])
    assert not path.exists()
    assert drop_ins.is_one_of(str(path), choices.values())
    drop_ins.put(str(path), choices["wanted"])
    assert path.read_bytes() == TLS
    path.write_bytes(b"")
    assert not drop_ins.is_one_of(str(path), choices.values())


def test_a_drop_in_to_be_written_or_taken_back_is_a_restart(path: Path) -> None:
    change = {"what": str(path), "before": None, "after": "x", "restart": drop_ins.UNIT}
    applied = {"a/b": {"decision": "apply", "changes": [change], "settings": {}}}
    assert decisions.restart(applied, host(NEW), {}, [])["needed"] == "restart"
    assert decisions.restart({}, host(NEW), {}, [], True)["needed"] == "restart"
    assert decisions.restart({}, host(NEW), {}, [])["needed"] == "none"


def test_two_reasons_are_both_said(path: Path) -> None:
    one = recorded(host(NEW))
    one["state"]["daemon"]["due"] = "AppArmor"
    path.write_bytes(TLS)
    assert running.due(one) == "AppArmor, docker.service"


def test_without_a_daemon_what_is_there_is_the_way_back(path: Path) -> None:
    path.write_bytes(TLS)
    one = facts()
    one["process"] = None
    assert running.due(one) == ""
    choices = drop_ins.both(drop_ins.in_force(one["state"], None))[str(path)]
    assert choices["old"] == choices["wanted"]
    assert choices["old"]["present"]
