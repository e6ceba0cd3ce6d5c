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
    image = {"RepoDigests": [f"registry.test/app@{DIGEST}", f"mirror.test/app@{DIGEST}"]}
    found = images.of_container("registry.test/app:1", image)
    assert found["repositories"] == ["registry.test/app"]
    assert found["digests"] == [DIGEST]
    assert found["pulled_from"] == ["mirror.test/app", "registry.test/app"]


def test_a_name_that_was_given_here_does_not_hide_where_an_image_came_from() -> None:
    image = {"RepoDigests": [f"evil.test/app@{DIGEST}"], "RepoTags": ["registry.test/app:1"]}
    found = images.of_container("registry.test/app:1", image)
    assert found["repositories"] == ["evil.test/app", "registry.test/app"]


@pytest.mark.parametrize("reference", ["beef", "beef" + "0" * 60, "sha256:beef00"])
def test_the_first_digits_of_an_id_are_no_name_of_a_repository(reference: str) -> None:
    image = {"Id": "sha256:beef" + "0" * 60, "RepoDigests": [f"evil.test/app@{DIGEST}"]}
    found = images.of_container(reference, image)
    assert (found["named"], found["tag"], found["repositories"]) == ("", "", ["evil.test/app"])
    assert images.of_container("cafe", image)["named"] == "docker.io/library/cafe"
    image["RepoTags"] = ["beef:latest"]
    assert images.of_container("beef", image)["named"] == "docker.io/library/beef"


def test_the_name_of_a_registry_is_the_same_in_capitals() -> None:
    assert images.parse("Registry.Test:5000/app:1")["repository"] == "registry.test:5000/app"
    assert images.covering("registry.test/app", ["Registry.TEST"]) == "Registry.TEST"


def test_a_container_started_by_an_id_counts_under_all_names_of_its_image() -> None:
    image = {"RepoDigests": [f"evil.test/app@{DIGEST}"], "RepoTags": ["registry.test/app:1"]}
    found = images.of_container("sha256:" + "b" * 64, image)
    assert found["repositories"] == ["evil.test/app", "registry.test/app"]
    assert found["tag"] == ""


def test_what_was_built_here_has_no_digest() -> None:
    found = images.of_container("app", {"RepoDigests": [], "RepoTags": ["app:latest"]})
    assert (found["digests"], found["pulled_from"]) == ([], [])
