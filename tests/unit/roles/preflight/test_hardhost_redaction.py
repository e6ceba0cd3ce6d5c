"""What nobody else may read is hidden wherever it stands, and nothing else is."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

import pytest
from ansible.module_utils import hardhost_options as options
from ansible.module_utils import hardhost_redaction as redaction
from hypothesis import given
from hypothesis import strategies as st

from fuzz.targets import linear

SECRET = "hunter2"
scalars = st.one_of(st.booleans(), st.none(), st.integers(), st.text(max_size=8))
objects = st.recursive(
    st.dictionaries(st.text(min_size=1, max_size=8), scalars, max_size=4),
    lambda inner: st.dictionaries(
        st.text(min_size=1, max_size=8), inner | st.lists(inner, max_size=3), max_size=4
    ),
)


@pytest.mark.parametrize(
    "value",
    [
        {"http-proxy": f"http://user:{SECRET}@proxy:3128"},
        {"proxies": {"https-proxy": SECRET}},
        {"log-opts": {"splunk-token": SECRET}},
        {"log-opts": {"gelf-address": f"tcp://me:{SECRET}@logs:12201"}},
        {"registry-mirrors": [f"https://me:{SECRET}@mirror.example"]},
        {"registry-mirrors": [f"https://me:with@{SECRET}@mirror.example"]},
        {"storage-opts": {"deep": {"password": [SECRET]}}},
        {"runtimes": {"x": {"runtimeArgs": [f"--url=https://u:{SECRET}@h/p"]}}},
    ],
)
def test_secrets_are_hidden(value: dict[str, Any]) -> None:
    assert SECRET not in json.dumps(redaction.redact(value))
    assert SECRET not in json.dumps(options.difference(None, options.word(value), "daemon.json"))


@given(objects)
def test_hiding_keeps_the_shape(value: dict[str, Any]) -> None:
    hidden = redaction.redact(value)
    assert list(hidden) == list(value)
    assert redaction.redact(hidden) == hidden


def test_what_is_no_secret_is_shown() -> None:
    shown = {
        "icc": False,
        "userland-proxy": False,
        "log-opts": {"max-size": "10m"},
        "authorization-plugins": ["opa"],
    }
    assert redaction.redact(shown) == shown


def test_a_secret_in_the_daemons_words_is_hidden() -> None:
    assert redaction.redact_text("dial http://u:p@ss@proxy:3128: refused") == (
        "dial http://(hidden)@proxy:3128: refused"
    )


@pytest.mark.parametrize(
    "value",
    [
        {"labels": [f"com.example.password={SECRET} and more"]},
        {"exec-opts": [f"registry.token={SECRET}"]},
        {"registry-mirrors": [f"https://me:pa/{SECRET}@mirror.example"]},
        {"registry-mirrors": [f'https://me:pa"{SECRET}@mirror.example']},
        {"proxies": {"tcp://host": {"http-proxy": SECRET}}},
    ],
)
def test_secrets_in_odd_places_are_hidden(value: dict[str, Any]) -> None:
    assert SECRET not in json.dumps(redaction.redact(value))


def test_what_stands_beside_a_secret_is_shown() -> None:
    value = {"proxies": {"http-proxy": SECRET, "no-proxy": "localhost"}, "labels": ["a=b"]}
    assert redaction.redact(value)["proxies"] == {"http-proxy": "(hidden)", "no-proxy": "localhost"}
    assert redaction.redact(value)["labels"] == ["a=b"]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (f"splunk-token={SECRET}, retrying", "splunk-token=(hidden), retrying"),
        (f'level=error "splunk-token": "{SECRET}" x', 'level=error "splunk-token": (hidden) x'),
        (f"HTTPS_PROXY={SECRET}:{SECRET}@h:1 x", "HTTPS_PROXY=(hidden) x"),
        (f'mirror "https://u:a/{SECRET}@m.example"', 'mirror "https://(hidden)@m.example"'),
        (f'level=error msg="no: token={SECRET} x" y', 'level=error msg="no: token=(hidden) x" y'),
        (f'msg="{{\\"auth\\":\\"{SECRET}\\"}}"', 'msg="{\\"auth\\":(hidden)}"'),
        (f"user= password={SECRET} x", "user= password=(hidden) x"),
        (f"url=/?a=b&token={SECRET}", "url=/?a=b&token=(hidden)"),
        ("url=https://auth.example/?a=b", "url=https://auth.example/?a=b"),
        ('msg="plain \\"x\\" \\n a=b"', 'msg="plain \\"x\\" \\n a=b"'),
        ("icc: absent -> false", "icc: absent -> false"),
        ("https://registry:5000/v2/", "https://registry:5000/v2/"),
        ("the key 'http-proxy' stands twice", "the key 'http-proxy' stands twice"),
        ("userland-proxy=false", "userland-proxy=false"),
    ],
)
def test_free_text_is_told_without_secrets(said: str, told: str) -> None:
    assert redaction.redact_text(said) == told
    assert redaction.redact_texts({"a": [said, 1, None]}) == {"a": [told, 1, None]}


PEM = "-----BEGIN CERTIFICATE-----\nMIIB\nAuThQ==\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize(
    ("value", "holds"),
    [
        ("https://ops:pw@notary.example.org:4443", True),
        ({"server": ["tcp://u:p/w@h"]}, True),
        ("https://ghp_token@notary.example.org", True),
        ({"https://t0ken@registry.example.org": {"key": "/a"}}, True),
        ("https://logs.example.org/in?token=abc&x=1", True),
        ("udp://logs.example.org:12201 api_key = abc", True),
        ('{"auths": {"r": {"auth": "b3Bz"}}}', True),
        (PEM + "password=x", True),
        ({"key": "-----BEGIN PRIVATE KEY-----\nMII"}, True),
        (["x\n-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----"], True),
        ("-----BEGIN PUBLIC KEY-----", False),
        (PEM * 2, False),
        ('{"public":"%sAuTh=="}' % ("Q" * 60), False),
        ("https://notary.example.org:4443", False),
        ("https://github.com/acme/app/.github/workflows/x.yml@refs/heads/main", False),
        ("x509.subject: C=US, O=Acme, CN=release", False),
        ("ops@example.org", False),
        ("registry:5000/name@sha256:00", False),
        (["10m", 5, None, True, {}], False),
    ],
)
def test_an_input_is_no_place_for_a_secret(value: object, holds: bool) -> None:
    assert bool(redaction.secret_in(value)) is holds


@given(st.text(alphabet="aT:/@= \n\"'token-", max_size=30))
def test_what_would_be_hidden_is_no_input(text: str) -> None:
    assert bool(redaction.secret_in(text)) is (redaction.redact_text(text) != text)


@pytest.mark.parametrize("unit", ["-----BEGIN A", "a", "a/", "PRIVATE KEY", "a= "])
def test_an_input_of_a_megabyte_is_judged_in_time_by_its_length(unit: str) -> None:
    linear(lambda text: redaction.secret_in("-----BEGIN " + text), unit, 250_000)


# What is hidden of a URL; looked for by this alone it takes time by the square of a text's length.
SLOW = re.compile(r"(?<=://)(?:[^/\s]*:\S*|[^/\s]+)@")


PIECES = ("://", ":", "@", "/", "a", " ")


def test_every_user_of_a_url_is_hidden() -> None:
    texts = (
        "".join(one) for count in range(1, 7) for one in itertools.product(PIECES, repeat=count)
    )
    for text in texts:
        assert redaction.redact_text(text) == SLOW.sub(redaction.HIDDEN + "@", text)


@pytest.mark.parametrize("end", ["", "@", '"'])
@pytest.mark.parametrize(
    "unit",
    ["://", "a://a", ":@", "://:", "//:", "://u@/", "a=", 'a="', "a=\"b='", 'a="\\', 'k"  ', "k"],
)
def test_a_megabyte_takes_time_by_its_length(unit: str, end: str) -> None:
    linear(lambda text: redaction.redact_text(text + end), unit, 250_000)


def test_a_key_of_a_megabyte_is_told_in_bounded_time() -> None:
    """It is named where it is refused; tried from each of its letters on, that took hours."""
    said = 'unknown key "%s"' % ("k" * 1_000_000)
    assert redaction.redact_text(said) == said
    assert redaction.redact_text(said + " token=x").endswith("token=" + redaction.HIDDEN)
