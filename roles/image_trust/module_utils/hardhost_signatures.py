"""Whether images are signed as the policy demands: one question to cosign for each image, answers kept by digest and key.

Nothing here asks a transparency log or any other service than the image's registry.

SPDX-License-Identifier: Apache-2.0
"""
from __future__ import annotations

import glob
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import time

from ansible.module_utils import hardhost_files as files
from ansible.module_utils import hardhost_images as images

DISTRIBUTION = "/usr/bin/cosign"
MEMORY = "/run/hardhost/signatures.json"
SECONDS = 30  # for one question
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
ACTIONS = ("require", "report", "ignore")
CERTIFICATE = {"roots", "identity", "issuer"}

# What cosign says, and what it means for an operator. It also says "no signatures found" of an image that is not there.
MEANINGS = (
    (r"no matching signatures: cert verification failed", "the certificate of its signature is not of these authorities"),
    (r"no signatures found", "it is not signed, or it is not there"),
    (r"connection refused|no such host|i/o timeout|no route to host|network is unreachable|deadline exceeded",
     "its registry does not answer"),
    (r"certificate signed by unknown authority|failed to verify certificate",
     "the certificate of its registry is of an unknown authority (see image_trust/registry_certificates)"),
    (r"UNAUTHORIZED|authentication required|DENIED", "its registry asks for a login that root on this host does not have"),
    (r"certificate has expired|expired certificate|certificate is not yet valid|expected a signed timestamp",
     "the certificate of its signature has expired"),
    (r"none of the expected identities matched|expected identit|expected issuer",
     "the certificate of its signature is for another identity"),
    (r"digest .*does not match|invalid or missing digest|missing digest", "its signature is for another content"),
    (r"no matching signatures|invalid signature", "none of its signatures is by these keys"),
)


def wrong(settings):
    """What is wrong with policy, keys and images; [] where nothing is."""
    keys, policy = settings.get("keys") or {}, settings.get("policy") or {}
    problems = ["image_trust_keys: %r is no name for a key" % name for name in keys if not NAME.fullmatch(str(name))]
    problems += ["image_trust_keys: %s is neither a public key in PEM nor {roots, identity, issuer}" % name
                 for name, key in sorted(keys.items()) if not _usable_key(key)]
    for rule, wish in sorted(policy.items()):
        problems += ["image_trust_policy: %s: %s" % (rule, text) for text in _wrong_rule(rule, wish, keys)]
    problems += ["image_trust_images: %s is no registry/path@sha256:..." % one for one in settings.get("images") or []
                 if not images.BY_DIGEST.fullmatch(str(one))]
    return problems


def _usable_key(key):
    if isinstance(key, dict):
        return set(key) == CERTIFICATE and all(isinstance(one, str) and one for one in key.values()) \
            and "-----BEGIN CERTIFICATE-----" in key["roots"]
    return isinstance(key, str) and "-----BEGIN PUBLIC KEY-----" in key


def _wrong_rule(rule, wish, keys):
    if not images.RULE.fullmatch(str(rule)):
        yield "not a registry, a path in it, a repository (docker.io/library/redis) or `*`"
    if not isinstance(wish, dict) or wish.get("action") not in ACTIONS or set(wish) - {"action", "keys"}:
        yield "wanted is {action: %s, keys: [names]}" % "|".join(ACTIONS)
        return
    names = wish.get("keys") or []
    if wish["action"] != "ignore" and not names:
        yield "%s needs keys" % wish["action"]
    for name in names if isinstance(names, list) else [names]:
        if name not in keys:
            yield "there is no key %s in image_trust_keys" % name


def program(chosen):
    """`(path, problem)`: the cosign to ask: the operator's, with its checksum, or the distribution's."""
    if not chosen:
        if os.access(DISTRIBUTION, os.X_OK):
            return DISTRIBUTION, ""
        return "", "there is no cosign at %s" % DISTRIBUTION
    path, wanted = str(chosen.get("path", "")), str(chosen.get("sha256", "")).lower()
    if not os.path.isabs(path) or not re.fullmatch(r"[0-9a-f]{64}", wanted):
        return "", "image_trust_cosign needs an absolute path and the sha256 of what is there"
    try:
        status = os.stat(path)
        found = _file_digest(path)
    except OSError as error:
        return "", "%s: %s" % (path, error.strerror)
    if status.st_uid != 0 or status.st_mode & 0o022:
        return "", "%s can be changed by others than root" % path
    if found != wanted:
        return "", "%s has the checksum %s, not the one that image_trust_cosign gives" % (path, found)
    return path, ""


def _file_digest(path):
    calculated = hashlib.sha256()
    with open(path, "rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            calculated.update(block)
    return calculated.hexdigest()


def rule_for(repository, policy):
    """`(rule, action, key names)`; what no rule covers is required to be signed, by nobody: refused."""
    rule = images.covering(repository, policy)
    if rule is None:
        return "", "require", []
    return rule, policy[rule]["action"], list(policy[rule].get("keys") or [])


class Verifier:
    """Asks cosign, within a deadline, and remembers what was accepted. Use it as a context."""

    def __init__(self, settings, chosen, memory=MEMORY, seconds=90):
        self.policy, self.keys = settings.get("policy") or {}, settings.get("keys") or {}
        self.path, self.problem = program(chosen)
        self.memory, self.deadline = memory, time.monotonic() + seconds
        self.folder, self.known, self.accepted = "", {}, {}
        self.fingerprint = files.digest(json.dumps([self.policy, self.keys], sort_keys=True).encode("utf-8"))

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="hardhost-trust-")
        self.accepted = dict(self._remembered())
        self.known = dict(self.accepted)
        return self

    def __exit__(self, *_error):
        shutil.rmtree(self.folder, ignore_errors=True)
        if self.known != self.accepted:
            self._remember()

    def judge(self, repository, digests):
        """`{action, rule, signed, reason}` of an image that is in a repository under one of these digests."""
        rule, action, names = rule_for(repository, self.policy)
        answer = {"action": action, "rule": rule, "signed": False, "reason": ""}
        if action == "ignore":
            return answer
        if not rule:
            answer["reason"] = "no rule of image_trust_policy covers it; give `*` for the rest"
        elif not digests:
            answer["reason"] = "it has no digest of a registry: it was built or loaded on this host"
        else:
            reasons = []
            for digest in digests:
                signed, reason = self._signed(repository, digest, names)
                if signed:
                    return dict(answer, signed=True, reason=reason)
                reasons.append(reason)
            answer["reason"] = "; ".join(sorted(set(reasons)))
        return answer

    def _signed(self, repository, digest, names):
        """Whether one of the keys has signed: any one is enough, so that an old and a new key can overlap."""
        reasons = []
        for name in names:
            entry = "%s@%s %s" % (repository, digest, self._key_fingerprint(name))
            if entry not in self.known:
                reason = self._ask("%s@%s" % (repository, digest), name)
                if reason:
                    reasons.append(reason)
                    continue
                self.known[entry] = int(time.time())
            return True, "signed by %s" % name
        return False, "%s (keys: %s)" % ("; ".join(sorted(set(reasons))), ", ".join(names))

    def _key_fingerprint(self, name):
        return files.digest(json.dumps(self.keys[name], sort_keys=True).encode("utf-8"))

    def _ask(self, reference, name):
        """"" where cosign finds a signature by this key, else why not."""
        if self.problem:
            return self.problem
        left = min(SECONDS, self.deadline - time.monotonic())
        if left < 1:
            return "there was no time left to verify it"
        words = [self.path, "verify"] + self._key_words(name) + registry_words(
            images.registry(images.parse(reference)["repository"]), self.folder)
        try:
            done = subprocess.run(words + ["--insecure-ignore-tlog=true", reference], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=left, check=False,
                                  env={"PATH": PATH, "HOME": "/root", "LC_ALL": "C"})
        except subprocess.TimeoutExpired:
            return "its registry does not answer: cosign was ended after %d seconds" % left
        except OSError as error:
            return "%s cannot be run: %s" % (self.path, error.strerror)
        return "" if done.returncode == 0 else meaning(done.stderr.decode("utf-8", "replace"))

    def _key_words(self, name):
        key = self.keys[name]
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(key["roots"] if isinstance(key, dict) else key)
        if not isinstance(key, dict):
            return ["--key", path]
        return ["--certificate-chain", path, "--certificate-identity", key["identity"],
                "--certificate-oidc-issuer", key["issuer"], "--insecure-ignore-sct=true"]

    def _remembered(self):
        """What was accepted before, under this very policy and these keys."""
        try:
            found = json.loads((files.read(self.memory) or b"{}").decode("utf-8"))
        except (OSError, ValueError):
            return {}
        same = isinstance(found, dict) and found.get("policy") == self.fingerprint
        return found.get("accepted", {}) if same else {}

    def _remember(self):
        folder = os.path.dirname(self.memory)
        os.makedirs(folder, mode=0o700, exist_ok=True)
        text = json.dumps({"policy": self.fingerprint, "accepted": self.known}, indent=1, sort_keys=True)
        files.replace(self.memory, text.encode("utf-8") + b"\n", {"uid": 0, "gid": 0, "mode": 0o600})


def registry_words(registry, folder):
    """What cosign needs to be told of the registry: what the daemon is told below certs.d."""
    place = os.path.join("/etc/docker/certs.d", registry)
    authorities = [(files.read(path) or b"").strip() + b"\n" for path in sorted(glob.glob(place + "/*.crt"))]
    words = []
    if authorities:
        path = os.path.join(folder, "authorities")
        with open(path, "wb") as stream:
            stream.write(b"".join(authorities))
        words = ["--registry-cacert", path]
    for certificate in sorted(glob.glob(place + "/*.cert"))[:1]:
        words += ["--registry-client-cert", certificate, "--registry-client-key", certificate[:-len("cert")] + "key"]
    return words


def meaning(said):
    """What cosign's last words mean; they themselves where that is not known."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    last = next((line for line in lines if line.startswith("Error:")), lines[-1] if lines else "no message")
    for pattern, text in MEANINGS:
        if re.search(pattern, last, re.IGNORECASE):
            return text
    return last[:300]
