"""The commands as a user meets them: exit codes, standard output and standard error."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[3]


def hardhost(*words: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command line of this checkout in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "generator", *map(str, words)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def data(*words: str | Path) -> Any:
    done = hardhost(*words, "--format", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def profiles(tmp_path: Path) -> Path:
    """A user's own directory of profiles."""
    directory = tmp_path / "profiles"
    directory.mkdir()
    return directory


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--help"], 0),
        (["--version"], 0),
        (["list", "profiles"], 0),
        (["validate"], 0),
        (["diff", "production", "production"], 0),
        (["diff", "baseline", "production"], 1),
        (["rendr"], 2),
        (["render", "production"], 2),
        (["render", "-o", "x"], 2),
        (["render", "production", "--environments", "/dev/null", "-o", "x"], 2),
        (["render", "prodction", "-o", "x"], 2),
        (["explain", "nothing_like_this"], 2),
        (["diff", "production", "nothing_like_this"], 2),
        (["list", "controls", "--role", "nothing_like_this"], 2),
        (["list", "controls", "--benchmark", "cis_9"], 2),
        (["list", "controls", "--severity", "severe"], 2),
        (["validate", "--profiles", "/nothing/like/this"], 2),
    ],
)
def test_exit_codes(tmp_path: Path, words: list[str], code: int) -> None:
    done = hardhost(*words, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_invalid_content_is_told_whole_and_nothing_is_written(
    profiles: Path, tmp_path: Path
) -> None:
    (profiles / "own.yml").write_text("title: off\ncontrols: {docker_daemon: [usern_remap]}\n")
    (profiles / "other.yml").write_text("titel: x\n")
    done = hardhost("render", "own", "--profiles", profiles, "-o", tmp_path / "out")
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        f"{profiles}/other.yml:1: key 'title' is missing",
        f"{profiles}/other.yml:1: unknown key 'titel' (did you mean 'title'?)",
        f"{profiles}/own.yml:1: 'title' is the unquoted off, which YAML reads as false; write false, "
        'or quote it: "off"',
        f"{profiles}/own.yml:2: unknown control 'docker_daemon/usern_remap' "
        "(did you mean 'docker_daemon/userns_remap'?)",
    ]
    assert not (tmp_path / "out").exists()


def test_a_mistake_on_the_command_line_gets_the_nearest_name() -> None:
    assert hardhost("explain", "usern_remap").stderr == (
        "unknown control or profile 'usern_remap' (did you mean 'userns_remap'?)\n"
    )


def test_our_own_mistakes_keep_their_traceback(tmp_path: Path) -> None:
    broken = Path(shutil.copytree(REPOSITORY / "generator", tmp_path / "generator"))
    (broken / "commands" / "validate.py").write_text("raise RuntimeError('our mistake')\n")
    done = subprocess.run(
        [sys.executable, "-m", "generator", "validate"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "our mistake" in done.stderr


def test_interrupting_exits_with_130(tmp_path: Path) -> None:
    fifo = tmp_path / "environments.yml"
    os.mkfifo(fifo)
    code = (
        "import signal, time, generator.commands.validate as module, generator.cli\n"
        # Where tests run in the background, the shell has it ignored.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "module.validate = lambda *_: (print('ready', flush=True), time.sleep(30))\n"
        "generator.cli.main()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, "validate"],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert errors.strip() == "interrupted"


def test_a_closed_pipe_is_no_error() -> None:
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{sys.executable} -m generator list controls --format json | head -1"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["list", "controls", "--format", "json"], 0),
        (["--help"], 0),
        (["completion", "bash"], 0),
        (["diff", "baseline", "production"], 1),
        (["explain", "nothing_like_this"], 2),
    ],
)
def test_a_reader_that_is_gone_does_not_change_the_exit_code(words: list[str], code: int) -> None:
    """A `verify` or `diff` whose reader has seen enough has found what it has found."""
    for stream in ("stdout", "stderr"):
        reading, writing = os.pipe()
        os.close(reading)
        done = subprocess.run(
            [sys.executable, "-m", "generator", *words],
            cwd=REPOSITORY,
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, stream: writing},
            check=False,
        )
        os.close(writing)
        assert done.returncode == code
        assert b"Traceback" not in (done.stderr or b"")


def test_what_is_written_to_nobody_keeps_no_command_from_its_end(tmp_path: Path) -> None:
    (tmp_path / "environments.yml").write_text(
        "one: {profile: baseline}\ntwo: {profile: baseline}\n"
    )
    given = f"--environments {tmp_path}/environments.yml -o {tmp_path}/out"
    line = f"{sys.executable} -m generator render {given} 2>&1 | true; exit ${{PIPESTATUS[0]}}"
    assert subprocess.run(["bash", "-c", line], cwd=REPOSITORY, check=False).returncode == 0
    assert (tmp_path / "out/two/MANIFEST.sha256").is_file()


@pytest.mark.parametrize(
    "words", [["list", "controls"], ["list", "profiles"], ["--help"], ["schema", "profile"]]
)
def test_a_full_disk_behind_standard_output_is_told(words: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "generator", *words],
            cwd=REPOSITORY,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.stderr == "standard output: No space left on device\n"
    assert done.returncode == 3


def test_streams_that_are_closed_are_no_error() -> None:
    line = f"{sys.executable} -m generator list profiles >&- 2>&-"
    assert subprocess.run(["bash", "-c", line], cwd=REPOSITORY, check=False).returncode == 0


@pytest.mark.parametrize(
    "words",
    [
        ["list", "profiles"],
        ["list", "controls"],
        ["list", "controls", "--profile", "production"],
        ["explain", "production"],
        ["explain", "docker_daemon/icc"],
        ["diff", "baseline", "production"],
    ],
)
def test_a_pipe_gets_plain_aligned_text(words: list[str]) -> None:
    output = hardhost(*words).stdout
    assert output
    assert not re.search("[\t\x1b]| $", output, re.MULTILINE)
    assert not any(sign in output for sign in "─│┃━")


def test_controls_are_filtered() -> None:
    def ids(*words: str) -> list[str]:
        return [control["id"] for control in data("list", "controls", *words)]

    everything = ids()
    assert "docker_daemon/icc" in everything
    assert set(ids("--role", "docker_files")) == {
        one for one in everything if one.startswith("docker_files/")
    }
    assert "docker_daemon/icc" not in ids("--profile", "baseline")
    assert {one["severity"] for one in data("list", "controls", "--severity", "high")} == {"high"}
    both = ids("--role", "docker_daemon", "--severity", "high")
    assert set(both) == set(ids("--role", "docker_daemon")) & set(ids("--severity", "high"))


def test_a_benchmark_is_listed_by_its_ids() -> None:
    def rows(*words: str) -> dict[str, dict[str, Any]]:
        return {row["id"]: row for row in data("list", "controls", "--benchmark", *words)}

    everything = rows("cis_docker_1.8.0")
    assert everything["2.2"]["controls"] == ["docker_daemon/icc"]
    assert everything["2.12"]["status"] == "obsolete"
    assert "devicemapper" in everything["2.12"]["reason"]
    assert list(rows("cis_docker_1.8.0:2.2")) == ["2.2"]
    assert set(rows("cis_docker_1.8.0:2")) < set(everything)
    narrowed = rows("cis_docker_1.8.0", "--role", "docker_files")
    assert list(narrowed)[:2] == ["3.1", "3.2"]
    assert all(row["status"] == "covered" for row in narrowed.values())


def test_the_mode_is_told_for_a_profile() -> None:
    modes = {one["id"]: one["mode"] for one in data("list", "controls", "--profile", "baseline")}
    assert modes["docker_daemon/no_plain_tcp"] == "report"
    assert modes["docker_daemon/live_restore"] == "apply"


def test_profiles_are_listed_with_what_they_hold() -> None:
    found = {one["name"]: one for one in data("list", "profiles")}
    assert found["production"]["extends"] == "baseline"
    assert "docker_daemon/icc" in found["production"]["apply"]


def test_explaining_a_control_tells_where_values_come_from() -> None:
    output = hardhost("explain", "userns_remap").stdout
    for word in (
        "Why",
        "Impact",
        "disruption",
        "engine",
        "cis_docker_1.8.0",
        "from:",
        "production",
    ):
        assert word in output
    explained = data("explain", "docker_daemon/userns_remap")
    assert explained["settings"] == {"docker_daemon_options": {"userns-remap": "default"}}
    assert explained["profiles"]["production"] == "apply"


def test_explaining_a_profile_tells_modes_inputs_and_exceptions(profiles: Path) -> None:
    (profiles / "own.yml").write_text(
        "title: Mine\nextends: production\nexcept:\n"
        "  docker_daemon/icc: {reason: legacy, owner: ops, expires: 2099-01-01}\n"
    )
    output = hardhost("explain", "own", "--profiles", profiles).stdout
    assert "extends  production < baseline" in output
    assert re.search(r"docker_daemon/icc +2099-01-01 +ops +legacy", output)
    assert re.search(r"docker_daemon_nofile_soft +int +65536 +roles/docker_daemon/defaults", output)


def test_diff_tells_controls_values_and_exceptions(profiles: Path) -> None:
    (profiles / "own.yml").write_text(
        "title: Mine\nextends: production\ninputs: {docker_daemon_nofile_soft: 7}\n"
        "report: {docker_daemon: [icc]}\nexcept:\n"
        "  docker_daemon/no_debug: {reason: legacy, owner: ops, expires: 2099-01-01}\n"
    )
    done = hardhost("diff", "production", "own", "--profiles", profiles)
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        '~ docker_daemon/icc: mode: "apply" -> "report"',
        '~ docker_daemon/no_debug: waiver: null -> {"reason": "legacy", "owner": "ops", '
        '"expires": "2099-01-01"}',
        "~ input docker_daemon_nofile_soft: value: 65536 -> 7",
        '~ project: group: "production" -> "own"',
    ]


def test_diff_with_a_rendered_project_finds_changed_files(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert hardhost("render", "baseline", "-o", out).returncode == 0
    assert hardhost("diff", "baseline", out).returncode == 0
    (out / "site.yml").write_text("mine\n")
    (out / "ansible.cfg").unlink()
    done = hardhost("diff", "baseline", out)
    assert (done.returncode, done.stdout) == (1, "- file ansible.cfg\n~ file site.yml\n")
    (out / "plan.json").write_text("{}")
    assert hardhost("diff", "baseline", out).returncode == 3


def test_rendering_environments_makes_a_project_each(tmp_path: Path) -> None:
    path = tmp_path / "environments.yml"
    path.write_text("web: {profile: production}\ndb: {profile: baseline, group: databases}\n")
    done = hardhost("render", "--environments", path, "-o", tmp_path / "out")
    assert (done.returncode, done.stdout) == (0, "")
    assert sorted(each.name for each in (tmp_path / "out").iterdir()) == ["db", "web"]
    assert "hosts: databases" in (tmp_path / "out/db/site.yml").read_text()


def test_one_project_that_cannot_be_written_keeps_all_from_being_written(tmp_path: Path) -> None:
    path = tmp_path / "environments.yml"
    path.write_text("a: {profile: baseline}\nb: {profile: baseline}\n")
    (tmp_path / "out/b").mkdir(parents=True)
    (tmp_path / "out/b/site.yml").write_text("mine\n")
    done = hardhost("render", "--environments", path, "-o", tmp_path / "out")
    assert done.returncode == 3
    assert not (tmp_path / "out/a").exists()


def test_force_is_needed_to_overwrite_what_was_modified(tmp_path: Path) -> None:
    out = tmp_path / "out"
    hardhost("render", "baseline", "-o", out)
    original = (out / "site.yml").read_bytes()
    (out / "site.yml").write_text("mine\n")
    refused = hardhost("render", "baseline", "-o", out)
    assert refused.returncode == 3
    assert "site.yml: modified by hand since it was rendered" in refused.stderr
    assert hardhost("render", "baseline", "-o", out, "--force").returncode == 0
    assert (out / "site.yml").read_bytes() == original


def test_an_expired_exception_stops_validate_and_warns_in_render(
    profiles: Path, tmp_path: Path
) -> None:
    (profiles / "own.yml").write_text(
        "title: Mine\nextends: production\nexcept:\n"
        "  docker_daemon/icc: {reason: legacy, owner: ops, expires: 2020-01-01}\n"
    )
    text = f"{profiles}/own.yml:4: the exception for 'docker_daemon/icc' expired on 2020-01-01"
    validated = hardhost("validate", "--profiles", profiles)
    assert validated.returncode == 3
    assert text in validated.stderr
    done = hardhost("render", "own", "--profiles", profiles, "-o", tmp_path / "out")
    assert done.returncode == 0
    assert f"warning: {text}" in done.stderr


def test_schemas_accept_the_shipped_files_and_refuse_others() -> None:
    for kind, pattern in (("profile", "profiles/*.yml"), ("control", "roles/*/controls/*.yml")):
        schema = json.loads(hardhost("schema", kind).stdout)
        jsonschema.Draft202012Validator.check_schema(schema)
        validator = jsonschema.Draft202012Validator(schema)
        files = list(REPOSITORY.glob(pattern))
        assert files
        for file in files:
            validator.validate(yaml.safe_load(file.read_text()))
        assert not validator.is_valid({"title": "x", "unknown": 1})


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell: str) -> None:
    done = hardhost("completion", shell)
    assert done.returncode == 0
    assert "_HARDHOST_COMPLETE" in done.stdout


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("hardhost explain docker_daemon/usern", "docker_daemon/userns_remap"),
        ("hardhost render prod", "production"),
        ("hardhost list controls --benchmark cis_docker_1.8", "cis_docker_1.8.0"),
        ("hardhost list controls --role docker_d", "docker_daemon"),
    ],
)
def test_names_are_completed(words: str, expected: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "generator"],
        cwd=REPOSITORY,
        env={
            **os.environ,
            "_HARDHOST_COMPLETE": "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split()) - 1),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines() == [f"plain,{expected}"], done.stderr


def test_help_needs_none_of_the_slow_libraries() -> None:
    code = (
        "import sys, generator.cli\n"
        "slow = {'pydantic', 'jinja2', 'yaml', 'rich', 'ansible'} & sys.modules.keys()\n"
        "sys.exit(' '.join(slow) or 0)\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=True)
