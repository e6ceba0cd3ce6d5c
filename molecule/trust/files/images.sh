#!/bin/sh
# Fills the registry: images signed in every way there is, by keys made here. Prints name=digest lines.
set -eu
cd /srv/trust
export COSIGN_PASSWORD=scenario HOME=/root
cosign=$(command -v cosign || echo /opt/cosign)
mkdir -p /etc/docker/certs.d/registry.test:5000
cp ca.crt /etc/docker/certs.d/registry.test:5000/ca.crt

for key in old new stranger release; do
    [ -e $key.pub ] || "$cosign" generate-key-pair --output-key-prefix $key >/dev/null 2>&1
done

# An authority for signatures, and two certificates of it for one key: one holds, one has expired.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj "/CN=signing authority" \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign \
    -keyout signing.key -out signing.crt 2>/dev/null
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=release" \
    -keyout unused.key -out release.csr 2>/dev/null
issuer=$(printf https://issuer.test | od -An -tx1 | tr -d ' \n')
printf 'keyUsage=critical,digitalSignature\nextendedKeyUsage=codeSigning\nsubjectAltName=email:release@example.org\n1.3.6.1.4.1.57264.1.1=DER:%s\n' \
    "$issuer" > release.ext
for days in 30 0; do
    openssl x509 -req -in release.csr -force_pubkey release.pub -CA signing.crt -CAkey signing.key -CAcreateserial \
        -days $days -extfile release.ext -out release-$days.crt 2>/dev/null
done

sign() { # sign OPTIONS... REFERENCE
    "$cosign" sign --tlog-upload=false -y --registry-cacert ca.crt "$@" >/dev/null 2>&1
}
push() { # push NAME VERSION: prints the digest
    docker tag "source:$2" "registry.test:5000/$1"
    docker push "registry.test:5000/$1" | sed -n 's/.*digest: \(sha256:[0-9a-f]*\) .*/\1/p'
    docker rmi "registry.test:5000/$1" >/dev/null
}
signature() { # signature OF FOR: the signature of one image is attached to another
    python3 - "$1" "$2" <<'END'
import ssl, sys, urllib.request
base = "https://registry.test:5000/v2/app/manifests/"
tls = ssl.create_default_context(cafile="/srv/trust/ca.crt")
tls.verify_flags &= ~ssl.VERIFY_X509_STRICT
kind = "application/vnd.oci.image.manifest.v1+json"
names = [one.replace(":", "-") + ".sig" for one in sys.argv[1:3]]
with urllib.request.urlopen(urllib.request.Request(base + names[0], headers={"Accept": kind}), context=tls) as found:
    data = found.read()
urllib.request.urlopen(urllib.request.Request(base + names[1], data, {"Content-Type": kind}, method="PUT"), context=tls)
END
}

n=0
for name in old new unsigned stranger moved certificate expired damaged signed; do
    n=$((n + 1))
    digest=$(push "app:$name" $n)
    reference=registry.test:5000/app@$digest
    case $name in
        old|damaged|signed) sign --key old.key "$reference" ;;
        new|stranger) sign --key $name.key "$reference" ;;
        moved) signature "$old" "$digest" ;;
        certificate) sign --key release.key --certificate release-30.crt --certificate-chain signing.crt "$reference" ;;
        expired) sign --key release.key --certificate release-0.crt --certificate-chain signing.crt "$reference" ;;
    esac
    [ $name != old ] || old=$digest
    echo "$name=$digest"
done
# A free corner of the registry, where nothing has to be signed.
echo "free=$(push free/app:1 3)"
for n in 1 2 3 4 5 6 7 8 9; do
    docker rmi "source:$n" >/dev/null  # what is pulled from now on is downloaded
done
