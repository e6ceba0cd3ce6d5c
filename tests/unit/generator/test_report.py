"""report.json: its shape, its schema in docs/, and the exit code it stands for."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest

from generator.junit import junit
from generator.model import Plan
from generator.report import Host, Report, audited, json_schema, missing, report
from generator.report_text import MOST_COLUMNS, reasons, summary, table

ROOT = Path(__file__).resolve().parents[3]
SCHEMA = ROOT / "docs" / "report.schema.json"
NOW = datetime(2026, 11, 21, 18, 0, 0, tzinfo=UTC)


def planned(identity: str, **changes: Any) -> dict[str, Any]:
    role, name = identity.split("/")
    return {
        "id": identity, "role": role, "name": name, "mode": "apply", "title": f"Title of {name}",
        "severity": "high", "disruption": "restart", "rationale": "x", "impact": "x",
        "references": {"cis_docker_1.8.0": ("2.2",)}, "engine": None, "platforms": (), "needs": {},
        "requires": (), "unless": (), "applied_by": None, "preconditions": (), "check": "daemon_option", "settings": {},
        "sources": {}, "waiver": None, "from": "profiles/production.yml",
    } | changes  # fmt: skip


@pytest.fixture
def plan() -> Plan:
    waiver = {"reason": "agent", "owner": "ops@example.org", "expires": "2099-01-31"}
    controls = (planned("docker_daemon/icc"), planned("docker_files/tls_key", waiver=waiver))
    return Plan.model_validate(
        {
            "hardhost": "0.1.0", "profile": "production", "environment": None, "title": "x",
            "group": "production", "inputs": {}, "controls": controls,
        }
    )  # fmt: skip


Make = Callable[..., Report]


@pytest.fixture
def make(plan: Plan) -> Make:
    """A report of one host, with the given statuses for its two controls, and other hosts."""

    def made(
        icc: str = "pass", tls_key: str = "pass", *more: Host, name: str = "db1", probe: Any = None
    ) -> Report:
        results = [
            {"id": "docker_daemon/icc", "status": icc, "reason": "because", "probe": probe},
            {"id": "docker_files/tls_key", "status": tls_key, "reason": "reason", "probe": None},
        ]
        found = {
            "host": name, "problem": "", "reachable": True, "refused": None,
            "engine": {"version": "26.1.5"}, "os": {"id": "debian"}, "results": results,
        }  # fmt: skip
        hosts = [audited(plan, found), *more]
        return report(plan, hosts, probe=probe is not None, started=NOW, finished=NOW)

    return made


def test_the_schema_in_the_documentation_is_the_one_of_the_types() -> None:
    assert json.loads(SCHEMA.read_text()) == json_schema(), (
        "write it anew: python -c 'import json; from generator.report import json_schema; "
        "print(json.dumps(json_schema(), indent=2))' > docs/report.schema.json"
    )


def test_a_report_follows_its_schema(make: Make) -> None:
    gone = missing("db2", "cannot be reached", reachable=False)
    text = make("fail", "waived", gone, probe={"status": "fail", "reason": "reached"}).to_json()
    jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text())).validate(json.loads(text))


def test_a_report_says_what_was_found_and_where_it_comes_from(make: Make) -> None:
    found = json.loads(make("fail", "waived").to_json())
    assert found["schema"] == 1
    assert found["started"] == "2026-11-21T18:00:00Z"
    assert found["summary"] == {
        "pass": 0, "fail": 1, "waived": 1, "not_applicable": 0, "pending": 0, "manual": 0,
    }  # fmt: skip
    icc, tls_key = found["hosts"][0]["results"]
    assert icc["references"] == {"cis_docker_1.8.0": ["2.2"]}
    assert icc["waiver"] is None
    assert tls_key["waiver"]["expires"] == "2099-01-31"


def test_a_waiver_is_told_only_where_it_is_the_status(make: Make) -> None:
    assert make("pass", "pass").hosts[0].results[1].waiver is None


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        (("pass", "pass"), 0),
        (("pass", "pending"), 0),
        (("waived", "not_applicable"), 0),
        (("pass", "fail"), 1),
    ],
)
def test_the_exit_code_of_results(make: Make, statuses: tuple[str, str], expected: int) -> None:
    assert make(*statuses).exit_code == expected


def test_a_missing_host_is_a_failure_however_well_the_others_do(make: Make) -> None:
    assert make("pass", "pass", missing("db2", "no route", reachable=False)).exit_code == 1


def test_nothing_proved_is_a_failure(plan: Plan) -> None:
    assert report(plan, [], probe=False, started=NOW, finished=NOW).exit_code == 1


class TestText:
    def test_a_host_is_a_column(self, make: Make) -> None:
        probed = make("pass", "not_applicable", probe={"status": "pass", "reason": "timeout"})
        assert table(probed) == (
            ["control", "db1"],
            [["docker_daemon/icc", "pass*"], ["docker_files/tls_key", "n/a"]],
        )

    def test_a_large_fleet_is_counted(self, make: Make) -> None:
        others = [make("fail", name=f"db{at}").hosts[0] for at in range(2, MOST_COLUMNS + 2)]
        headers, rows = table(make("pass", "pass", *others))
        assert headers == ["control", "pass", "fail"]
        assert rows[0] == ["docker_daemon/icc", "1", str(MOST_COLUMNS)]
        assert rows[1] == ["docker_files/tls_key", str(MOST_COLUMNS + 1), "-"]

    def test_a_reason_that_hosts_share_is_told_once(self, make: Make) -> None:
        again = make("fail", "pending", make("fail", name="db2").hosts[0])
        assert list(reasons(again)) == [
            ("fail (2)", ["docker_daemon/icc on db1, db2: because"]),
            ("pending (1)", ["docker_files/tls_key on db1: reason"]),
        ]

    def test_a_reason_that_controls_share_is_told_once(self, make: Make) -> None:
        host = make("fail", "fail").hosts[0]
        same = tuple(one.model_copy(update={"reason": "no answer"}) for one in host.results)
        found = make().model_copy(update={"hosts": (host.model_copy(update={"results": same}),)})
        assert list(reasons(found)) == [
            (
                "fail (2)",
                ["docker_daemon/icc, docker_files/tls_key on db1: no answer"],
            )
        ]

    def test_hosts_that_were_not_audited_come_first(self, make: Make) -> None:
        refused = missing("db2", "not JSON", reachable=True, refused="not JSON")
        [(heading, lines)] = reasons(make("pass", "pass", refused))
        assert heading == "not audited (1)"
        assert lines == ["db2: refused: not JSON"]

    def test_the_last_line_counts(self, make: Make) -> None:
        gone = missing("db2", "no route", reachable=False)
        assert summary(make("pass", "fail", gone)) == "1 of 2 hosts audited: 1 pass, 1 fail"


class TestJunit:
    def suites(self, found: Report) -> list[ElementTree.Element]:
        return ElementTree.fromstring(junit(found)).findall("testsuite")

    def test_a_case_per_control_and_one_per_host(self, make: Make) -> None:
        [suite] = self.suites(make("fail", "waived"))
        host, icc, tls_key = suite.findall("testcase")
        assert (host.get("name"), len(host)) == ("host", 0)
        assert (icc.get("classname"), icc.get("name")) == ("db1", "docker_daemon/icc")
        failure, skipped = icc.find("failure"), tls_key.find("skipped")
        assert failure is not None
        assert failure.get("message") == "because"
        assert skipped is not None
        assert skipped.get("message") == "waived: reason"
        counts = {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")}
        assert counts == {"tests": "3", "failures": "1", "errors": "0", "skipped": "1"}

    def test_a_host_that_was_not_audited_is_an_error(self, make: Make) -> None:
        _audited, gone = self.suites(make("pass", "pass", missing("db2", "no", reachable=False)))
        assert gone.get("errors") == "1"
        assert gone.find("testcase/error") is not None

    def test_what_xml_cannot_hold_is_replaced(self, plan: Plan) -> None:
        broken = missing("db\x00", "<\x1b[31m&\ud800>", reachable=False)
        found = report(plan, [broken], probe=False, started=NOW, finished=NOW)
        [suite] = self.suites(found)
        error = suite.find("testcase/error")
        assert error is not None
        assert error.get("message") == "<\ufffd[31m&\ufffd>"
