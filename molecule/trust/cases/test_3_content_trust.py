"""content_trust: clients up to 28, a private Notary server, and what it does not hold back."""

from __future__ import annotations

import pytest

from tests.hosts.trust_lab import PUBLISH, PUBLISHER, REGISTRY

CONTROL = "image_trust/content_trust"
LOGIN = "env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin sh -lc "


def publish(lab, tag, image, variables=PUBLISH):
    """Push and sign with the publisher's client."""
    named = f"{REGISTRY}/{tag}"
    lab.host.sh(f"docker pull -q {image} && docker tag {image} {named}")
    lab.host.sh(f"{variables} docker push {named}")
    lab.host.sh(f"docker rmi {named} {image}")


@pytest.fixture(scope="module")
def switched(trust):
    """Content trust is switched on for everybody."""
    trust.give()
    trust.project.play().assert_converged(*trust.hosts)
    return trust


def test_the_retired_server_is_refused_with_reason_and_date(trust):
    trust.give(image_trust_server="https://notary.docker.io")
    trust.project.play("preflight").assert_converged(*trust.hosts)
    for host in trust.hosts:
        found = trust.project.decision(host.name, CONTROL)
        assert found["decision"] == "pending"
        assert "shut down on 2026-12-08" in found["reason"]
    trust.give()


def test_it_is_in_force_and_a_second_run_changes_nothing(switched):
    switched.project.play().assert_unchanged(*switched.hosts)
    report = switched.project.verify()
    for host in switched.hosts:
        assert report.statuses(host.name)[CONTROL] == "pass", report.text
        assert report.statuses(host.name)["image_trust/content_trust_ineffective"] == "pass"


PULL = f"docker pull {REGISTRY}/dct:"
PLACES = {
    "user": f"env -i su - deploy -c '{PULL}%s'",
    "login": f"{LOGIN} '{PULL}%s'",
    "sudo": f"env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin sudo -n {PULL}%s",
    "unit": "sed -i 's,pull .* >,pull registry.test:5000/dct:%s >,' /etc/systemd/system/deploy.service;"
    " systemctl daemon-reload; systemctl start deploy; code=$?; cat /run/deploy.log; (exit $code)",
    "cron": "rm -f /run/crond.reboot /run/cron.code; echo '@reboot root " + PULL + "%s > /run/cron.log 2>&1;"
    " echo $? > /run/cron.code' > /etc/cron.d/trial; systemctl restart cron;"
    " for n in $(seq 100); do [ -s /run/cron.code ] && break; sleep 0.1; done;"
    " rm /etc/cron.d/trial; cat /run/cron.log; (exit $(cat /run/cron.code))",
}  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
def test_who_pulls_from_there_gets_what_is_signed_and_nothing_else(switched, place):
    for lab in switched.labs:
        code, text = lab.says(PLACES[place] % "signed")
        assert code == 0, text
        assert lab.digests["old"] in text
        code, text = lab.says(PLACES[place] % "unsigned")
        assert code != 0, text
        assert "No valid trust data for unsigned" in text


def test_a_tag_that_was_moved_still_brings_what_was_signed(switched):
    for lab in switched.labs:
        code, text = lab.says(f"{LOGIN} '{PULL}moved'")
        assert code == 0, text
        assert lab.digests["old"] in text
        code, text = lab.says(f"docker pull {REGISTRY}/dct:moved")
        assert lab.digests["new"] in text, "without it the moved tag is believed"


def test_what_was_altered_on_the_registry_s_disk_is_not_taken(switched):
    for lab in switched.labs:
        code, text = lab.says(f"{LOGIN} '{PULL}damaged'")
        assert code != 0, text
        assert "filesystem layer verification failed" in text


def test_a_repository_that_nobody_signed_is_refused(switched):
    for lab in switched.labs:
        code, text = lab.says(f"{LOGIN} 'docker pull {REGISTRY}/app:old'")
        assert code != 0
        assert "does not have trust data" in text


def test_metadata_that_has_expired_is_refused_and_fresh_metadata_is_not(switched):
    client = (
        "DOCKER_CONFIG=/srv/trust/visitor DOCKER_CONTENT_TRUST=1"
        " DOCKER_CONTENT_TRUST_SERVER=https://notary.test:4444"
    )
    for lab in switched.labs:
        for name in ("fresh", "expired"):
            publish(lab, f"static/{name}:1", lab.image("new"), variables="")
        lab.host.sh(
            "mkdir -p /srv/trust/visitor/tls/notary.test:4444;"
            " cp /srv/trust/ca.crt /srv/trust/visitor/tls/notary.test:4444/;"
            f" systemd-run -q --collect --unit test-static python3 /srv/trust/metadata.py {lab.digests['new']} 527"
        )
        lab.host.sh(
            f"for n in $(seq 50); do {client} docker pull {REGISTRY}/static/fresh:1 && exit; sleep 0.2; done; exit 1"
        )
        code, text = lab.says(f"{client} docker pull {REGISTRY}/static/expired:1")
        lab.host.sh("systemctl stop test-static; rm -r /srv/trust/visitor")
        assert code != 0
        assert "out-of-date: timestamp expired at" in text


def test_while_the_server_is_down_only_what_the_client_has_seen_is_pulled(switched):
    """Trust data holds for two weeks: a client goes on by it, and by nothing else."""
    for lab in switched.labs:
        lab.host.sh("systemctl stop test-notary")
        code, text = lab.says(f"{LOGIN} '{PULL}signed'")
        assert code == 0
        assert lab.digests["old"] in text
        code, text = lab.says(f"{LOGIN} 'docker pull {REGISTRY}/app:old'")
        assert code != 0
        assert "error contacting notary server" in text
        assert "connection refused" in text


def test_other_root_keys_than_the_pinned_ones_are_refused(switched):
    """The server forgot everything when it stopped; a stranger signs the same repository with a key of his own."""
    for lab in switched.labs:
        lab.host.sh(f"sh /srv/trust/servers.sh; rm -r {PUBLISHER}/trust")
        publish(lab, "dct:signed", lab.image("new"))
        code, text = lab.says(f"{LOGIN} '{PULL}signed'")
        assert code != 0, text
        assert "root" in text
        stranger = lab.says(
            f"mkdir -p /srv/visitor/tls; cp -r /root/.docker/tls/* /srv/visitor/tls/;"
            f" DOCKER_CONFIG=/srv/visitor {LOGIN.replace('env -i', 'env -i DOCKER_CONFIG=/srv/visitor')} '{PULL}signed';"
            " code=$?; rm -r /srv/visitor; (exit $code)"
        )
        assert stranger[0] == 0, "whoever has pinned nothing believes the first key: " + stranger[1]


AROUND = {
    "the option": f"{LOGIN} 'docker pull --disable-content-trust %s'",
    "the variable": f"{LOGIN} 'DOCKER_CONTENT_TRUST=0 docker pull %s'",
    "the api": f"{LOGIN} 'python3 /srv/trust/api.py %s'",
    "buildkit": rf"printf 'FROM %s\nLABEL a=b\n' | {LOGIN} 'DOCKER_BUILDKIT=1 docker build -'",
}


def test_what_a_client_can_do_to_get_around_it(switched):
    image = f"{REGISTRY}/app:unsigned"
    for lab in switched.labs:
        results = {way: lab.says(command % image) for way, command in AROUND.items()}
        builds = results.pop("buildkit")
        assert {code for code, _ in results.values()} == {0}, results
        # Debian 13 has no buildx: its client cannot build with BuildKit at all.
        assert builds[0] == (0 if lab.host.os == "debian12trust" else 1), builds[1]
        code, text = lab.says(
            rf"printf 'FROM {image}\nLABEL a=b\n' | {LOGIN} 'DOCKER_BUILDKIT=0 docker build -'"
        )
        assert code != 0, "the classic builder does ask"
        assert "trust data" in text
        lab.host.sh(f"docker pull -q {image}; docker save {image} -o /srv/x")
        code, text = lab.says(
            f"{LOGIN} 'docker load -i /srv/x && docker run --rm {image} cat /version'"
        )
        assert code != 0, "load asks nobody, but run by tag does"
        identity = lab.host.out(f"docker image inspect -f '{{{{.Id}}}}' {image}").strip()
        code, text = lab.says(f"{LOGIN} 'docker run --rm {identity} cat /version'")
        assert code == 0, text


def test_without_its_server_the_next_converge_takes_it_back(switched):
    switched.give(image_trust_server="")
    switched.project.play().assert_converged(*switched.hosts)
    for lab in switched.labs:
        assert lab.run("ls /etc/profile.d/zz-hardhost-content-trust.sh").returncode != 0
        assert "DOCKER_CONTENT_TRUST" not in lab.host.out("cat /etc/environment")
        assert lab.host.out("systemctl show -p Environment --value deploy").strip() == ""
        assert lab.has(lab.image("old")), "that is image_signatures'"
    switched.give()
    switched.project.play().assert_converged(*switched.hosts)


def test_rollback_takes_all_of_it_back_and_leaves_what_is_not_ours(switched):
    mine = (
        "/etc/profile.d/zz-hardhost-content-trust.sh", "/etc/sudoers.d/hardhost-content-trust",
        "/etc/hardhost-content-trust.env", "/root/.docker/tls/notary.test:4443/ca.crt",
        "/home/deploy/.docker/tls/notary.test:4443/ca.crt",
        "/etc/systemd/system/deploy.service.d/50-hardhost-content-trust.conf",
        f"/root/.docker/trust/tuf/{REGISTRY}/dct/metadata/root.json",
    )  # fmt: skip
    for lab in switched.labs:
        lab.host.sh(f"ls {' '.join(mine)}; grep DOCKER_CONTENT_TRUST /etc/environment")
        lab.host.sh("echo KEPT=1 >> /etc/environment; docker pull -q " + lab.image("stranger"))
        assert lab.has(lab.image("old"))
    process = [lab.host.out("systemctl show -p MainPID --value docker") for lab in switched.labs]
    switched.project.play("rollback").assert_converged(*switched.hosts)
    for lab in switched.labs:
        for path in mine:
            assert lab.run(f"ls {path}").returncode != 0, path
        assert "DOCKER_CONTENT_TRUST" not in lab.host.out("cat /etc/environment")
        assert "KEPT=1" in lab.host.out("cat /etc/environment")
        assert not lab.has(lab.image("old")), "pulled by us"
        assert lab.has(lab.image("stranger")), "pulled by somebody else"
        assert lab.host.out("systemctl show -p Environment --value deploy").strip() == ""
        assert lab.host.out(f"cat /etc/docker/certs.d/{REGISTRY}/ca.crt") == lab.file("ca.crt")
        code, text = lab.says(f"{LOGIN} '{PULL}unsigned'")
        assert code == 0, text
    assert process == [
        lab.host.out("systemctl show -p MainPID --value docker") for lab in switched.labs
    ]
