"""Puts inputs into the text of a role's defaults/main.yml and leaves the rest of it alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import yaml

# The parser that has accepted the file.
_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TextLoader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_TEMPLATE_MARKS = ("{{", "{%", "{#")


def with_values(text: str, values: Mapping[str, Any]) -> str:
    """The same file, comments included, with the given variables set to the given values."""
    if not values:
        return text
    added = "".join(_entry(*one) for one in values.items())
    # As text, for what a number or a date is does not matter here, and may be no valid one.
    wanted = {**_texts(text), **_texts(added)}
    try:
        edited = _edited(text, values)
    except yaml.YAMLError:  # PyYAML's own parser and libyaml do not agree in everything
        return _rewritten(text, added)
    return edited if _texts(edited) == wanted else _rewritten(text, added)


def _entry(name: str, value: Any) -> str:
    return f"{_key(name)}:{as_yaml(value)}\n"


def _texts(text: str) -> dict[str, Any]:
    """Every variable with its value, all scalars as text; nothing where that is no such file."""
    try:
        found = yaml.load(text, Loader=_TextLoader)  # noqa: S506 - it makes text only
    except yaml.YAMLError:
        return {}
    return found if isinstance(found, dict) else {}


def _rewritten(text: str, added: str) -> str:
    """The same from the nodes: a map in braces or an end mark leaves no line for a variable."""
    old, new = (_nodes(part) for part in (text, added))
    root = yaml.MappingNode("tag:yaml.org,2002:map", [*(old | new).values()], flow_style=False)
    return "---\n" + str(yaml.serialize(root, width=float("inf"), allow_unicode=True))


def _nodes(text: str) -> dict[str, tuple[yaml.Node, yaml.Node]]:
    root = yaml.compose(text, Loader=_SafeLoader)
    pairs = root.value if isinstance(root, yaml.MappingNode) else []
    return {key.value: (key, value) for key, value in pairs}


def _edited(text: str, values: Mapping[str, Any]) -> str:
    lines = text.splitlines(keepends=True)
    spans = _spans(text)
    for name in sorted(values.keys() & spans.keys(), key=lambda name: -spans[name][0]):
        first, last = spans[name]
        lines[first : last + 1] = [f"{name}:{as_yaml(values[name])}\n"]
    missing = sorted(values.keys() - spans.keys())
    if missing and not text.endswith("\n"):
        lines.append("\n")
    return "".join([*lines, *(f"{name}:{as_yaml(values[name])}\n" for name in missing)])


def as_yaml(value: Any, indentation: str = "  ") -> str:
    """A value as it follows `key:`; text that Ansible would template is marked as data."""
    if isinstance(value, str):
        return " " + _text(value)
    if isinstance(value, Mapping) and value:
        entries = (
            f"\n{indentation}{_key(key)}:{as_yaml(item, indentation + '  ')}"
            for key, item in value.items()
        )
        return "".join(entries)
    if isinstance(value, list | tuple) and value:
        return "".join(f"\n{indentation}-{as_yaml(item, indentation + '  ')}" for item in value)
    return " " + json.dumps(value)


def _text(value: str) -> str:
    quoted = _quoted(value)
    return f"!unsafe {quoted}" if any(mark in value for mark in _TEMPLATE_MARKS) else quoted


def _key(key: str) -> str:
    return key if key.isidentifier() and key.islower() and len(key) > 3 else _quoted(key)


def _quoted(value: str) -> str:
    """Double-quoted on one line: no later reader can take it for a number, a date or a template."""
    dumped: str = yaml.dump(value, default_style='"', allow_unicode=True, width=float("inf"))
    return dumped.rstrip("\n")


def _spans(text: str) -> dict[str, tuple[int, int]]:
    """First and last line of every top-level variable; comments between them belong to none."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode):
        return {}
    lines = text.splitlines()
    return {key.value: (key.start_mark.line, _last_line(value, lines)) for key, value in root.value}


def _last_line(node: yaml.Node, lines: list[str]) -> int:
    if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">"):
        # A block ends where the next thing begins; empty lines before that are not its own.
        line = node.end_mark.line - (node.end_mark.column == 0)
        while not lines[line].strip():
            line -= 1
        return int(line)
    if not isinstance(node, yaml.CollectionNode) or node.flow_style or not node.value:
        return int(node.end_mark.line)
    last = node.value[-1]
    return _last_line(last[1] if isinstance(last, tuple) else last, lines)
