"""Hide what nobody else may read: passwords and tokens by their names, users in addresses, private keys.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import re

HIDDEN = "(hidden)"
_SECRET_KEY = re.compile(
    r"(?i)token|secret|passw|credential|api.?key|access.?key|proxy|proxies|auth"
)
_NOT_SECRET = ("userland-proxy", "userland-proxy-path", "authorization-plugins", "no-proxy")
# A word up to its last @: past that no URL of it names a user. Only where a word begins, as below.
_BEFORE_AT = re.compile(r"(?<!\S)\S+@")
# Up to the last @, for a password may hold one; past a slash only where it may be a password's. For such words alone: an @
# comes after every colon then, and nothing is searched to the word's end in vain, once for each `://`.
_SECRET_URL = re.compile(r"(?<=://)(?:[^/:]*:.*|[^/]+)@")
# `name=value` and `"name": "value"` in free text. Only where a word begins: a key of 1 MB would be tried from each letter on.
_ASSIGNED = re.compile(
    r"""(?<![\w.-])([\w.-]+)(["']?\s?=\s?|["']\s*:\s*)("(?:[^"\\]|\\.)*"|'[^']*'|[^\s"',;]+)"""
)
_NAMED = re.compile(r"(?<![\w.-])([\w.-]+)=")
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")
# Certificates, public keys and other base64, whose padding reads like an assignment to what is before it.
_PUBLIC = re.compile(
    r"""-----BEGIN ([A-Z0-9 ]+)-----[\w+/=\s]*-----END \1-----|(?<![\w+/])[\w+/]{60,}={1,2}(?=[\s"']|$)"""
)
_ESCAPED, _TO_ESCAPE = re.compile(r"\\([\"\\])"), re.compile(r"([\"\\])")


def redact(value, key=""):
    """The value with everything that may be a secret hidden: by its key, by a name before `=`, or in a URL."""
    if isinstance(value, dict):
        return {
            name: redact(inner, key if _hides(key) and name not in _NOT_SECRET else name)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [redact(inner, key) for inner in value]
    if _hides(key) and value not in ("", None):
        return HIDDEN
    return _redact_word(value) if isinstance(value, str) else value


def _hides(key):
    return key not in _NOT_SECRET and bool(_SECRET_KEY.search(key))


def _redact_word(text):
    """One value, of which everything after a telling `name=` is hidden, as in labels and options."""
    name, separator, value = text.partition("=")
    if separator and value and _hides(name) and "://" not in name:
        return name + separator + HIDDEN
    return redact_text(text)


def redact_text(text):
    """Hide user information of URLs and values of telling names in free text, such as a line of the daemon's log."""
    return _ASSIGNED.sub(_hidden_value, _BEFORE_AT.sub(_hidden_users, text))


def _hidden_users(found):
    return _SECRET_URL.sub(HIDDEN + "@", found.group(0))


def _hidden_value(found):
    name, separator, value = found.groups()
    return name + separator + (HIDDEN if _hides(name) else _looked_through(value))


def _looked_through(value):
    """A value may hold names and values of its own: `msg="..."` of a log, or `user= password=x` where one is empty."""
    if value[0] not in "\"'":
        found = next((one for one in _NAMED.finditer(value) if _hides(one.group(1))), None)
        return value[: found.end()] + HIDDEN if found else value
    text = _ESCAPED.sub(r"\1", value[1:-1])
    told = _ASSIGNED.sub(_hidden_value, text)
    return value if told == text else value[0] + _TO_ESCAPE.sub(r"\\\1", told) + value[0]


def secret_in(value):
    """What an input, or a text in it, holds that is nobody else's to read; "" where there is nothing."""
    if isinstance(value, (dict, list)):
        inner = [*value, *value.values()] if isinstance(value, dict) else value
        return next(filter(None, map(secret_in, inner)), "")
    text = str(value)
    if _PRIVATE_KEY.search(text):
        return "a private key"
    text = _PUBLIC.sub("", text)
    return (
        "a password or token, in an address or behind its name" if redact_text(text) != text else ""
    )


def redact_texts(value):
    """Data in which every text has gone through `redact_text`, for what is printed and no longer used."""
    if isinstance(value, dict):
        return {name: redact_texts(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [redact_texts(inner) for inner in value]
    return redact_text(value) if isinstance(value, str) else value
