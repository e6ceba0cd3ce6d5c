"""cosign, Notation, Docker Content Trust: signed, unsigned, tampered with, by the wrong key."""

from __future__ import annotations

import pytest

from tests.hosts.trust_lab import PUBLISH, PUBLISHER, REGISTRY, said

SIGNATURES, SWITCH = "image_trust/image_signatures", "image_trust/content_trust"
LOGIN = "env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin sh -lc "
PULL = f"docker pull {REGISTRY}/dct:"


@pytest.fixture(scope="module")
def switched(trust):
    trust.give(
        image_trust_images=lambda lab: [lab.image(one) for one in ("old", "new", "noted/old")]
    )
    trust.project.play().assert_converged(*trust.hosts)
    return trust


def test_what_is_signed_is_pulled_and_in_force(switched):
    switched.project.play().assert_unchanged(*switched.hosts)
    report = switched.project.verify()
    for lab in switched.labs:
        assert lab.has(lab.image("old"))
        assert lab.has(lab.image("noted/old"))
        statuses = report.statuses(lab.host.name)
        assert (statuses[SIGNATURES], statuses[SWITCH]) == ("pass", "pass"), report.text
        code, text = lab.says(f"{LOGIN} '{PULL}signed'")
        assert code == 0, text
        assert lab.digests["old"] in text


REFUSED = {
    "unsigned": "it is not signed, or it is not there",
    "stranger": "none of its signatures is by these keys",
    "moved": "its signature is for another content",
    "noted/unsigned": "it is not signed",
    "noted/stranger": "the certificate of its signature is not of these authorities",
    "noted/moved": "its signature is for another content",
}


def test_what_is_not_signed_or_by_the_wrong_key_is_refused(switched):
    switched.give(image_trust_images=lambda lab: [lab.image(name) for name in REFUSED])
    run = switched.project.play()
    run.assert_failed(*switched.hosts, saying="nothing was pulled")
    for lab in switched.labs:
        for name, reason in REFUSED.items():
            assert f"{lab.image(name)}: {reason}" in said(run), run.text
            assert not lab.has(lab.image(name))
        code, text = lab.says(f"{LOGIN} '{PULL}unsigned'")
        assert code != 0
        assert "No valid trust data for unsigned" in text


def test_what_was_tampered_with_is_not_taken(switched):
    for name in ("damaged", "noted/damaged"):
        switched.give(image_trust_images=lambda lab, name=name: [lab.image(name)])
        switched.project.play().assert_failed(*switched.hosts, saying="could not be pulled")
    for lab in switched.labs:
        assert not lab.has(lab.image("damaged"))
        assert not lab.has(lab.image("noted/damaged"))
        code, text = lab.says(f"{LOGIN} '{PULL}damaged'")
        assert code != 0
        assert "filesystem layer verification failed" in text
        code, text = lab.says(f"{LOGIN} '{PULL}moved'")
        assert code == 0, text
        assert lab.digests["old"] in text, "the tag was moved: what was signed comes"


def test_another_root_key_than_the_pinned_one_is_refused(switched):
    """The server forgets everything; a stranger signs the same repository with a key of his own."""
    for lab in switched.labs:
        lab.host.sh(
            f"systemctl stop test-notary; sh /srv/trust/servers.sh; rm -r {PUBLISHER}/trust"
        )
        named = f"{REGISTRY}/dct:signed"
        lab.host.sh(f"docker pull -q {lab.image('new')} && docker tag {lab.image('new')} {named}")
        lab.host.sh(f"{PUBLISH} docker push {named} && docker rmi {named}")
        code, text = lab.says(f"{LOGIN} '{PULL}signed'")
        assert code != 0, text
        assert "root" in text


def test_rollback_takes_it_back_but_for_an_image_in_use(switched):
    for lab in switched.labs:
        lab.host.sh(f"docker run -d --name used {lab.image('new')}")
    run = switched.project.play("rollback")
    run.assert_converged(*switched.hosts)
    for lab in switched.labs:
        assert f"the image {lab.image('new')} stays: in use by used" in said(run), run.text
        assert lab.has(lab.image("new"))
        assert lab.host.out("docker inspect -f '{{.State.Running}}' used").strip() == "true"
        assert not lab.has(lab.image("noted/old"))
        assert not lab.has(lab.image("old"))
        assert lab.run("ls /etc/profile.d/zz-hardhost-content-trust.sh").returncode != 0
        assert lab.says(f"{LOGIN} '{PULL}unsigned'")[0] == 0
