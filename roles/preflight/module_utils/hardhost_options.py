"""Read, merge and word daemon.json: pure functions on bytes and values.

A *leaf* is a path of keys, a *wish* what a control wants there: a literal, `{"never": [values]}` (the leaf may be
absent or have any value but these), or `{"without": [patterns]}` (a list may hold no item, and a text may not be what the
patterns match; the last that matches decides, and one that begins with `!` allows).

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import copy
import difflib
import fnmatch
import json
import re

from ansible.module_utils.hardhost_redaction import redact

ABSENT = {"present": False}
WISH_KEYS = {"from_input", "never", "when", "without"}
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class OptionsError(Exception):
    """daemon.json cannot be read as what dockerd needs; the text begins with the line."""


def parse(data):
    """The object in the bytes of a daemon.json; `{}` for an absent or empty file. OptionsError otherwise."""
    if data is None or not data.strip():
        return {}
    try:
        value = json.loads(
            data.decode("utf-8-sig"),
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_float=_finite,
        )
    except UnicodeDecodeError as error:
        raise OptionsError(
            "%d: not UTF-8; dockerd reads UTF-8 only" % _line(data, error.start)
        ) from error
    except json.JSONDecodeError as error:
        raise OptionsError("%d: not JSON: %s" % (error.lineno, error.msg)) from error
    except (ValueError, RecursionError) as error:
        raise OptionsError("1: %s" % error) from error
    if not isinstance(value, dict):
        raise OptionsError("1: holds a %s; dockerd accepts an object" % type(value).__name__)
    return value


def _line(data, offset):
    return data.count(b"\n", 0, offset) + 1


def _unique(pairs):
    names = [name for name, _value in pairs]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(
                "the key %r stands twice, and dockerd takes the last; keep one of them" % name
            )
    return dict(pairs)


def _no_constant(name):
    raise ValueError("%s is not JSON" % name)


def _finite(text):
    """A number with a fraction; one that Python cannot write again would be lost."""
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError("the number %s is too large" % text[:20])
    return value


def word(value, like=None):
    """The bytes for an object, with the indentation, byte order mark and last newline of the bytes it replaces."""
    text = (like or b"").decode("utf-8-sig", "replace")
    indent = re.search(r"\n([ \t]+)\S", text)
    body = json.dumps(value, indent=indent.group(1) if indent else "  ", ensure_ascii=False)
    if re.search(
        "[\ud800-\udfff]", body
    ):  # half a character, which JSON can write and UTF-8 cannot
        body = json.dumps(value, indent=indent.group(1) if indent else "  ")
    mark = BYTE_ORDER_MARK if (like or b"").startswith(BYTE_ORDER_MARK) else b""
    return (
        mark + body.encode("utf-8") + (b"" if text.strip() and not text.endswith("\n") else b"\n")
    )


def is_wish(value):
    """Whether a mapping is a wish and not a part of daemon.json."""
    return isinstance(value, dict) and bool(value) and set(value) <= WISH_KEYS


def leaves(options, path=()):
    """Yield `(leaf, wish)` for everything in a control's options, in order."""
    for name, value in options.items():
        if isinstance(value, dict) and value and not is_wish(value):
            for leaf in leaves(value, path + (name,)):
                yield leaf
        else:
            yield path + (name,), value


def look(options, leaf):
    """`{"present": True, "value": …}` or `{"present": False}` for one leaf."""
    value = options
    for name in leaf:
        if not isinstance(value, dict) or name not in value:
            return dict(ABSENT)
        value = value[name]
    return {"present": True, "value": copy.deepcopy(value)}


def put(options, leaf, content):
    """A copy of the object in which a leaf has a content as `look` gives it; objects left empty by a removal go too."""
    result, name = dict(options), leaf[0]
    if not content["present"] and not look(options, leaf)["present"]:
        return result
    if len(leaf) > 1:
        inner = result.get(name)
        content = {
            "present": True,
            "value": put(inner if isinstance(inner, dict) else {}, leaf[1:], content),
        }
    if content["present"] and (content["value"] != {} or len(leaf) == 1):
        result[name] = copy.deepcopy(content["value"])
    else:
        result.pop(name, None)
    return result


def without_empty(options):
    """The object without the empty objects in it: they mean nothing to dockerd, and `put` removes those it empties."""
    below = {
        name: without_empty(value) if isinstance(value, dict) else value
        for name, value in options.items()
    }
    return {name: value for name, value in below.items() if value != {}}


def satisfied(content, wish):
    """Whether a leaf's content already is what a control wants."""
    if is_wish(wish):
        return same(aim(content, wish), content)
    return content["present"] and same(content["value"], wish)


def aim(content, wish):
    """What a leaf's content becomes to fulfil a wish."""
    if not is_wish(wish):
        return {"present": True, "value": wish}
    if not content["present"] or any(same(content["value"], bad) for bad in wish.get("never", ())):
        return dict(ABSENT)
    patterns = wish.get("without", ())
    if not isinstance(content["value"], list):
        return dict(ABSENT) if matches(content["value"], patterns) else content
    kept = [one for one in content["value"] if not matches(one, patterns)]
    return {"present": True, "value": kept}


def matches(value, patterns):
    """Whether the last of the patterns that fits this value forbids it."""
    found = False
    for pattern in patterns:
        if fnmatch.fnmatchcase(str(value), pattern.lstrip("!")):
            found = not pattern.startswith("!")
    return found


def same(one, other):
    """Equality without Python's True == 1."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def merge(options, controls):
    """Apply controls `[{id, settings: {docker_daemon_options}}]`; returns the new object and the edits.

    An edit is `{control, leaf, before, after}`; contents are as `look` gives them. OptionsError where a leaf would have
    to go below something that is no object.
    """
    edits = []
    for control in controls:
        for leaf, wish in leaves(control["settings"].get("docker_daemon_options", {})):
            before = look(options, leaf)
            if satisfied(before, wish):
                continue
            _passable(options, leaf, control["id"])
            after = aim(before, wish)
            options = put(options, leaf, after)
            edits.append(
                {"control": control["id"], "leaf": list(leaf), "before": before, "after": after}
            )
    return options, edits


def _passable(options, leaf, control):
    for depth in range(1, len(leaf)):
        above = look(options, leaf[:depth])
        if above["present"] and not isinstance(above["value"], dict):
            raise OptionsError(
                "1: %s holds %s where %s needs an object"
                % (".".join(leaf[:depth]), json.dumps(redact(above["value"], leaf[0])), control)
            )


def difference(before, after, path):
    """`{before, after, before_header, after_header}` for Ansible's --diff, secrets hidden."""

    def shown(data):
        if data is None:
            return ""
        try:
            return word(redact(parse(data)), data).decode("utf-8")
        except OptionsError:
            return "(cannot be read as JSON)\n"

    return {
        "before": shown(before),
        "after": shown(after),
        "before_header": path,
        "after_header": path,
    }


def changed_keys(before, after):
    """The top-level keys in which two objects differ, sorted."""
    return sorted(
        key
        for key in set(before) | set(after)
        if key not in before or key not in after or not same(before[key], after[key])
    )


def nearest(name, known):
    """The known name most like this one, or None."""
    found = difflib.get_close_matches(name, known, 1)
    return found[0] if found else None
