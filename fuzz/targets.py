"""What a hostile file may reach: each target takes its bytes, and raises where a promise breaks.

`Broken` says that a promise does not hold: the property tests and the fuzzer call the same code.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import ansible.module_utils
import yaml

from generator.commands.load import Library, load
from generator.commands.verify import plan_of
from generator.content import Content
from generator.environments import load_environments
from generator.errors import HardhostError
from generator.journal import JOURNAL, UNFINISHED
from generator.model import Environment, Plan, Profile
from generator.render import render
from generator.resolve import resolve
from generator.write import prepare

REPOSITORY = Path(__file__).resolve().parents[1]
CONTENT = REPOSITORY / "tests/unit/generator/content"
PLAYBOOKS = {"site.yml": 2, "preflight.yml": 1, "rollback.yml": 2}
PLAY_KEYS = {"name", "hosts", "gather_facts", "become", "tags", "roles", "serial"} | {
    "any_errors_fatal",
    "pre_tasks",
    "post_tasks",
    "vars",
}

ansible.module_utils.__path__.append(str(REPOSITORY / "roles/preflight/module_utils"))


class Broken(Exception):
    """A file got further than it may."""


class _Loader(yaml.SafeLoader):
    """Ansible's view of a defaults file: `!unsafe` is text that no template ever sees."""


_Loader.add_constructor("!unsafe", lambda loader, node: loader.construct_scalar(node))


@cache
def tree() -> Path:
    """A copy of the small content tree, one per process."""
    root = Path(tempfile.mkdtemp(prefix="hardhost-hostile-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    return Path(shutil.copytree(CONTENT, root / "content"))


def in_content(place: str) -> Callable[[bytes], None]:
    """A target: the content tree with these bytes as one of its files, compiled as a whole."""

    def target(data: bytes) -> None:
        root = tree()
        path = root / place
        before = path.read_bytes() if path.exists() else None
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            path.write_bytes(data)
            compile_all(root)
        except HardhostError:
            pass
        finally:
            if before is None:
                path.unlink()
            else:
                path.write_bytes(before)

    return target


def compile_all(root: Path) -> None:
    library = load(Content((root / "roles",), (root / "profiles",), root))
    for profile in library.profiles.values():
        check(library, profile, None)


def environments(data: bytes) -> None:
    root = tree()
    library = load(Content((root / "roles",), (root / "profiles",), root))
    path = root / "environments.yml"
    path.write_bytes(data)
    try:
        found = load_environments(path, library.catalog, library.profiles)
        for one in found.values():
            check(library, library.profiles[one.profile], one)
    except HardhostError:
        pass


def check(library: Library, profile: Profile, environment: Environment | None) -> None:
    """What was accepted compiles to a project that says the same, and no more."""
    plan = resolve(library.catalog, profile, environment)
    files = render(plan, library.catalog, library.content)
    _paths(files)
    for name, plays in PLAYBOOKS.items():
        _playbook(name, yaml.safe_load(files[name]), plays, plan)
    _inputs(files, plan)
    if Plan.model_validate_json(files["plan.json"]) != plan:
        raise Broken("plan.json is not the plan")
    _page(files["CONTROLS.md"].decode(), plan)


def _paths(files: Mapping[str, bytes]) -> None:
    for name in files:
        if name.startswith("/") or ".." in name.split("/") or "\n" in name:
            raise Broken(f"a file outside of the project: {name!r}")


def _playbook(name: str, content: Any, plays: int, plan: Plan) -> None:
    if len(content) != plays:
        raise Broken(f"{name} has {len(content)} plays")
    for play in content:
        if play["hosts"] != plan.group or play.keys() - PLAY_KEYS:
            raise Broken(f"{name}: a play for {play['hosts']!r} with {sorted(play)}")


def _inputs(files: Mapping[str, bytes], plan: Plan) -> None:
    """The inputs stand in the roles' defaults as they do in the plan; templates as inert text."""
    for name, one in plan.inputs.items():
        path = f"roles/{one.role}/defaults/main.yml"
        if path not in files:
            continue
        if not one.source.startswith("roles/") and _variable(files[path], name) != one.value:
            raise Broken(f"{path}: {name} is not {one.value!r}, as the plan says")


def _variable(content: bytes, name: str) -> Any:
    """One variable; its neighbours may be dates that do not exist, which is their role's matter."""
    loader = _Loader(content)
    values = [value for key, value in loader.get_single_node().value if key.value == name]
    return loader.construct_object(values[-1], deep=True) if values else None


def _page(text: str, plan: Plan) -> None:
    """One heading for the page, one for the inputs, one for each control: no text makes another."""
    headings = [line for line in text.splitlines() if line.startswith("#")]
    if len(headings) != len(plan.controls) + 2:
        raise Broken(f"CONTROLS.md has the headings {headings}")


def manifest(data: bytes) -> None:
    """A directory whose manifest says anything: nothing outside of it is looked at or removed."""
    with tempfile.TemporaryDirectory(prefix="hardhost-hostile-") as name:
        outside, directory = Path(name, "outside"), Path(name, "project")
        directory.mkdir()
        outside.write_bytes(b"precious")
        (directory / "MANIFEST.sha256").write_bytes(data)
        (directory / UNFINISHED).mkdir()
        (directory / JOURNAL).write_bytes(data)
        try:
            change = prepare(directory, {"MANIFEST.sha256": b""}, force=True)
        except HardhostError:
            return
        for path in change.previous:
            if not (directory / path).absolute().is_relative_to(directory) or ".." in path:
                raise Broken(f"the manifest reaches {path!r}")


def plan(data: bytes) -> None:
    """A project whose plan says anything."""
    with tempfile.TemporaryDirectory(prefix="hardhost-hostile-") as name:
        Path(name, "plan.json").write_bytes(data)
        with contextlib.suppress(HardhostError):
            plan_of(Path(name), Path(name, "inventory"))


def state(data: bytes) -> None:
    """The memory on a host, which root alone can write, and a broken disk too."""
    from ansible.module_utils import hardhost_state  # noqa: PLC0415 - its path is set above

    with tempfile.TemporaryDirectory(prefix="hardhost-hostile-") as name:
        path = Path(name, "state.json")
        path.write_bytes(data)
        try:
            found = hardhost_state.load(name)
        except hardhost_state.StateError:
            found = None
        if path.read_bytes() != data:
            raise Broken("a state was changed by reading it")
        if found is not None and found.keys() < hardhost_state.empty().keys():
            raise Broken(f"a state without {hardhost_state.empty().keys() - found.keys()}")


def daemon_json(data: bytes) -> None:
    """The engine's file as anybody may have left it; what is understood is worded back the same."""
    from ansible.module_utils import hardhost_options as options  # noqa: PLC0415
    from ansible.module_utils import hardhost_redaction as redaction  # noqa: PLC0415

    try:
        found = options.parse(data)
    except options.OptionsError:
        return
    worded = options.word(found, data)
    if not options.same(options.parse(worded), found):
        raise Broken("worded and read again it says something else")
    json.dumps(redaction.redact(found))


MARKED = "m4rk3d"
SHORT = 16_000  # characters: enough to be measured
NOT_LINEAR = (
    10  # times as long for four times the text; the square of it takes sixteen times as long
)


def redaction(data: bytes) -> None:
    """Any log's words: no secret beside them is shown, and it takes time by their length."""
    from ansible.module_utils import hardhost_redaction  # noqa: PLC0415

    text = data.decode("utf-8", "replace")
    for secret in (f"token={MARKED}", f"https://user:{MARKED}@host"):
        for said in (f"{text} {secret}", f"{text} {secret} {text}"):
            if MARKED not in text and MARKED in hardhost_redaction.redact_text(said):
                raise Broken(f"{said!r} is told as {hardhost_redaction.redact_text(said)!r}")
    linear(hardhost_redaction.redact_text, text, SHORT)


def linear(function: Callable[[str], Any], unit: str, length: int) -> None:
    """Broken where a text of this unit, four times as long, takes far more than four times."""
    short = (unit * (length // max(len(unit), 1) + 1))[:length]
    for _ in range(3):  # once in time is enough: others use this machine too
        least, most = max(seconds(function, short), 0.005), seconds(function, short * 4)
        if most < NOT_LINEAR * least:
            return
    raise Broken(f"{length} characters take {least:.3f} s, four times as many {most:.3f} s")


def seconds(function: Callable[[str], Any], text: str) -> float:
    """What this process itself needs for it."""
    began = time.process_time()
    function(text)
    return time.process_time() - began


TARGETS: dict[str, Callable[[bytes], None]] = {
    "profile": in_content("profiles/hostile.yml"),
    "control": in_content("roles/docker_daemon/controls/icc.yml"),
    "arguments": in_content("roles/docker_daemon/meta/argument_specs.yml"),
    "defaults": in_content("roles/docker_daemon/defaults/main.yml"),
    "role": in_content("roles/docker_daemon/meta/hardhost.yml"),
    "surface": in_content("roles/docker_daemon/module_utils/hardhost_surface_docker_daemon.py"),
    "environments": environments,
    "manifest": manifest,
    "plan": plan,
    "state": state,
    "daemon_json": daemon_json,
    "redaction": redaction,
}

# Where the shipped and the tests' own content has examples to begin with.
SMALL = CONTENT.relative_to(REPOSITORY)
EXAMPLES: dict[str, tuple[str, ...]] = {
    "profile": ("profiles/*.yml", f"{SMALL}/profiles/*.yml"),
    "control": ("roles/docker_daemon/controls/*.yml",),
    "arguments": ("roles/*/meta/argument_specs.yml", f"{SMALL}/roles/*/meta/argument_specs.yml"),
    "defaults": ("roles/*/defaults/main.yml", f"{SMALL}/roles/*/defaults/main.yml"),
    "role": (f"{SMALL}/roles/*/meta/hardhost.yml",),
    "surface": ("roles/*/module_utils/hardhost_surface_*.py",),
    "environments": ("environments.example.yml",),
    "daemon_json": ("molecule/*/files/daemon.json",),
}


def examples(target: str) -> list[bytes]:
    """Files to begin with: real ones, and those that are kept because they once did harm."""
    paths = [path for pattern in EXAMPLES.get(target, ()) for path in REPOSITORY.glob(pattern)]
    paths += (REPOSITORY / "fuzz/corpus" / target).glob("*")
    return [path.read_bytes() for path in sorted(paths)]


if __name__ == "__main__":
    TARGETS[sys.argv[1]](Path(sys.argv[2]).read_bytes())
