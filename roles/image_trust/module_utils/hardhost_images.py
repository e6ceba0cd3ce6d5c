"""Image references as Docker reads them, and rules that name registries, paths in them or repositories. Pure.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import re

HUB = "docker.io"
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
BY_DIGEST = re.compile(r"[a-z0-9][A-Za-z0-9._:/-]*@sha256:[0-9a-f]{64}")
# A registry is told from a path by its dot, its port, or its being localhost, as in a reference.
RULE = re.compile(
    r"(?:localhost|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+|[A-Za-z0-9-]+(?=:))(?::\d{1,5})?"
    r"(?:/[a-z0-9][a-z0-9._-]*)*|\*"
)
REST = "*"
NAMELESS = {"repository": "", "tag": "", "digest": ""}


def parse(reference):
    """`{repository, tag, digest}`; the repository with its registry, "" where the text is an image's id alone."""
    name, _at, digest = reference.partition("@")
    if DIGEST.fullmatch(name):
        return dict(NAMELESS)
    path, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        path, tag = name, ""
    return {"repository": full(path), "tag": tag or ("" if digest else "latest"), "digest": digest}


def full(name):
    """A repository's name with its registry: `redis` is `docker.io/library/redis`."""
    first, slash, rest = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        registry, path = first.lower(), rest
    else:
        registry, path = HUB, name
    if registry in ("index.docker.io", "registry-1.docker.io"):
        registry = HUB
    return "%s/%s" % (registry, path if registry != HUB or "/" in path else "library/" + path)


def registry(repository):
    """The registry of a full repository name."""
    return repository.partition("/")[0]


def covering(repository, rules):
    """The most specific of the rules that covers a repository; None where none does."""
    found = [
        rule
        for rule in rules
        if rule == REST or (repository + "/").startswith(rule.lower().rstrip("/") + "/")
    ]
    return max(found, key=lambda rule: -1 if rule == REST else len(rule), default=None)


def of_container(reference, image):
    """What is known of where a container's image comes from: `{named, tag, digest, digests, repositories}`.

    `image` is what the engine says of it. `digests` are those under which it came from a registry: an image that was
    built or loaded here has none.
    """
    named = NAMELESS if _identifies(reference, image) else parse(reference)
    pulled = [parse(one) for one in image.get("RepoDigests") or []]
    tagged = [parse(one) for one in image.get("RepoTags") or [] if one != "<none>:<none>"]
    pulled_from = sorted({one["repository"] for one in pulled})
    if not named["repository"]:
        repositories = sorted({one["repository"] for one in pulled + tagged})
    elif not pulled or named["repository"] in pulled_from:
        repositories = [named["repository"]]
    else:  # another name was given to it here: the rule for where it came from counts as well
        repositories = sorted({named["repository"], *pulled_from})
    return {
        "named": named["repository"],
        "tag": named["tag"],
        "digest": named["digest"],
        "digests": sorted({one["digest"] for one in pulled}),
        "repositories": repositories,
        "pulled_from": pulled_from,
    }


def _identifies(reference, image):
    """Whether a reference is the first digits of the image's id, and no name that the image has."""
    found = re.fullmatch(r"(?:sha256:)?([0-9a-f]+)", reference)
    names = [one.partition(":")[0] for one in image.get("RepoTags") or []]
    return (
        bool(found)
        and reference not in names
        and str(image.get("Id", "")).startswith("sha256:" + found.group(1))
    )
