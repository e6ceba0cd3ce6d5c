#!/bin/sh
# damage.sh REPOSITORY TAG: somebody with access to the registry's disk changes what an image consists of.
set -eu
layer=$(python3 - "$1" "$2" <<'END'
import json, ssl, sys, urllib.request
tls = ssl.create_default_context(cafile="/srv/trust/ca.crt")
tls.verify_flags &= ~ssl.VERIFY_X509_STRICT
kind = "application/vnd.docker.distribution.manifest.v2+json"
place = "https://registry.test:5000/v2/%s/manifests/%s" % tuple(sys.argv[1:])
with urllib.request.urlopen(urllib.request.Request(place, headers={"Accept": kind}), context=tls) as found:
    print(json.load(found)["layers"][0]["digest"].partition(":")[2])
END
)
printf damage | dd of="/srv/trust/storage/docker/registry/v2/blobs/sha256/$(echo "$layer" | cut -c1-2)/$layer/data" \
    conv=notrunc bs=1 seek=100 2>/dev/null
