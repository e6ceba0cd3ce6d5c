"""What lies, stalls, leads elsewhere or is called otherwise: nothing of it is believed, and nothing takes long."""

from __future__ import annotations

import time

import pytest

from tests.hosts.trust_lab import REGISTRY

CONTROL = "image_trust/image_signatures"
DIGESTS = "image_trust/image_digests"

# A registry that takes every connection and says nothing.
STALLING = "systemd-run -q --collect --unit test-stalling python3 -c '" + (
    'import socket, time; server = socket.create_server(("", 5009)); kept = []\n'
    "while True: kept.append(server.accept())'"
)


def test_a_registry_that_never_answers_costs_half_a_minute_and_is_named(trust):
    for lab in trust.labs:
        lab.host.sh(STALLING)
    stalling = "registry.test:5009"
    trust.give(image_trust_images=lambda lab: [
        lab.image(name).replace(REGISTRY, stalling) for name in ("old", "new", "signed")
    ])  # fmt: skip
    begun = time.monotonic()
    run = trust.project.play()
    run.assert_failed(*trust.hosts, saying="its registry does not answer: cosign was ended")
    assert time.monotonic() - begun < 120, "three images, one wait"
    for lab in trust.labs:
        lab.host.sh("systemctl stop test-stalling")


LIAR = "#!/bin/sh\\necho 'GitVersion: v9.9.9'\\nexit 0\\n"


def test_a_program_that_only_says_yes_has_verified_nothing(trust):
    for lab in trust.labs:
        lab.host.sh(f"printf '{LIAR}' > /opt/liar && chmod 755 /opt/liar")
    trust.give(
        image_trust_images=lambda lab: [lab.image("unsigned")],
        image_trust_cosign=lambda lab: {"path": "/opt/liar", "sha256": lab.sha256("/opt/liar")},
    )
    trust.project.play().assert_failed(*trust.hosts, saying="does not say what it has verified")
    for lab in trust.labs:
        assert not lab.has(lab.image("unsigned"))


def test_a_program_that_others_can_replace_is_not_asked(trust):
    for lab in trust.labs:
        lab.host.sh("mkdir -p /srv/open && cp /opt/liar /srv/open/ && chmod 777 /srv/open")
    trust.give(
        image_trust_cosign=lambda lab: {"path": "/srv/open/liar", "sha256": lab.sha256("/opt/liar")}
    )
    trust.project.play("preflight").assert_converged(*trust.hosts)
    for host in trust.hosts:
        found = trust.project.decision(host.name, CONTROL)
        assert found["decision"] == "pending"
        assert "/srv/open can be changed by others than root" in found["reason"]


STARTED = {
    "by the id": "docker run -d --name strange $(docker image inspect -f '{{{{.Id}}}}' {old})",
    "by its first digits": "docker run -d --name strange"
    " $(docker image inspect -f '{{{{.Id}}}}' {old} | cut -c8-19)",
    "in capitals": "docker run -d --name strange {old_in_capitals}",
}


@pytest.mark.parametrize("way", STARTED)
def test_a_signed_image_counts_however_it_is_called(trust, way):
    trust.give(image_trust_images=lambda lab: [lab.image("old")])
    trust.project.play().assert_converged(*trust.hosts)
    for lab in trust.labs:
        old, capitals = lab.image("old"), REGISTRY.replace("registry", "Registry")
        lab.host.sh(
            f"mkdir -p /etc/docker/certs.d/{capitals}; cp /srv/trust/ca.crt /etc/docker/certs.d/{capitals}/"
        )
        names = {"old": old, "old_in_capitals": old.replace(REGISTRY, capitals)}
        lab.host.sh(STARTED[way].format(**names))
    report = trust.project.verify()
    for lab in trust.labs:
        assert report.statuses(lab.host.name)[CONTROL] == "pass", report.text
        lab.host.sh(f"docker rm -f strange; rm -r /etc/docker/certs.d/{capitals}")


def test_a_name_under_a_path_that_is_not_asked_about_hides_nothing(trust):
    trust.give()
    for lab in trust.labs:
        named = f"{REGISTRY}/free/app:innocent"
        lab.host.sh(
            f"docker pull -q {lab.image('stranger')} && docker tag {lab.image('stranger')} {named}"
            f" && docker run -d --name strange {named}"
        )
    report = trust.project.verify()
    for lab in trust.labs:
        assert report.statuses(lab.host.name)[CONTROL] == "fail", report.text
        reason = report.reasons(lab.host.name)[CONTROL]
        assert "none of its signatures is by these keys" in reason
        lab.host.sh(f"docker rm -f strange; docker rmi {named} {lab.image('stranger')}")


def test_a_tag_that_was_moved_in_the_registry_is_told_from_one_that_was_not(trust):
    """What runs stays what it was; what would come with the next pull does not."""
    trust.give()
    rolling = f"{REGISTRY}/app:rolling"
    for lab in trust.labs:
        move(lab, rolling, "old")
        lab.host.sh(f"docker pull -q {rolling} && docker run -d --name rolling {rolling}")
    told(trust, "the tag still means what runs")
    for lab in trust.labs:
        move(lab, rolling, "new")
        assert lab.host.out("docker inspect -f '{{.Config.Image}}' rolling").strip() == rolling
    report = told(trust, "THE TAG NOW MEANS")
    for lab in trust.labs:
        runs, means = lab.digests["old"][:19], lab.digests["new"][:19]
        reason = report.reasons(lab.host.name)[DIGESTS]
        assert f"THE TAG NOW MEANS {means}, {runs} runs" in reason
        lab.host.sh("systemctl stop test-registry")
    told(trust, "its registry does not say")
    for lab in trust.labs:
        lab.host.sh(f"sh /srv/trust/servers.sh; docker rm -f rolling; docker rmi {rolling}")


def move(lab, name, version):
    """Somebody pushes an image under a tag, from another machine as it were: what is here keeps its names."""
    tag = name.rpartition(":")[2]
    lab.host.sh(f"python3 /srv/trust/tag.py app {lab.digests[version]} {tag}")


def told(trust, words):
    report = trust.project.verify()
    for host in trust.hosts:
        assert report.statuses(host.name)[DIGESTS] == "fail", report.text
        assert words in report.reasons(host.name)[DIGESTS], report.text
    return report
