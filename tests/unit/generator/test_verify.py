"""`verify`: what it refuses before it starts, which hosts count as audited, the exit code."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from generator import console, runs
from generator.commands.load import Library
from generator.commands.verify import expired, modifications, verify
from generator.errors import HardhostError, InvalidContent
from generator.journal import UNFINISHED
from generator.model import Plan
from generator.render import MANIFEST, manifest, render
from generator.resolve import resolve
from generator.write import prepare, write

OLD, NEW = "20261120T180000Z-00000000", "20261121T180000Z-ffffffff"


@pytest.fixture
def plan(library: Library) -> Plan:
    return resolve(library.catalog, library.profile("baseline"))


@pytest.fixture
def project(library: Library, plan: Plan, tmp_path: Path) -> Path:
    files = render(plan, library.catalog, library.content)
    write(prepare(tmp_path / "project", files))
    return tmp_path / "project"


def leave(project: Path, host: str, run: str, refused: str | None = None) -> None:
    """What preflight leaves for a host."""
    path = project / "artifacts" / f"{host}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"schema": 1, "host": host, "run": run, "refused": refused}))


Fleet = Callable[..., list[str]]


@pytest.fixture
def fleet(project: Path, plan: Plan, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    """Hosts in place of the programs that reach them; returns what pytest was asked to check."""

    def of(
        hosts: Mapping[str, str | None], *, refused: str | None = None, status: str = "pass",
        unreachable: Mapping[str, str] | None = None,
    ) -> list[str]:  # fmt: skip
        checked: list[str] = []

        def preflight(*_unused: Any) -> runs.Outcome:
            for host, run in hosts.items():
                if run:
                    leave(project, host, run, refused)
            return runs.Outcome(unreachable or {}, {})

        def check(_p: Path, _i: Path, _l: Any, names: list[str], *, probe: bool) -> dict[str, Any]:
            checked.extend(names)
            results = [
                {"id": one.id, "status": status, "reason": "x", "probe": None}
                for one in plan.controls
            ]
            return {name: {"host": name, "problem": "", "results": results} for name in names}

        listed = {plan.group: {"hosts": sorted(hosts)}}
        monkeypatch.setattr(runs, "list_inventory", lambda *_unused: listed)
        monkeypatch.setattr(runs, "preflight", preflight)
        monkeypatch.setattr(runs, "check", check)
        return checked

    return of


def run(project: Path, **options: Any) -> int:
    given: dict[str, Any] = {
        "probe": False, "limit": None, "report": None, "junit": None, "output_format": "text",
    }  # fmt: skip
    inventory = project.parent / "inventory"
    return verify(project, inventory, **(given | options), console=console)


def test_all_hosts_in_force(
    project: Path, fleet: Fleet, capsys: pytest.CaptureFixture[str]
) -> None:
    checked = fleet({"db1": NEW, "db2": NEW})
    assert run(project) == 0
    assert checked == ["db1", "db2"]
    printed = capsys.readouterr()
    assert "2 of 2 hosts audited" in printed.out
    assert printed.err == ""
    report = json.loads((project / "artifacts" / "report.json").read_text())
    assert [host["host"] for host in report["hosts"]] == ["db1", "db2"]


def test_a_failure_is_exit_code_1(project: Path, fleet: Fleet) -> None:
    fleet({"db1": NEW}, status="fail")
    assert run(project) == 1


def test_an_old_artifact_is_no_audit(
    project: Path, fleet: Fleet, capsys: pytest.CaptureFixture[str]
) -> None:
    leave(project, "db2", OLD)
    checked = fleet({"db1": NEW, "db2": None}, unreachable={"db2": "no route to host"})
    assert run(project) == 1
    assert checked == ["db1"]
    assert "db2: cannot be reached: no route to host" in capsys.readouterr().out


def test_a_host_preflight_never_came_to_is_not_audited(
    project: Path, fleet: Fleet, capsys: pytest.CaptureFixture[str]
) -> None:
    leave(project, "db1", OLD)
    assert fleet({"db1": None}) == []
    assert run(project) == 1
    assert "preflight.yml did not come to it" in capsys.readouterr().out


def test_a_refused_host_counts_as_failed(
    project: Path, fleet: Fleet, capsys: pytest.CaptureFixture[str]
) -> None:
    checked = fleet({"db1": NEW}, refused="daemon.json:3: not JSON")
    assert run(project) == 1
    assert checked == []
    assert "db1: refused: daemon.json:3: not JSON" in capsys.readouterr().out


def test_no_host_is_a_failure_that_says_so(
    project: Path, fleet: Fleet, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet({})
    assert run(project) == 1
    assert "no host in group" in capsys.readouterr().err


def test_json_on_stdout_is_the_report(
    project: Path, fleet: Fleet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet({"db1": NEW})
    report, junit = tmp_path / "there" / "report.json", tmp_path / "there" / "junit.xml"
    assert run(project, output_format="json", report=report, junit=junit) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(report.read_text())
    assert junit.read_text().startswith("<?xml")
    assert not (project / "artifacts" / "report.json").exists()


def test_a_host_may_be_named_like_the_report(project: Path, fleet: Fleet, tmp_path: Path) -> None:
    """Its decisions are not overwritten, and what to do is said before anything is read."""
    leave(project, "report", OLD)
    checked = fleet({"db1": NEW, "report": NEW})
    with pytest.raises(HardhostError, match="--report FILE"):
        run(project)
    assert checked == []
    elsewhere = tmp_path / "report.json"
    assert run(project, report=elsewhere) == 0
    assert checked == ["db1", "report"]
    assert len(json.loads(elsewhere.read_text())["hosts"]) == 2
    assert json.loads((project / "artifacts" / "report.json").read_text())["host"] == "report"


def test_an_untouched_project_has_no_modifications(project: Path) -> None:
    assert list(modifications(project, project / "inventory.py")) == []


def spoil_a_role(project: Path) -> None:
    path = next((project / "roles").rglob("*.yml"))
    path.write_text(path.read_text() + "# one more line\n")


def remove_a_test(project: Path) -> None:
    next((project / "tests").rglob("*.py")).unlink()


def add_a_module(project: Path) -> None:
    (project / "roles" / "zz.py").write_text("")


def link_a_module(project: Path) -> None:
    (project / "tests" / "host" / "zz.py").symlink_to("/dev/null")


def add_to_the_project(name: str) -> Callable[[Path], None]:
    def add(project: Path) -> None:
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text("")

    return add


def interrupt_a_render(project: Path) -> None:
    (project / UNFINISHED).mkdir()
    spoil_a_role(project)


def remove_the_manifest(project: Path) -> None:
    (project / MANIFEST).unlink()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (spoil_a_role, "was modified"),
        (remove_a_test, "was removed"),
        (add_a_module, "was not rendered"),
        (link_a_module, "was not rendered"),
        (remove_the_manifest, "missing or empty"),
        (interrupt_a_render, "half written"),
        *(
            (add_to_the_project(name), f"{name}: was not rendered")
            for name in (
                "ansible.py",
                "pytest.cpython-311-x86_64-linux-gnu.so",
                "json.pyc",
                "ansible/__init__.py",
                "doc_fragments/x.py",
                "vars_plugins/deep/x.py",
                "collections/ansible_collections/a/b/plugins/modules/x.py",
                "tests/conftest.py",
                "tests/pytest.ini",
                "tests/host/verdict.pyc",
                "tests/host/__pycache__/conftest.py",
                "roles/preflight/files/x",
            )
        ),
    ],
)
def test_a_modified_project_is_refused_before_anything_runs(
    project: Path, fleet: Fleet, spoil: Callable[[Path], None], words: str
) -> None:
    checked = fleet({"db1": NEW})
    spoil(project)
    with pytest.raises(InvalidContent) as caught:
        run(project)
    assert caught.value.exit_code == 3
    [message] = caught.value.messages()
    assert words in message
    assert checked == []


def test_byte_code_is_no_modification(project: Path) -> None:
    cache = project / "tests" / "host" / "__pycache__"
    cache.mkdir()
    (cache / "conftest.cpython-311.pyc").write_bytes(b"")
    assert list(modifications(project, project / "inventory.py")) == []


def test_byte_code_is_removed_before_anything_runs(
    project: Path, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked = fleet({"db1": NEW})
    caches = [
        project / "tests" / "host" / "__pycache__" / "conftest.cpython-311-pytest-9.0.pyc",
        project / "roles" / "preflight" / "action_plugins" / "__pycache__" / "x.pyc",
    ]
    for path in caches:
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(b"")

    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", refuse)
        with pytest.raises(InvalidContent) as caught:
            run(project)
    for path, text in zip(sorted(caches), caught.value.messages(), strict=True):
        assert path.name in text
        assert "cannot be removed: Permission denied" in text
    assert checked == []
    assert run(project) == 0
    assert not [path for path in caches if path.exists()]


def test_what_is_the_operators_is_no_modification(project: Path) -> None:
    """Inventory and variables, wherever Ansible reads them; and the tools installed beside them."""
    for name in (
        "inventory.py",
        "group_vars/all.yml",
        "host_vars/db1/vault.yml",
        "pyproject.toml",
        "drain.yml",
        "inventories/aws.py",
        ".venv/lib/python3.11/site-packages/ansible/__init__.py",
    ):
        add_to_the_project(name)(project)
    assert list(modifications(project, project / "inventory.py")) == []


def test_a_directory_without_a_plan_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HardhostError, match="not a rendered project"):
        run(tmp_path)


def test_a_plan_of_another_schema_is_refused(project: Path) -> None:
    (project / "plan.json").write_text('{"schema": 2}')
    with pytest.raises(HardhostError, match="not a plan of schema 1"):
        run(project)


def waived(plan: Plan, expires: str) -> Plan:
    waiver = {"reason": "x", "owner": "ops@example.org", "expires": expires}
    data = plan.model_dump(mode="json", by_alias=True)
    data["controls"][0]["waiver"] = waiver
    return Plan.model_validate_json(json.dumps(data))


def test_a_waiver_holds_through_its_last_day(plan: Plan, project: Path) -> None:
    today = date(2026, 11, 21)
    assert list(expired(waived(plan, "2026-11-21"), project, today)) == []
    [problem] = expired(waived(plan, "2026-11-20"), project, today)
    assert plan.controls[0].id in problem.text
    assert "2026-11-20" in problem.text


def test_an_expired_waiver_is_invalid_content(project: Path, plan: Plan, fleet: Fleet) -> None:
    fleet({"db1": NEW})
    text = json.dumps(waived(plan, "2020-01-31").model_dump(mode="json", by_alias=True))
    (project / "plan.json").write_text(text)
    files = {
        path.relative_to(project).as_posix(): path.read_bytes()
        for path in project.rglob("*")
        if path.is_file() and path.name != MANIFEST
    }
    (project / MANIFEST).write_bytes(manifest(files))
    with pytest.raises(InvalidContent, match="expired on 2020-01-31"):
        run(project)
