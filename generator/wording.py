"""How values read in prose: on one line, in a table cell, as code."""

from __future__ import annotations

import json
from typing import Any

from generator.settings import dotted, is_wish, leaves


def line(text: str) -> str:
    """Text on one line."""
    return " ".join(text.split())


def cell(text: str) -> str:
    """Text that cannot end a cell of a Markdown table."""
    return line(text).replace("|", "\\|")


def code(text: str) -> str:
    """Text between more backticks than it holds."""
    text = line(text).replace("|", "\\|")
    fence = "`"
    while fence in text:
        fence += "`"
    return f"{fence} {text} {fence}" if "`" in text else f"{fence}{text}{fence}"


def value(given: Any) -> str:
    """A wanted value as an operator would say it."""
    if not is_wish(given):
        return json.dumps(given, ensure_ascii=False)
    parts = []
    if "from_input" in given:
        parts.append(f"the input {given['from_input']}")
    if "never" in given:
        parts.append(
            "never " + " or ".join(json.dumps(one, ensure_ascii=False) for one in given["never"])
        )
    return ", ".join(parts)


def wanted(settings: dict[str, Any]) -> list[tuple[str, Any]]:
    """Every leaf as dotted name and value."""
    return [(dotted(path), leaf) for path, leaf in leaves(settings)]
