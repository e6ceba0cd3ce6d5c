"""The recorded files on real engines: dockerd's own verdict, and what a run makes of them."""

from __future__ import annotations

import io
import json
import re
import tarfile

import ansible.module_utils
import pytest

from tests.hosts.container_host import Host
from tests.hosts.local import PROJECT
from tests.hosts.observation import observe
from tests.hosts.steps import LONG, Steps

ansible.module_utils.__path__ += [
    str(path) for path in sorted(PROJECT.glob("roles/*/module_utils"))
]

from tests.recorded.inputs import Recorded, recorded  # noqa: E402 - the path is set above
from tests.recorded.outcome import daemon_json, outcome  # noqa: E402

DAEMON_JSON = "/etc/docker/daemon.json"
ENGINES = {"debian12": "20.10.24", "debian13": "26.1.5"}
# Each is written, started with, converged and taken back, with a real restart every time.
APPLIED = (
    "shape: absent",
    "shape: byte order mark",
    "shape: CRLF line ends",
    "shape: emoji value",
    "shape: all on one line",
    "shape: template braces",
    "shape: blank after",
    "shape: escaped key",
    "size: 5 MB of blanks",
    "traps: icc on",
    "traps: journald",
    "traps: log-level debug",
    "traps: live-restore off",
    "traps: address pools",
    "traps: everything off",
    "owners: of another user and group",
    "owners: nobody may write to it",
)
STAT = f"stat -c '%u:%g %a %y' {DAEMON_JSON}"
VALIDATE = r"""
for file in /run/recorded/*; do
    dockerd --validate --config-file "$file" >/tmp/said 2>&1
    echo "$(basename "$file") $? $(head -c 300 /tmp/said | tr '\n' ' ')"
done
rm -rf /run/recorded
"""


def verdicts(host: Host, contents: dict[str, bytes]) -> dict[str, tuple[int, str]]:
    """What `dockerd --validate` says of each: exit code and words."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in contents.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    host.sh("mkdir -p /run/recorded && tar -C /run/recorded -x", stdin=buffer.getvalue())
    lines = host.out(VALIDATE, timeout=600).splitlines()
    said = {line.split()[0]: line.split(maxsplit=2)[1:] for line in lines}
    assert set(said) == set(contents)
    return {name: (int(words[0]), " ".join(words[1:])) for name, words in said.items()}


def test_dockerd_agrees(new: Steps) -> None:
    """What dockerd refuses is refused, and what is merged dockerd accepts."""
    engine = ENGINES[new.host.os]
    given, merged, names = {}, {}, {}
    for number, one in enumerate(recorded()):
        key, (found, written) = f"{number:04}", outcome(one.data, engine)
        names[key] = one.name
        refused = isinstance(found, dict) and "refused" in found
        if one.data and not refused and "userns" not in one.name:
            given[key] = one.data
        if not refused and written:
            merged[key] = daemon_json.without_user(written)
    assert len(merged) > 100
    wrong = {
        f"{what} {names[key]}": said
        for what, contents in (("given", given), ("merged", merged))
        for key, (code, said) in verdicts(new.host, contents).items()
        if code != 0
    }
    assert not wrong, "\n".join(f"{name}: {said}" for name, said in wrong.items())


def refused(every: bool, engine: str) -> list[Recorded]:
    """All that are refused, or a dozen from beginning to end."""
    found = [
        one
        for one in recorded()
        if isinstance(one.expect[engine], dict) and "refused" in one.expect[engine]
    ]
    assert len(found) >= 12
    return found if every else found[:: len(found) // 12]


@pytest.mark.parametrize("name", ["old", "new"])
def test_refused_is_left_alone(
    name: str, request: pytest.FixtureRequest, every_point: bool
) -> None:
    """No byte is touched, and the daemon that runs goes on."""
    steps: Steps = request.getfixturevalue(name)
    clean(steps)
    before = observe(steps.host)["process"]
    engine = ENGINES[steps.host.os]
    for one in refused(every_point, engine):
        assert one.data is not None
        steps.host.sh(f"cat > {DAEMON_JSON}", stdin=one.data)
        said = steps.read()["refused"]
        assert ours(one.expect[engine]["refused"]) in ours(said), (one.name, said)
        assert steps.host.sh(f"cat {DAEMON_JSON}").stdout == one.data, one.name
    assert observe(steps.host)["process"] == before


def ours(words: str) -> str:
    """Without what Python says of a file that is no JSON, and how many files this host allows."""
    before, no_json, _python = words.partition("not JSON")
    return no_json or re.sub(r"own limit \d+", "own limit", before)


@LONG
@pytest.mark.parametrize("name", ["old", "new"])
def test_applied_and_taken_back(name: str, request: pytest.FixtureRequest) -> None:
    """dockerd starts with the merged file, and the rollback brings back every byte."""
    steps: Steps = request.getfixturevalue(name)
    chosen = [known for known in recorded() if known.name in APPLIED]
    assert len(chosen) == len(APPLIED)
    engine = ENGINES[steps.host.os]
    for one in (one for one in chosen if "refused" not in one.expect[engine]):
        print(one.name, flush=True)
        clean(steps, one.data)
        described = describe(steps, one)
        steps.converge()
        assert json.loads(steps.host.out(f"cat {DAEMON_JSON}").lstrip("\ufeff"))["icc"] is False
        assert observe(steps.host)["daemon"]
        steps.roll_back()
        found = steps.host.sh(f"cat {DAEMON_JSON}", check=False)
        assert (found.stdout if found.returncode == 0 else None) == one.data, one.name
        assert steps.host.sh(STAT, check=False).stdout == described, one.name
    clean(steps)


def describe(steps: Steps, one: Recorded) -> bytes:
    """Give the file its owner and mode, where they are recorded; what there is to see of it."""
    if one.described:
        owner, mode = "{uid}:{gid}".format(**one.described), one.described["mode"]
        steps.host.sh(f"chown {owner} {DAEMON_JSON} && chmod {mode:o} {DAEMON_JSON}")
    return steps.host.sh(STAT, check=False).stdout


def clean(steps: Steps, content: bytes | None = None) -> None:
    """A daemon that was started with exactly this file, and no memory of earlier cases."""
    steps.host.sh(f"rm -rf /var/lib/hardhost {DAEMON_JSON} /run/dying.json")
    if content is not None:
        steps.host.sh(f"cat > {DAEMON_JSON}", stdin=content)
    steps.host.sh("systemctl reset-failed docker docker.socket; systemctl restart docker")
