"""image_signatures: what is signed is pulled by digest; everything else is refused and explained."""

from __future__ import annotations

from typing import Any

from tests.hosts.trust_lab import REGISTRY, said

CONTROL = "image_trust/image_signatures"


def test_without_keys_or_a_server_the_controls_wait_for_them(trust):
    empty: dict[str, Any] = {"image_trust_keys": {}, "image_trust_policy": {}}
    trust.give(**empty, image_trust_server="", image_trust_registry_certificates={},
               image_trust_registries=[])  # fmt: skip
    trust.project.play().assert_unchanged(*trust.hosts)
    report = trust.project.verify()
    for host in trust.hosts:
        statuses = report.statuses(host.name)
        assert {name for name, one in statuses.items() if one == "manual"} == {
            "image_trust/content_trust", "image_trust/image_signatures",
            "image_trust/registry_allow_list", "image_trust/registry_certificates",
        }  # fmt: skip
        assert set(statuses.values()) == {"manual", "pass"}, report.text


def test_what_is_signed_is_pulled_by_digest_and_a_second_run_changes_nothing(trust):
    trust.give(image_trust_images=lambda lab: [lab.image("old"), lab.image("new")])
    assert not any(lab.has(lab.image("old")) for lab in trust.labs)
    trust.project.play("site", "--check", "--diff").assert_converged(*trust.hosts)
    assert not any(lab.has(lab.image("old")) for lab in trust.labs)
    trust.project.play().assert_converged(*trust.hosts)
    for lab in trust.labs:
        assert lab.has(lab.image("old"))
        assert lab.has(lab.image("new"))
    trust.project.play().assert_unchanged(*trust.hosts)
    report = trust.project.verify()
    for host in trust.hosts:
        assert report.statuses(host.name)[CONTROL] == "pass", report.text


REFUSED = {
    "unsigned": "it is not signed, or it is not there",
    "stranger": "none of its signatures is by these keys",
    "moved": "its signature is for another content",
}


def test_what_is_not_signed_by_these_keys_is_refused_with_everything_else(trust):
    names = [*REFUSED, "free", "new"]
    for lab in trust.labs:
        lab.run(f"docker rmi {lab.image('new')}")
    trust.give(image_trust_images=lambda lab: [lab.image(name) for name in names])
    run = trust.project.play()
    run.assert_failed(*trust.hosts, saying="nothing was pulled")
    for lab in trust.labs:
        for name, reason in REFUSED.items():
            assert f"{lab.image(name)}: {reason}" in said(run)
            assert not lab.has(lab.image(name))
        refusal = said(run).rpartition("nothing was pulled")[2]
        assert lab.image("free") not in refusal
        assert not lab.has(lab.image("new")), "nothing is pulled where one is refused"


def test_certificates_of_your_authority_count_with_identity_and_until_they_expire(trust):
    def policy(lab):
        return {"*": {"action": "require", "keys": ["release", "other"]}}

    def keys(lab):
        known = lab.certificate_key()
        other = {**known, "identity": "other@example.org"}
        return {
            "release": known,
            "other": other,
            "unrelated": {**known, "roots": lab.file("ca.crt")},
        }

    trust.give(image_trust_keys=keys, image_trust_policy=policy,
               image_trust_images=lambda lab: [lab.image("certificate")])  # fmt: skip
    trust.project.play().assert_converged(*trust.hosts)
    assert all(lab.has(lab.image("certificate")) for lab in trust.labs)
    for lab in trust.labs:
        lab.run(f"docker rmi {lab.image('certificate')}")
    trust.give(image_trust_keys=keys, image_trust_policy=policy,
               image_trust_images=lambda lab: [lab.image("expired")])  # fmt: skip
    trust.project.play().assert_failed(
        *trust.hosts, saying="the certificate of its signature has expired"
    )
    for name, saying in (("other", "is for another identity"),
                         ("unrelated", "is not of these authorities")):  # fmt: skip
        trust.give(
            image_trust_keys=keys,
            image_trust_policy={"*": {"action": "require", "keys": [name]}},
            image_trust_images=lambda lab: [lab.image("certificate")],
        )
        trust.project.play().assert_failed(*trust.hosts, saying=saying)


def test_the_most_specific_rule_wins_and_report_pulls_what_it_complains_about(trust):
    policy = {
        "*": {"action": "require", "keys": ["old"]},
        f"{REGISTRY}/app": {"action": "report", "keys": ["old"]},
        f"{REGISTRY}/free": {"action": "ignore"},
    }
    trust.give(image_trust_policy=policy,
               image_trust_images=lambda lab: [lab.image("unsigned"), lab.image("free")])  # fmt: skip
    run = trust.project.play()
    run.assert_converged(*trust.hosts)
    assert "not signed, but pulled as image_trust_policy says" in said(run)
    report = trust.project.verify()
    for lab in trust.labs:
        assert lab.has(lab.image("unsigned"))
        assert lab.has(lab.image("free"))
        assert report.statuses(lab.host.name)[CONTROL] == "pass"
        assert "reported only" in report.reasons(lab.host.name)[CONTROL]
        lab.run(f"docker rmi {lab.image('unsigned')} {lab.image('free')}")


def test_an_old_and_a_new_key_overlap_and_a_dropped_key_counts_no_more(trust):
    for lab in trust.labs:
        lab.host.sh(f"docker run -d --name rotated {lab.image('old')}")
    trust.give()
    report = trust.project.verify()
    assert [report.statuses(host.name)[CONTROL] for host in trust.hosts] == ["pass", "pass"]
    remembered = [lab.host.out("cat /run/hardhost/signatures.json") for lab in trust.labs]
    assert all(lab.digests["old"] in text for lab, text in zip(trust.labs, remembered, strict=True))

    # Decisions are kept: with the registry down the same digests are still known to be signed.
    for lab in trust.labs:
        lab.host.sh("systemctl stop test-registry")
    report = trust.project.verify()
    assert [report.statuses(host.name)[CONTROL] for host in trust.hosts] == ["pass", "pass"]

    # And dropped with the policy: the same question has no answer now.
    only_new = {"*": {"action": "require", "keys": ["new"]}}
    trust.give(image_trust_policy=only_new)
    report = trust.project.verify()
    for lab in trust.labs:
        reason = report.reasons(lab.host.name)[CONTROL]
        assert report.statuses(lab.host.name)[CONTROL] == "fail"
        assert "its registry does not answer" in reason
        lab.host.sh("sh /srv/trust/servers.sh")
    report = trust.project.verify()
    for host in trust.hosts:
        assert report.statuses(host.name)[CONTROL] == "fail"
        assert "none of its signatures is by these keys" in report.reasons(host.name)[CONTROL]


def test_a_pull_while_the_registry_is_down_is_refused(trust):
    trust.give(image_trust_images=lambda lab: [lab.image("new")])
    for lab in trust.labs:
        lab.host.sh("rm -f /run/hardhost/signatures.json; systemctl stop test-registry")
    trust.project.play().assert_failed(*trust.hosts, saying="its registry does not answer")
    for lab in trust.labs:
        lab.host.sh("sh /srv/trust/servers.sh")


def test_an_image_altered_on_the_registry_s_disk_is_not_taken(trust):
    """Its signature holds, for it is that of the manifest; what it consists of is not what was signed."""
    trust.give(image_trust_images=lambda lab: [lab.image("damaged")])
    trust.project.play().assert_failed(*trust.hosts, saying="could not be pulled")
    for lab in trust.labs:
        assert not lab.has(lab.image("damaged"))


def test_a_cosign_that_is_missing_or_another_than_given_holds_the_control_back(trust):
    trust.give(image_trust_cosign={"path": "/usr/bin/env", "sha256": "0" * 64})
    trust.project.play("preflight").assert_converged(*trust.hosts)
    for host in trust.hosts:
        found = trust.project.decision(host.name, CONTROL)
        assert found["decision"] == "pending"
        assert "has the checksum" in found["reason"]
    trust.give()


# The daemon asks nobody: each of these works, and verify finds what then runs.
AROUND = {
    "pull": (
        "docker pull -q {unsigned} && docker tag {unsigned} {named}",
        "it is not signed, or it is not there",
    ),
    "api": (
        "docker rmi -f {named} {unsigned} >/dev/null; python3 /srv/trust/api.py {unsigned}"
        " && docker tag {unsigned} {named}",
        "it is not signed, or it is not there",
    ),
    "build": (
        r"printf 'FROM {unsigned}\nLABEL a=b\n' | docker build -t {named} -",
        "it has no digest of a registry: it was built or loaded on this host",
    ),
    # Another image than the others': with its last name an image loses its digests too.
    "load": (
        "docker pull -q {stranger} && docker tag {stranger} {named} && docker save {named} -o /srv/x"
        " && docker rmi -f {named} {stranger} && docker load -i /srv/x",
        "it has no digest of a registry: it was built or loaded on this host",
    ),
}


def test_what_a_client_can_do_to_get_around_it_works_and_is_found(trust):
    trust.give()
    for lab in trust.labs:
        lab.host.sh("docker rm -f rotated")
        for way, (command, _) in AROUND.items():
            named = f"{REGISTRY}/app:{way}"
            names = {name: lab.image(name) for name in ("unsigned", "stranger")}
            code, text = lab.says(command.format(named=named, **names))
            assert code == 0, f"{way}: {text}"
            lab.host.sh(f"docker run -d --name {way} {named} sleep 1000")
    report = trust.project.verify()
    for lab in trust.labs:
        assert report.statuses(lab.host.name)[CONTROL] == "fail"
        reasons = report.reasons(lab.host.name)[CONTROL]
        for way, (_, reason) in AROUND.items():
            assert f"{way} runs {REGISTRY}/app:{way}: {reason}" in reasons, reasons
        lab.host.sh(f"docker rm -f {' '.join(AROUND)}; docker image prune -af >/dev/null")
