"""The pytest side: options, one item per host and control, the results file."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import testinfra
from audit import Auditor, HostResult
from testinfra.utils.ansible_runner import AnsibleRunner

AT_ONCE = 20  # hosts: as many as Ansible takes, by the project's ansible.cfg
AUDITS = pytest.StashKey[dict[str, HostResult]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("hardhost")
    here = Path(__file__).resolve().parents[2]
    group.addoption(
        "--hardhost-project",
        type=Path,
        default=here,
        help="the rendered project (default: this one)",
    )
    group.addoption(
        "--hardhost-probe", action="store_true", help="prove by effect too, in containers that try"
    )
    group.addoption("--hardhost-results", type=Path, help="write the results to this file, as JSON")
    group.addoption(
        "--hardhost-at-once",
        type=int,
        default=AT_ONCE,
        help="how many hosts are read at a time",
    )
    group.addoption(
        "--hardhost-inventory",
        type=Path,
        help="what ansible-inventory --list answered, as JSON; without it, it is asked",
    )
    group.addoption(
        "--hardhost-max-age",
        type=float,
        default=3600,
        help="seconds that preflight's decisions hold",
    )


def pytest_configure(config: pytest.Config) -> None:
    # testinfra calls ansible-inventory by name; pytest may have been started by its path.
    os.environ["PATH"] = os.pathsep.join(
        [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
    )
    answer = config.getoption("hardhost_inventory")
    if answer:
        runner = AnsibleRunner.get_runner(config.getoption("ansible_inventory"))
        runner.inventory = json.loads(answer.read_bytes())


def _plan(config: pytest.Config) -> dict[str, Any]:
    path = config.getoption("hardhost_project") / "plan.json"
    if not path.is_file():
        raise pytest.UsageError(
            f"{path} is not there: give the rendered project with --hardhost-project"
        )
    plan: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return plan


def _hosts(config: pytest.Config, plan: dict[str, Any]) -> list[str]:
    """The hosts of the plan's group, or those of them that `--hosts` names."""
    inventory = config.getoption("ansible_inventory")
    try:
        hosts = AnsibleRunner.get_runner(inventory).get_hosts(plan["group"])
    except RuntimeError as error:
        raise pytest.UsageError(f"--ansible-inventory {inventory}: {error}") from error
    if not config.getoption("hosts"):
        return hosts
    chosen = [name.removeprefix("ansible://") for name in config.getoption("hosts").split(",")]
    strangers = sorted(set(chosen) - set(hosts))
    if strangers:
        raise pytest.UsageError(
            f"not in the inventory's group {plan['group']}: {', '.join(strangers)}"
        )
    return chosen


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "host_name" not in metafunc.fixturenames:
        return
    plan = _plan(metafunc.config)
    hosts = _hosts(metafunc.config, plan)
    if "control_id" in metafunc.fixturenames:
        pairs = [(host, control["id"]) for host in hosts for control in plan["controls"]]
        metafunc.parametrize(
            ("host_name", "control_id"), pairs, ids=[f"{host}-{name}" for host, name in pairs]
        )
    else:
        metafunc.parametrize("host_name", hosts, ids=hosts)


@pytest.fixture(scope="session")
def audits(request: pytest.FixtureRequest) -> dict[str, HostResult]:
    """Every selected host's results: all are read before the first item is judged."""
    config = request.config
    auditor = Auditor(
        config.getoption("hardhost_project"), _plan(config),
        probe=config.getoption("hardhost_probe"), max_age=config.getoption("hardhost_max_age"),
    )  # fmt: skip
    names = sorted(
        {
            item.callspec.params["host_name"]
            for item in request.session.items
            if hasattr(item, "callspec")
        }
    )
    connections = [_connection(config, name) for name in names]
    with ThreadPoolExecutor(config.getoption("hardhost_at_once")) as pool:
        found = list(pool.map(auditor.audit, names, connections))
    config.stash[AUDITS] = {one.host: one for one in found}
    return config.stash[AUDITS]


def _connection(config: pytest.Config, name: str) -> Any:
    options = {
        key: config.getoption(key)
        for key in ("ansible_inventory", "ssh_config", "ssh_identity_file")
    }
    return testinfra.get_host(
        f"ansible://{name}", **options, force_ansible=config.getoption("force_ansible")
    )


@pytest.fixture
def audit(audits: dict[str, HostResult], host_name: str) -> HostResult:
    return audits[host_name]


def pytest_sessionfinish(session: pytest.Session) -> None:
    path = session.config.getoption("hardhost_results")
    if path:
        found = session.config.stash.get(AUDITS, {})
        path.write_text(
            json.dumps([dataclasses.asdict(one) for one in found.values()], indent=1) + "\n",
            "utf-8",
        )
