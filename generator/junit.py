"""report.json's content as JUnit XML, for CI systems: one suite per host, one case per control."""

from __future__ import annotations

import re
from xml.etree import ElementTree as xml  # noqa: N813 - only written here, never parsed

from generator.report import Host, Report, Result

# What XML 1.0 cannot hold, not even escaped.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(report: Report) -> str:
    root = xml.Element("testsuites", name=f"hardhost {report.profile}")
    for host in report.hosts:
        root.append(_suite(host, report))
    xml.indent(root)
    return xml.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _suite(host: Host, report: Report) -> xml.Element:
    cases = [_host_case(host), *(_case(host, result) for result in host.results)]
    counts = {
        "tests": len(cases),
        "failures": sum(case.find("failure") is not None for case in cases),
        "errors": sum(case.find("error") is not None for case in cases),
        "skipped": sum(case.find("skipped") is not None for case in cases),
    }
    attributes = {"name": _text(host.host), "timestamp": report.started.removesuffix("Z")}
    suite = xml.Element(
        "testsuite", attributes | {name: str(count) for name, count in counts.items()}
    )
    suite.extend(cases)
    return suite


def _host_case(host: Host) -> xml.Element:
    """Whether the host could be audited at all: a host without results must not look green."""
    case = xml.Element("testcase", classname=_text(host.host), name="host")
    if host.problem:
        xml.SubElement(case, "error", message=_text(host.problem))
    return case


def _case(host: Host, result: Result) -> xml.Element:
    case = xml.Element("testcase", classname=_text(host.host), name=result.id)
    if result.status == "fail":
        failure = xml.SubElement(
            case, "failure", message=_text(result.reason), type=result.severity
        )
        failure.text = _text(result.title)
    elif result.status == "pass":
        xml.SubElement(case, "system-out").text = _text(_proof(result))
    else:
        xml.SubElement(case, "skipped", message=_text(f"{result.status}: {result.reason}"))
    return case


def _proof(result: Result) -> str:
    return f"{result.reason}\nby effect: {result.probe.reason}" if result.probe else result.reason


def _text(value: str) -> str:
    return _FORBIDDEN.sub("\ufffd", value)
