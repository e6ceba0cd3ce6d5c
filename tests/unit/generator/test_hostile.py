"""Hostile files: only documented errors, no write elsewhere, every text arrives as text."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fuzz.targets import REPOSITORY, TARGETS, check, examples
from generator import wording
from generator.commands.load import load
from generator.content import Content
from generator.errors import HardhostError, InvalidContent, printable
from generator.render import render
from generator.resolve import resolve

TEMPLATES = ["{{ lookup('pipe', 'id') }}", "{% raise %}", "{# x", "<< 7*6 >>", "<% x %>", "{{"]
SHELL = ["$(id)", "`id`", "; id #", "' || id", '" && id "', "\\", "%s %n", "../../etc/passwd"]
YAML = ["!!python/object/apply:os.system [id]", "!unsafe x", "&a *a", "- a: [", ": ", "---", "<<"]
MARKDOWN = ["# x", "- x", "1. x", "```", "| a | b |", "<img src=x>", "![x](y)", "[x](javascript:y)"]
HOSTILE = st.sampled_from(TEMPLATES + SHELL + YAML + MARKDOWN)
# Everything that a quoted text of a profile may hold: what moves a terminal is refused before.
PLAIN = st.characters(codec="utf-8", exclude_categories=["Cc", "Cf", "Cs", "Zl", "Zp"])
TEXT = st.lists(HOSTILE | st.text(PLAIN, max_size=8) | st.just("\n"), min_size=1, max_size=5).map(
    "".join
)
WORDED = TEXT.filter(str.strip)


def quoted(value: Any) -> str:
    """As a profile's author may write any text: JSON is YAML."""
    return json.dumps(value, ensure_ascii=False)


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_every_example_is_read_or_refused(name: str) -> None:
    """The corpus of `make fuzz`, with the files that once did harm."""
    for data in [*examples(name), b"", b"x", b"[1]", b"1.5", b"{}", b"\xff", b"a: [b]\n"]:
        TARGETS[name](data)


@pytest.mark.parametrize("name", sorted(TARGETS))
@settings(max_examples=60)
@given(data=st.data())
def test_a_damaged_example_is_read_or_refused(name: str, data: st.DataObject) -> None:
    """Pieces of real files, cut, repeated and mixed with what is hostile."""
    whole = [*examples(name), b"a: 1\n"]
    pieces = []
    for _ in range(data.draw(st.integers(1, 4))):
        source = data.draw(st.sampled_from(whole))
        begin = data.draw(st.integers(0, len(source)))
        pieces.append(source[begin : data.draw(st.integers(begin, len(source)))])
        pieces.append(data.draw(HOSTILE.map(str.encode) | st.binary(max_size=6)))
    TARGETS[name](b"".join(pieces))


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
KEYS = ["title", "description", "extends", "group", "controls", "report", "inputs", "except"]


@settings(max_examples=150)
@given(
    profile=st.dictionaries(st.sampled_from(KEYS) | TEXT, VALUES, max_size=5),
    target=st.sampled_from(["profile", "control", "arguments", "role", "environments", "defaults"]),
)
def test_any_values_in_any_key_are_read_or_refused(profile: dict[str, Any], target: str) -> None:
    TARGETS[target](json.dumps(profile, ensure_ascii=False, allow_nan=True).encode())


@settings(max_examples=60)
@given(value=st.recursive(st.none() | st.integers() | TEXT, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8))  # fmt: skip
@pytest.mark.parametrize("name", ["state", "plan", "daemon_json"])
def test_any_json_as_state_or_plan_is_read_or_refused(name: str, value: Any) -> None:
    TARGETS[name](json.dumps(value).encode())


@settings(max_examples=60)
@given(title=WORDED, description=WORDED, reason=WORDED, owner=WORDED, given=TEXT)
def test_every_text_of_a_profile_arrives_as_text(
    tmp_path_factory: pytest.TempPathFactory,
    title: str,
    description: str,
    reason: str,
    owner: str,
    given: str,
) -> None:
    assume("://" not in given)  # an address with a password is refused
    root = REPOSITORY / "tests/unit/generator/content"
    profiles = tmp_path_factory.getbasetemp() / "texts"
    profiles.mkdir(exist_ok=True)
    waiver = {"reason": reason, "owner": owner, "expires": "2099-01-01"}
    (profiles / "texts.yml").write_text(
        f"title: {quoted(title)}\ndescription: {quoted(description)}\nextends: production\n"
        f"inputs: {{docker_daemon_log_max_size: {quoted(given)}}}\n"
        f"except: {{docker_daemon/icc: {quoted(waiver)}}}\n"
    )
    content = Content((root / "roles",), (root / "profiles", profiles), root)
    library = load(content)
    check(library, library.profiles["texts"], None)
    plan = resolve(library.catalog, library.profiles["texts"])
    files = render(plan, library.catalog, library.content)
    stored = json.loads(files["plan.json"])
    waived = next(one["waiver"] for one in stored["controls"] if one["id"] == "docker_daemon/icc")
    assert [stored["title"], stored["inputs"]["docker_daemon_log_max_size"]["value"]] == [
        title,
        given,
    ]
    assert waived == waiver
    for name in ("site.yml", "preflight.yml", "rollback.yml", "ansible.cfg", "requirements.txt"):
        assert b"lookup" not in files[name]
        assert b"(id)" not in files[name]


@given(text=TEXT)
def test_prose_begins_no_block_and_holds_no_markup(text: str) -> None:
    worded = wording.prose(text)
    assert "\n" not in worded
    assert not worded.startswith(("#", ">", "|", "=", "+ ", "- ", "* ", "```"))
    without_code = wording._CODE.sub("", worded)
    assert "<img" not in without_code.replace("\\<img", "")
    assert "](" not in without_code.replace("\\](", "")


@given(text=st.text())
def test_a_terminal_gets_nothing_but_text(text: str) -> None:
    shown = printable(text)
    kinds = {unicodedata.category(letter) for letter in set(shown) - {"\n", "\t"}}
    assert not kinds & {"Cc", "Cs"}
    assert not set(shown) & set("\u202e\u2066\u2028")
    shown.encode()


# -- bounds ----------------------------------------------------------------------------------------

LARGE = 999_000  # just below what is accepted


def large_files() -> Iterator[tuple[str, bytes]]:
    yield "one_line", b"title: " + b"x" * LARGE
    yield "keys", b"".join(b"k%d: 1\n" % number for number in range(80_000))
    yield "braces", b"a: " + b"{a: " * 200_000
    yield "brackets", b"a: " + b"[" * LARGE
    yield "dashes", b"- " * (LARGE // 2)
    yield "quotes", b'a: "' + b"\\n" * (LARGE // 2)
    yield "anchors", b"".join(b"a%d: &a%d x\n" % (number, number) for number in range(60_000))
    yield "controls", b"title: x\ncontrols: {docker_daemon: [" + b"icc, " * 190_000 + b"icc]}\n"
    yield (
        "unknown",
        b"title: x\ncontrols: {docker_daemon: [" + b"nobody_knows, " * 60_000 + b"x]}\n",
    )
    yield "doubtful", b"title: x\ninputs: {a: [" + b"on, " * 200_000 + b"on]}\n"
    yield "numbers", b"title: x\ninputs: {a: " + b"9" * LARGE + b"}\n"
    yield "questions", b"? " * (LARGE // 2)


MEASURED = """
import resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
resource.setrlimit(resource.RLIMIT_CPU, (40, 40))
from fuzz.targets import TARGETS
TARGETS["profile"](Path(sys.argv[1]).read_bytes())
"""


@pytest.mark.parametrize(("name", "data"), [pytest.param(*one, id=one[0]) for one in large_files()])
def test_the_largest_files_take_bounded_time_and_memory(
    tmp_path: Path, name: str, data: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(data[:LARGE])
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, path],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    seconds = time.monotonic() - begun
    assert done.returncode == 0, done.stderr[-2000:]
    assert seconds < 45
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 2_000_000


# -- files of users that are no YAML ---------------------------------------------------------------


@pytest.mark.parametrize("text", ["PRECONDITIONS = {", "\0", "(" * 5000, "-" * 200_000 + "1"])
def test_a_surface_that_is_no_python_is_a_problem_of_that_file(
    root: Path, content: Content, text: str
) -> None:
    surface = root / "roles/docker_daemon/module_utils/hardhost_surface_docker_daemon.py"
    surface.parent.mkdir()
    surface.write_text(text)
    control = root / "roles/docker_daemon/controls/icc.yml"
    control.write_text(
        f"{yaml.safe_dump({**yaml.safe_load(control.read_text()), 'preconditions': ['x']})}"
    )
    with pytest.raises(HardhostError, match="not valid Python"):
        load(content)


# -- the command line ------------------------------------------------------------------------------


def hardhost(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "generator", *map(str, words)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        errors="surrogateescape",
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    "name", [b"\x1b[2J.yml", b"\xff\xfe.yml", b"a\nb.yml", "\u202eiml.yml".encode()]
)
def test_a_file_name_cannot_move_the_terminal(tmp_path: Path, name: bytes) -> None:
    (tmp_path / "profiles").mkdir()
    Path(os.fsdecode(os.fsencode(tmp_path / "profiles") + b"/" + name)).write_text("title: x\n")
    done = hardhost("validate", "--profiles", "profiles", cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    assert "not the name of a profile" in done.stderr
    assert not set(done.stderr) & set("\x1b\u202e\udcff")


def test_a_tag_cannot_move_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles/a.yml").write_text("title: !<tag:%1B[2J> x\n")
    done = hardhost("validate", "--profiles", "profiles", cwd=tmp_path)
    assert done.returncode == 3
    assert "\\x1b[2J" in done.stderr
    assert "\x1b" not in done.stderr


def test_a_plan_of_somebody_else_cannot_move_the_terminal(tmp_path: Path) -> None:
    assert hardhost("render", "production", "-o", "theirs", cwd=tmp_path).returncode == 0
    path = tmp_path / "theirs/plan.json"
    path.write_text(path.read_text().replace('"group": "production"', '"group": "\\u009b2Jx"'))
    done = hardhost("diff", "./theirs", "production", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert "\\x9b2Jx" in done.stdout
    assert "\x9b" not in done.stdout


@pytest.mark.parametrize(
    "value",
    [
        "https://u:pw@server:4443",
        "tcp://me:pa/ss@h",
        "https://t0ken@server",
        "https://server/?token=x",
        "-----BEGIN EC PRIVATE KEY-----",
    ],
)
def test_a_secret_is_no_input(root: Path, content: Content, value: str) -> None:
    path = root / "profiles/baseline.yml"
    path.write_text(path.read_text() + f"inputs: {{docker_daemon_log_max_size: '{value}'}}\n")
    with pytest.raises(InvalidContent, match=r"baseline\.yml:\d+: .*holds a p(assword|rivate key)"):
        load(content)


def test_a_secret_deep_in_an_input_is_found(tmp_path: Path) -> None:
    key = "{x: {certificate: [a], key: '-----BEGIN PRIVATE KEY-----'}}"
    profile = f"title: x\ninputs: {{image_trust_registry_certificates: {key}}}\n"
    (tmp_path / "mine.yml").write_text(
        f"{profile}controls: {{image_trust: [registry_certificates]}}\n"
    )
    done = hardhost("render", "mine", "--profiles", ".", "-o", "out", cwd=tmp_path)
    assert "mine.yml:2: " in done.stderr
    assert "holds a private key" in done.stderr
    assert done.returncode == 3
    assert not (tmp_path / "out").exists()


def test_a_directory_that_cannot_be_read_is_told(root: Path, content: Content) -> None:
    (root / "roles/docker_daemon/controls/icc.yml").unlink()
    (root / "roles/docker_daemon/controls/icc.yml").mkdir()
    (root / "roles/docker_daemon/tasks/main.yml").unlink()
    with pytest.raises(InvalidContent, match=r"icc\.yml: not a regular file"):
        load(content)
