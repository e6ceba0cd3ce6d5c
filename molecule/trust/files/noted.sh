#!/bin/sh
# The same images in a repository of their own, signed with Notation by certificates of an authority made here.
set -eu
cd /srv/trust
registry=registry.test:5000
. ./digests.new
mkdir -p notation/client

authority() { # authority NAME
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj "/C=DE/ST=Berlin/O=Example/CN=$1" \
        -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign \
        -keyout "notation/$1.key" -out "notation/$1.crt" 2>/dev/null
}
signer() { # signer NAME AUTHORITY
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/C=DE/ST=Berlin/O=Example/CN=$1" \
        -keyout "notation/$1.key" -out "notation/$1.csr" 2>/dev/null
    printf 'basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=codeSigning\n' \
        > notation/signer.ext
    openssl x509 -req -in "notation/$1.csr" -CA "notation/$2.crt" -CAkey "notation/$2.key" -CAcreateserial -days 30 \
        -extfile notation/signer.ext 2>/dev/null | cat - "notation/$2.crt" > "notation/$1.chain"
}
authority ours
authority theirs
signer release ours
signer stranger theirs
key='{"name": "%s", "keyPath": "/srv/trust/notation/%s.key", "certPath": "/srv/trust/notation/%s.chain"}'
printf "{\"default\": \"release\", \"keys\": [$key, $key]}" release release release stranger stranger stranger \
    > notation/client/signingkeys.json

sign() { # sign OPTIONS... DIGEST
    NOTATION_CONFIG=/srv/trust/notation/client SSL_CERT_FILE=/srv/trust/ca.crt HOME=/root /opt/notation sign "$@" >/dev/null
}
for digest in "$old" "$unsigned" "$stranger" "$moved" "$expired" "$damaged"; do
    docker pull -q "$registry/app@$digest" >/dev/null
    docker tag "$registry/app@$digest" "$registry/noted/app:pushed"
    docker push "$registry/noted/app:pushed" >/dev/null
    docker rmi "$registry/noted/app:pushed" "$registry/app@$digest" >/dev/null
done
image=$registry/noted/app
sign --key release "$image@$old"
sign --key release "$image@$damaged"
sign --key stranger "$image@$stranger"
sign --key release --expiry 1m "$image@$expired"
# What was signed for one image is said to have been signed for another.
python3 tag.py noted/app "$(echo "$old" | tr : -)" "$(echo "$moved" | tr : -)"

sh damage.sh app damaged
