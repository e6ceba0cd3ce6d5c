"""References are read as Docker reads them, and the most specific rule counts."""

from __future__ import annotations

import pytest
from ansible.module_utils import hardhost_images as images

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("reference", "repository", "tag", "digest"),
    [
        ("redis", "docker.io/library/redis", "latest", ""),
        ("redis:7", "docker.io/library/redis", "7", ""),
        ("grafana/loki", "docker.io/grafana/loki", "latest", ""),
        ("index.docker.io/library/redis", "docker.io/library/redis", "latest", ""),
        ("localhost/app", "localhost/app", "latest", ""),
        ("registry.test:5000/app", "registry.test:5000/app", "latest", ""),
        ("registry.test:5000/team/app:1", "registry.test:5000/team/app", "1", ""),
        (f"registry.test/app@{DIGEST}", "registry.test/app", "", DIGEST),
        (f"registry.test/app:1@{DIGEST}", "registry.test/app", "1", DIGEST),
        (DIGEST, "", "", ""),
    ],
)
def test_references(reference: str, repository: str, tag: str, digest: str) -> None:
    assert images.parse(reference) == {"repository": repository, "tag": tag, "digest": digest}


RULES = ["*", "registry.test", "registry.test/team", "registry.test/team/app"]


@pytest.mark.parametrize(
    ("repository", "rule"),
    [
        ("registry.test/team/app", "registry.test/team/app"),
        ("registry.test/team/app/sub", "registry.test/team/app"),
        ("registry.test/team/application", "registry.test/team"),
        ("registry.test/teams/app", "registry.test"),
        ("registry.test:5000/team/app", "*"),
        ("registry.test.evil/team/app", "*"),
        ("docker.io/library/redis", "*"),
    ],
)
def test_the_most_specific_rule_covers(repository: str, rule: str) -> None:
    assert images.covering(repository, RULES) == rule


def test_no_rule_covers_what_nobody_named() -> None:
    assert images.covering("docker.io/library/redis", ["registry.test"]) is None


def test_a_container_counts_under_the_name_that_it_was_started_with() -> None:
    image = {"RepoDigests": [f"evil.test/app@{DIGEST}"], "RepoTags": ["registry.test/app:1"]}
    found = images.of_container("registry.test/app:1", image)
    assert found["repositories"] == ["registry.test/app"]
    assert found["digests"] == [DIGEST]
    assert found["pulled_from"] == ["evil.test/app"]


def test_a_container_started_by_an_id_counts_under_all_names_of_its_image() -> None:
    image = {"RepoDigests": [f"evil.test/app@{DIGEST}"], "RepoTags": ["registry.test/app:1"]}
    found = images.of_container("sha256:" + "b" * 64, image)
    assert found["repositories"] == ["evil.test/app", "registry.test/app"]
    assert found["tag"] == ""


def test_what_was_built_here_has_no_digest() -> None:
    found = images.of_container("app", {"RepoDigests": [], "RepoTags": ["app:latest"]})
    assert (found["digests"], found["pulled_from"]) == ([], [])
