"""How values read in prose: on one line, in a table cell, as code."""

from __future__ import annotations

import json
import re
from typing import Any

from generator.settings import dotted, is_wish, leaves

_CODE = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)")
_MARKUP = re.compile(r"<(?=[A-Za-z/!?])|[\[\]]")
_BLOCK = re.compile(r"^(?=[#>|=+~-]|\*\s|```)|(?<=^\d)(?=[.)]\s)")  # where text would begin a block


def line(text: str) -> str:
    """Text on one line."""
    return " ".join(text.split())


def prose(text: str) -> str:
    """Text on one line of Markdown, with code and emphasis, but no HTML, link or image."""
    text, parts, start = line(text), [], 0
    for code_span in _CODE.finditer(text):
        parts += [_escaped(text[start : code_span.start()]), code_span[0]]
        start = code_span.end()
    return _BLOCK.sub(r"\\", "".join([*parts, _escaped(text[start:])]), count=1)


def _escaped(text: str) -> str:
    return _MARKUP.sub(lambda found: "\\" + found[0], text)


def cell(text: str) -> str:
    """Text that cannot end a cell of a Markdown table."""
    return prose(text).replace("|", "\\|")


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
    if "when" in given:
        parts.append(
            "if " + " and ".join(f"{name} is {value}" for name, value in given["when"].items())
        )
    if "without" in given:
        parts.append("without " + ", ".join(given["without"]))
    return ", ".join(parts)


def wanted(settings: dict[str, Any]) -> list[tuple[str, Any]]:
    """Every leaf as dotted name and value."""
    return [(dotted(path), leaf) for path, leaf in leaves(settings)]
