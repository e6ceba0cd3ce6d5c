"""registry_certificates: the daemon believes a registry's own authority, and shows it a certificate."""

from __future__ import annotations

REGISTRY = "registry.test:5000"
MUTUAL = "registry.test:5001"
FOLDER = "/etc/docker/certs.d"

SERVE = """set -e
cd /srv/trust
if [ ! -e client.crt ]; then
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=host \\
        -keyout client.key -out client.csr 2>/dev/null
    printf 'extendedKeyUsage=clientAuth\\n' > client.ext
    openssl x509 -req -in client.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -extfile client.ext \\
        -out client.crt 2>/dev/null
    chmod 600 client.key
fi
sed -e 's/0.0.0.0:5000/0.0.0.0:5001/' -e 's,key: /srv/trust/registry.key,&,; s,/srv/trust/registry.key},/srv/trust/registry.key\\, clientcas: [/srv/trust/ca.crt]},' \\
    registry.yml > mutual.yml
systemd-run --quiet --collect --unit test-mutual docker-registry serve /srv/trust/mutual.yml
for n in $(seq 50); do python3 -c "import socket; socket.create_connection(('registry.test', 5001), 1)" 2>/dev/null && break; sleep 0.2; done
"""


def test_the_daemon_learns_authorities_and_certificates_without_a_restart(trust):
    for lab in trust.labs:
        lab.host.sh(SERVE)
        lab.host.sh(f"mkdir -p /srv/kept && mv {FOLDER}/{REGISTRY} /srv/kept/")
        code, text = lab.says(f"docker pull -q {lab.image('new')}")
        assert code != 0
        assert "unknown authority" in text
    process = [lab.host.out("systemctl show -p MainPID --value docker") for lab in trust.labs]
    trust.give(image_trust_images=[], image_trust_registry_certificates=certificates)
    trust.project.play().assert_converged(*trust.hosts)
    for lab in trust.labs:
        mutual = lab.image("new").replace(REGISTRY, MUTUAL)
        code, text = lab.says(f"docker pull -q {lab.image('new')} && docker pull -q {mutual}")
        assert code == 0, text
        modes = lab.host.out(
            f"stat -c '%a %U' {FOLDER}/{MUTUAL}/client.key {FOLDER}/{MUTUAL}/ca.crt"
        )
        assert modes.split() == ["400", "root", "444", "root"]
        lab.host.sh(f"mv {FOLDER}/{MUTUAL}/client.key /srv/kept/")
        code, text = lab.says(f"docker rmi {mutual}; docker pull -q {mutual}")
        assert code != 0, "the registry asks for the certificate"
        lab.host.sh(f"mv /srv/kept/client.key {FOLDER}/{MUTUAL}/; docker rmi {lab.image('new')}")
    assert process == [
        lab.host.out("systemctl show -p MainPID --value docker") for lab in trust.labs
    ]
    report = trust.project.verify()
    for host in trust.hosts:
        assert report.statuses(host.name)["image_trust/registry_certificates"] == "pass", (
            report.text
        )
        text = (trust.project.directory / f"artifacts/{host.name}.json").read_text()
        assert "PRIVATE KEY" not in text + report.text


def certificates(lab):
    client = {"certificate": lab.file("client.crt"), "key": "/srv/trust/client.key"}
    return {REGISTRY: {"ca": lab.file("ca.crt")}, MUTUAL: {"ca": lab.file("ca.crt"), **client}}


def test_what_is_no_longer_given_goes_and_a_secret_as_an_input_is_refused(trust):
    trust.give(image_trust_images=[])
    trust.project.play().assert_converged(*trust.hosts)
    for lab in trust.labs:
        assert lab.run(f"ls {FOLDER}/{MUTUAL}/ca.crt {FOLDER}/{MUTUAL}/client.key").returncode != 0
        assert lab.run(f"ls {FOLDER}/{REGISTRY}/ca.crt").returncode == 0
        lab.host.sh("systemctl stop test-mutual")
    trust.project.play("rollback").assert_converged(*trust.hosts)
    for lab in trust.labs:
        assert lab.run(f"ls {FOLDER}/{REGISTRY}").returncode != 0
        lab.host.sh(
            f"mv /srv/kept/{REGISTRY} {FOLDER}/ || {{ mkdir -p {FOLDER}; mv /srv/kept/{REGISTRY} {FOLDER}/; }}"
        )
    secret = {"certificate": "-----BEGIN CERTIFICATE-----", "key": "-----BEGIN PRIVATE KEY-----"}
    trust.give(image_trust_registry_certificates={REGISTRY: secret})
    run = trust.project.play("preflight")
    assert run.code != 0
    saying = "image_trust_registry_certificates holds a private key"
    assert run.text.count(saying) >= len(trust.hosts), run.text
    assert "BEGIN PRIVATE KEY" not in run.text
    artifacts = (trust.project.directory / "artifacts").rglob("*.json")
    assert not any("BEGIN PRIVATE KEY" in file.read_text() for file in artifacts)
    trust.give()


CLOSED = "registry.test:5002"
CLOSE = f"""set -e
cd /srv/trust
perl -e 'print "ops:", crypt("hunter2", "\\$2b\\$05\\$" . "a" x 21 . "e"), "\\n"' > htpasswd
sed -e 's/0.0.0.0:5000/0.0.0.0:5002/' registry.yml > closed.yml
echo 'auth: {{htpasswd: {{realm: closed, path: /srv/trust/htpasswd}}}}' >> closed.yml
systemd-run --quiet --collect --unit test-closed docker-registry serve /srv/trust/closed.yml
mkdir -p {FOLDER}/{CLOSED} && cp ca.crt {FOLDER}/{CLOSED}/
for n in $(seq 50); do python3 -c "import socket; socket.create_connection(('registry.test', 5002), 1)" 2>/dev/null && break; sleep 0.2; done
"""


def test_a_registry_that_asks_for_a_login_gets_the_one_of_root_s_client(trust):
    names = ("old", "noted/old")
    trust.give(
        image_trust_policy={CLOSED: {"action": "require", "keys": ["old", "noted"]}},
        image_trust_images=lambda lab: [lab.image(one).replace(REGISTRY, CLOSED) for one in names],
    )
    for lab in trust.labs:
        lab.host.sh(CLOSE)
    trust.project.play().assert_failed(*trust.hosts, saying="asks for a login that root")
    for lab in trust.labs:
        lab.host.sh(f"echo hunter2 | docker login -u ops --password-stdin {CLOSED}")
    run = trust.project.play()
    run.assert_converged(*trust.hosts)
    assert "hunter2" not in run.text
    for lab in trust.labs:
        for one in names:
            assert lab.has(lab.image(one).replace(REGISTRY, CLOSED))
    trust.project.play("rollback").assert_converged(*trust.hosts)
    for lab in trust.labs:
        assert not any(lab.has(lab.image(one).replace(REGISTRY, CLOSED)) for one in names)
        lab.host.sh(f"docker logout {CLOSED}; rm -f /root/.docker/config.json")
        lab.host.sh(f"systemctl stop test-closed; rm -r {FOLDER}/{CLOSED}")
    trust.give()
