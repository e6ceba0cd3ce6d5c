#!/bin/sh
# Tags for Docker Content Trust: signed with a publisher's client, whose keys root's own client knows nothing of.
set -eu
cd /srv/trust
registry=registry.test:5000
. ./digests.new
mkdir -p publisher/tls/notary.test:4443
cp ca.crt publisher/tls/notary.test:4443/

push() { # push TAG DIGEST, under the environment of the caller
    docker pull -q "$registry/app@$2" >/dev/null
    docker tag "$registry/app@$2" "$registry/$1"
    docker push "$registry/$1" >/dev/null 2>&1
    docker rmi "$registry/$1" "$registry/app@$2" >/dev/null
}
signed() {
    (
        export DOCKER_CONFIG=/srv/trust/publisher DOCKER_CONTENT_TRUST_SERVER=https://notary.test:4443
        export DOCKER_CONTENT_TRUST_ROOT_PASSPHRASE=scenario DOCKER_CONTENT_TRUST_REPOSITORY_PASSPHRASE=scenario
        docker pull -q "$registry/app@$2" >/dev/null
        docker tag "$registry/app@$2" "$registry/$1"
        DOCKER_CONTENT_TRUST=1 docker push "$registry/$1" >/dev/null 2>&1
        docker rmi "$registry/$1" "$registry/app@$2" >/dev/null
    )
}
signed dct:signed "$old"
signed dct:moved "$old"
cp "publisher/trust/tuf/$registry/dct/metadata/root.json" root.json
push dct:unsigned "$new"
# Somebody with the right to push, and without keys, moves a tag.
push dct:moved "$new"
# Somebody with access to the registry's disk changes what a signed tag consists of.
signed dct:damaged "$signed"
sh damage.sh dct damaged
