"""Sources as the files name them, and those that nobody has to sign."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible.module_utils import hardhost_sources as sources

LINES = """# a comment
deb http://deb.debian.org/debian bookworm main
deb [arch=amd64 trusted=yes] http://hurry.example/ ./  # soon
# deb [trusted=yes] http://off.example/ ./
deb-src [signed-by=/k.asc] http://deb.debian.org/debian bookworm main
"""
STANZAS = """Types: deb
URIs: http://deb.debian.org/debian
Suites: trixie
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://hurry.example/
Suites: ./
Trusted: yes

Enabled: no
Types: deb
URIs: http://off.example/
Trusted: yes
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list").write_text(LINES)
    (tmp_path / "sources.list.d/a.sources").write_text(STANZAS)
    (tmp_path / "sources.list.d/readme.txt").write_text("deb http://nothing.example/ x main\n")
    return tmp_path


def test_sources_that_are_switched_on(root: Path) -> None:
    found = [one["words"] for one in sources.listed(str(root))]
    assert found == [
        "http://deb.debian.org/debian bookworm main",
        "http://hurry.example/ ./",
        "http://deb.debian.org/debian bookworm main",
        "http://deb.debian.org/debian trixie",
        "http://hurry.example/ ./",
    ]


def test_sources_that_nobody_has_to_sign(root: Path) -> None:
    found = sources.unsigned(sources.listed(str(root)))
    assert [text.partition(": ")[0] for text in found] == [
        f"{root}/sources.list:3",
        f"{root}/sources.list.d/a.sources",
    ]


@pytest.mark.parametrize("value", ["true", "1", "yes"])
def test_a_configuration_that_takes_everything(value: str) -> None:
    text = f'Acquire "";\nAcquire::AllowInsecureRepositories "{value}";\n'
    assert "Acquire::AllowInsecureRepositories" in sources.unsigned([], text)[0]
    assert sources.unsigned([], text.replace(value, "0")) == []


def test_repositories_of_dnf(tmp_path: Path) -> None:
    (tmp_path / "a.repo").write_text(
        "[base]\nname=Base\ngpgcheck=1\n\n[hurry]\ngpgcheck = 0\n\n[off]\nenabled=0\ngpgcheck=0\n"
        "\n[quiet]\nname=Quiet\n"
    )
    found = sources.repositories(str(tmp_path))
    assert [one["words"] for one in found] == ["base", "hurry", "quiet"]
    assert [
        text.partition("[")[2] for text in sources.unchecked(found, "[main]\ngpgcheck=1\n")
    ] == ["hurry]: gpgcheck is off"]
    assert len(sources.unchecked(found)) == 2
