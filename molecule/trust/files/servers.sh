#!/bin/sh
# A registry and a Notary server on this host, over TLS, by an authority made here; an image to sign.
set -eu

address=$(hostname -i | cut -d' ' -f1)
if ! grep -q registry.test /etc/hosts; then
    echo "$address registry.test notary.test" >> /etc/hosts
    sleep 6  # for five seconds dockerd goes by what it has read before
fi
mkdir -p /srv/trust/storage /srv/trust/notary /srv/trust/root
cd /srv/trust

[ -e ca.key ] || openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 \
    -subj "/CN=authority of the scenario" -addext basicConstraints=critical,CA:TRUE \
    -keyout ca.key -out ca.crt 2>/dev/null
for name in registry notary; do
    [ -e $name.crt ] && continue
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$name.test" \
        -keyout $name.key -out $name.csr 2>/dev/null
    printf 'subjectAltName=DNS:%s.test\nextendedKeyUsage=serverAuth\n' $name > $name.ext
    openssl x509 -req -in $name.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -extfile $name.ext \
        -out $name.crt 2>/dev/null
done

cat > registry.yml <<END
version: 0.1
log: {level: warn}
storage: {filesystem: {rootdirectory: /srv/trust/storage}, delete: {enabled: true}}
http: {addr: "0.0.0.0:5000", tls: {certificate: /srv/trust/registry.crt, key: /srv/trust/registry.key}}
END
cat > notary.json <<END
{"server": {"http_addr": "0.0.0.0:4443", "tls_cert_file": "/srv/trust/notary.crt", "tls_key_file": "/srv/trust/notary.key"},
 "trust_service": {"type": "local", "hostname": "", "port": "", "key_algorithm": "ed25519"},
 "storage": {"backend": "memory"}, "logging": {"level": "error"}}
END

unit() { # unit NAME COMMAND...
    name=$1; shift
    systemctl reset-failed "$name" 2>/dev/null || true
    systemctl is-active --quiet "$name" || systemd-run --quiet --collect --unit "$name" "$@"
}
unit test-registry docker-registry serve /srv/trust/registry.yml
unit test-notary notary-server -config /srv/trust/notary.json

for port in 5000 4443; do
    n=0
    until python3 -c "import socket; socket.create_connection(('$address', $port), 2)" 2>/dev/null; do
        n=$((n + 1)); [ $n -lt 60 ] || { echo "nothing answers at $port" >&2; exit 1; }
        sleep 0.5
    done
done

# Images that differ: busybox and a text.
for version in 1 2 3 4 5 6 7 8 9; do
    echo "version $version" > root/version
    mkdir -p root/bin && cp /bin/busybox root/bin/busybox
    for link in sh sleep cat; do ln -sf busybox root/bin/$link; done
    docker image inspect source:$version >/dev/null 2>&1 \
        || tar -C root -c . | docker import --change 'CMD ["sleep", "1000000"]' - source:$version >/dev/null
done
