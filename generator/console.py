"""Puts tables and messages out: with colour on a terminal, as aligned plain text in a pipe."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from generator.errors import printable

STYLES: Mapping[str, str] = {
    "critical": "bold red",
    "high": "red",
    "medium": "yellow",
    "low": "green",
    "apply": "bold",
    "report": "dim",
    "pass": "green",
    "pass*": "green",
    "fail": "bold red",
    "pending": "yellow",
    "manual": "yellow",
    "waived": "cyan",
    "n/a": "dim",
}


def is_terminal() -> bool:
    return sys.stdout.isatty()


def print_json(data: Any) -> None:
    """Data for other programs."""
    print_text(json.dumps(data, indent=2, ensure_ascii=False))


def print_table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table for people: drawn by rich on a terminal, columns of spaces elsewhere."""
    if is_terminal():
        _print_drawn(headers, rows)
    else:
        print_text("\n".join(aligned([headers, *rows])))


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines with columns at equal positions; nothing is cut, nothing trails."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def print_heading(text: str) -> None:
    print_painted(text, "1")


def print_painted(text: str, code: str) -> None:
    """Text in a colour of the terminal, plain elsewhere."""
    text = printable(text)
    sys.stdout.write(f"\033[{code}m{text}\033[0m\n" if code and _colour() else f"{text}\n")


def print_text(text: str) -> None:
    sys.stdout.write(printable(text) + "\n")


def print_message(text: str) -> None:
    """What is not data goes to standard error."""
    sys.stdout.flush()
    sys.stderr.write(printable(text) + "\n")


def _colour() -> bool:
    import os  # noqa: PLC0415 - nothing else needs it

    return is_terminal() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _print_drawn(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from rich import box  # noqa: PLC0415 - a third of the start time, and only terminals need it
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for number, header in enumerate(headers):
        table.add_column(header, no_wrap=number == 0, overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell), style=STYLES.get(cell, "")) for cell in row))
    Console().print(table)
