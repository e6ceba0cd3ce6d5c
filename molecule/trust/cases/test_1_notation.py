"""Signatures of Notation: the same policy, the same refusals, by the program itself; a rotation from cosign to it."""

from __future__ import annotations

from tests.hosts.trust_lab import REGISTRY, said

CONTROL = "image_trust/image_signatures"


def test_what_is_signed_is_pulled_and_what_runs_is_verified(trust):
    trust.give(image_trust_images=lambda lab: [lab.image("noted/old")])
    trust.project.play().assert_converged(*trust.hosts)
    trust.project.play().assert_unchanged(*trust.hosts)
    for lab in trust.labs:
        assert lab.has(lab.image("noted/old"))
        lab.host.sh(f"docker run -d --name noted {lab.image('noted/old')}")
    report = trust.project.verify()
    for lab in trust.labs:
        assert report.statuses(lab.host.name)[CONTROL] == "pass", report.text
        assert "2 of 2" in report.reasons(lab.host.name)[CONTROL]


REFUSED = {
    "noted/unsigned": "it is not signed",
    "noted/stranger": "the certificate of its signature is not of these authorities",
    "noted/moved": "its signature is for another content",
    "noted/expired": "its signature has expired",
}
# A policy of root's own that trusts everything: the verifier is told another one.
LAX = """mkdir -p /root/.config/notation
printf '{"version": "1.0", "trustPolicies": [{"name": "all", "registryScopes": ["*"],
"signatureVerification": {"level": "skip"}}]}' > /root/.config/notation/trustpolicy.json
chmod 600 /root/.config/notation/trustpolicy.json"""

# The shortest that Notation knows is a minute; what was signed is older than this file.
UNTIL_EXPIRED = """n=0
while [ $(($(date +%s) - $(stat -c %Y /srv/trust/digests))) -le 60 ]; do
    n=$((n + 1)); [ $n -lt 70 ]; sleep 1
done"""


def test_what_is_not_signed_by_these_is_refused_whatever_root_s_own_policy_says(trust):
    trust.give(image_trust_images=lambda lab: [lab.image(name) for name in REFUSED])
    for lab in trust.labs:
        lab.host.sh(LAX)
        lax = f"SSL_CERT_FILE=/srv/trust/ca.crt /opt/notation verify {lab.image('noted/unsigned')}"
        assert lab.says(f"HOME=/root {lax}")[0] == 0, "root's own policy is in force for root"
        lab.host.sh(UNTIL_EXPIRED)
    run = trust.project.play()
    run.assert_failed(*trust.hosts, saying="nothing was pulled")
    for lab in trust.labs:
        for name, reason in REFUSED.items():
            assert f"{lab.image(name)}: {reason}" in said(run), run.text
            assert not lab.has(lab.image(name))
        lab.host.sh("rm -r /root/.config/notation")


def test_another_identity_and_another_authority_are_refused(trust):
    for lab in trust.labs:
        lab.host.sh("rm -f /run/hardhost/signatures.json; docker rm -f noted")
        lab.run(f"docker rmi {lab.image('noted/old')}")
    for key, saying in (
        ({"name": "somebody"}, "is for another identity"),
        ({"authority": "theirs"}, "is not of these authorities"),
    ):
        trust.give(
            image_trust_keys=lambda lab, key=key: {"noted": lab.noted_key(**key)},
            image_trust_policy={"*": {"action": "require", "keys": ["noted"]}},
            image_trust_images=lambda lab: [lab.image("noted/old")],
        )
        trust.project.play().assert_failed(*trust.hosts, saying=saying)


def test_one_policy_takes_both_while_one_follows_the_other(trust):
    """Old images by cosign, new ones by Notation, until the last old one is gone."""
    both = {REGISTRY: {"action": "require", "keys": ["noted", "old"]}}
    names = ("old", "noted/old")
    trust.give(
        image_trust_policy=both, image_trust_images=lambda lab: [lab.image(one) for one in names]
    )
    trust.project.play().assert_converged(*trust.hosts)
    assert all(lab.has(lab.image(name)) for lab in trust.labs for name in names)
    noted = {REGISTRY: {"action": "require", "keys": ["noted"]}}
    trust.give(
        image_trust_policy=noted, image_trust_images=lambda lab: [lab.image(one) for one in names]
    )
    report = trust.project.verify()
    for lab in trust.labs:
        assert report.statuses(lab.host.name)[CONTROL] == "fail"
        reason = report.reasons(lab.host.name)[CONTROL]
        assert f"{lab.image('old')}: it is not signed" in reason
        assert lab.image("noted/old") not in reason


def test_without_the_program_the_control_is_held_back_and_says_how_to_get_it(trust):
    trust.give(image_trust_notation={})
    trust.project.play("preflight").assert_converged(*trust.hosts)
    for host in trust.hosts:
        found = trust.project.decision(host.name, CONTROL)
        assert found["decision"] == "pending"
        assert "there is no notation at /usr/bin/notation" in found["reason"]
        assert "image_trust_notation" in found["remedy"]
        assert "image_trust_cosign" not in found["remedy"]
    for lab in trust.labs:
        lab.run(f"docker rmi {lab.image('old')} {lab.image('noted/old')}")
    trust.project.play("rollback").assert_converged(*trust.hosts)
    trust.give()
