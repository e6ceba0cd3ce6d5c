"""A report for people: one table, then the reasons, each told once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from generator.report import STATUSES, Host, Report, Result

MOST_COLUMNS = 6  # hosts side by side; a larger fleet is counted
WORDS = {"not_applicable": "n/a"}
TOLD = ("fail", "pending", "manual", "waived", "not_applicable")  # in this order, worst first


def table(report: Report) -> tuple[list[str], list[list[str]]]:
    """Headers and rows: controls by hosts, or for a large fleet controls by statuses."""
    hosts = [host for host in report.hosts if host.results]
    titles = [result.id for result in hosts[0].results] if hosts else []
    if len(hosts) <= MOST_COLUMNS:
        rows = [
            [title, *(_cell(host.results[at]) for host in hosts)] for at, title in enumerate(titles)
        ]
        return ["control", *(host.host for host in hosts)], rows
    counts = [Counter(host.results[at].status for host in hosts) for at in range(len(titles))]
    used = [status for status in STATUSES if any(count[status] for count in counts)]
    rows = [
        [title, *(str(count[status] or "-") for status in used)]
        for title, count in zip(titles, counts, strict=True)
    ]
    return ["control", *(WORDS.get(status, status) for status in used)], rows


def _cell(result: Result) -> str:
    proved = result.probe is not None and result.probe.status == "pass" and result.status == "pass"
    return WORDS.get(result.status, result.status) + ("*" if proved else "")


def reasons(report: Report) -> Iterator[tuple[str, list[str]]]:
    """`(heading, lines)` for hosts that could not be audited, then for each status but pass."""
    problems = [f"{host.host}: {_problem(host)}" for host in report.hosts if host.problem]
    if problems:
        yield f"not audited ({len(problems)})", problems
    for status in TOLD:
        grouped: dict[tuple[str, str], list[str]] = {}
        for host in report.hosts:
            for result in host.results:
                if result.status == status:
                    grouped.setdefault((result.id, result.reason), []).append(host.host)
        count = sum(len(names) for names in grouped.values())
        if grouped:
            yield f"{status.replace('_', ' ')} ({count})", list(_lines(grouped))


def _problem(host: Host) -> str:
    if host.refused:
        return f"refused: {host.refused}"
    return host.problem or ""


def _lines(grouped: dict[tuple[str, str], list[str]]) -> Iterator[str]:
    """A line for each reason; the controls that have it on the same hosts share one."""
    shared: dict[tuple[str, str], list[str]] = {}
    for (control, reason), names in sorted(grouped.items()):
        shared.setdefault((_named(names), reason), []).append(control)
    for (hosts, reason), controls in shared.items():
        yield f"{', '.join(controls)} on {hosts}: {reason}"


def _named(names: Sequence[str]) -> str:
    rest = len(names) - 6
    return ", ".join(names[:6]) + (f" and {rest} more" if rest > 0 else "")


def summary(report: Report) -> str:
    """The last line: how many of what, on how many hosts."""
    parts = [
        f"{report.summary[status]} {status.replace('_', ' ')}"
        for status in STATUSES
        if report.summary[status]
    ]
    audited = sum(bool(host.results) for host in report.hosts)
    hosts = f"{audited} of {len(report.hosts)} host{'' if len(report.hosts) == 1 else 's'} audited"
    effect = " (* proved by effect too)" if report.probe else ""
    return f"{hosts}: {', '.join(parts) or 'no results'}{effect}"
