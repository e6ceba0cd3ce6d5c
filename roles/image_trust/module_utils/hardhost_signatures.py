"""Whether images are signed as the policy demands: one question to a verifier for each key, answers kept by digest and key.

Nothing here asks a transparency log or any other service than the image's registry.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
import time

from ansible.module_utils import hardhost_cosign as cosign
from ansible.module_utils import hardhost_files as files
from ansible.module_utils import hardhost_images as images
from ansible.module_utils import hardhost_notation as notation
from ansible.module_utils import hardhost_verifiers as verifiers

TOOLS = (cosign, notation)
MEMORY = "/run/hardhost/signatures.json"
SECONDS = 30  # for one question
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
ACTIONS = ("require", "report", "ignore")

# What any of them may say of a registry, and what it means for an operator.
SILENT = "its registry does not answer"
MEANINGS = (
    (
        r"connection refused|no such host|i/o timeout|no route to host|network is unreachable|deadline exceeded",
        SILENT,
    ),
    (
        r"(get|head) \"https://.*x509:",
        "the certificate of its registry is of an unknown authority (see image_trust/registry_certificates)",
    ),
    (
        r"unauthorized:|denied:|401 Unauthorized|403 Forbidden|basic credential not found",
        "its registry asks for a login that root on this host does not have",
    ),
)


def wrong(settings):
    """What is wrong with policy, keys and images; [] where nothing is."""
    keys, policy = settings.get("keys") or {}, settings.get("policy") or {}
    problems = [
        "image_trust_keys: %r is no name for a key" % name
        for name in keys
        if not NAME.fullmatch(str(name))
    ]
    problems += [
        "image_trust_keys: %s is neither a public key in PEM nor {roots, identity, issuer} nor "
        "{notation, identities}" % name
        for name, key in sorted(keys.items())
        if not tool_of(key)
    ]
    for rule, wish in sorted(policy.items()):
        problems += [
            "image_trust_policy: %s: %s" % (rule, text) for text in _wrong_rule(rule, wish, keys)
        ]
    problems += [
        "image_trust_images: %s is no registry/path@sha256:..." % one
        for one in settings.get("images") or []
        if not images.BY_DIGEST.fullmatch(str(one))
    ]
    return problems


def tool_of(key):
    """The module of the verifier that understands this key; None where none does."""
    return next((tool for tool in TOOLS if tool.usable(key)), None)


def _wrong_rule(rule, wish, keys):
    if not images.RULE.fullmatch(str(rule)):
        yield "not a registry, a path in it, a repository (docker.io/library/redis) or `*`"
    if (
        not isinstance(wish, dict)
        or wish.get("action") not in ACTIONS
        or set(wish) - {"action", "keys"}
    ):
        yield "wanted is {action: %s, keys: [names]}" % "|".join(ACTIONS)
        return
    names = wish.get("keys") or []
    if not isinstance(names, list):
        yield "keys is a list of names"
    elif wish["action"] != "ignore" and not names:
        yield "%s needs keys" % wish["action"]
    else:
        for name in sorted(set(map(str, names)) - set(keys)):
            yield "there is no key %s in image_trust_keys" % name


def programs(settings, inputs):
    """`{verifier: (path, problem)}` of those that the policy needs."""
    keys = settings.get("keys") or {}
    named = {
        name
        for wish in (settings.get("policy") or {}).values()
        if wish["action"] != "ignore"
        for name in wish["keys"]
    }
    needed = {tool_of(keys[name]).NAME for name in named}
    return {
        name: verifiers.program(name, inputs.get("image_trust_" + name)) for name in sorted(needed)
    }


def rule_for(repository, policy):
    """`(rule, action, key names)`; what no rule covers is required to be signed, by nobody: refused."""
    rule = images.covering(repository, policy)
    if rule is None:
        return "", "require", []
    return rule, policy[rule]["action"], list(policy[rule].get("keys") or [])


class Verifier:
    """Asks the verifiers, within a deadline, and remembers what was accepted. Use it as a context.

    `problem` says what is wrong with the settings, or that a verifier is missing: then nothing can be judged.
    """

    def __init__(self, settings, inputs, memory=MEMORY, seconds=60):
        self.policy, self.keys = settings.get("policy") or {}, settings.get("keys") or {}
        problems, self.programs = wrong(settings), {}
        if not problems:
            self.programs = programs(settings, inputs)
            problems = [problem for _path, problem in self.programs.values() if problem]
        self.problem = "; ".join(problems)
        self.memory, self.deadline = memory, time.monotonic() + seconds
        self.known, self.accepted, self.silent = {}, {}, set()
        chosen = [inputs.get("image_trust_" + tool.NAME) or {} for tool in TOOLS]
        self.fingerprint = files.digest(
            json.dumps([self.policy, self.keys, chosen], sort_keys=True).encode("utf-8")
        )

    def __enter__(self):
        self.accepted = dict(self._remembered())
        self.known = dict(self.accepted)
        return self

    def __exit__(self, *_error):
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
        """ "" where its verifier finds a signature by this key, else why not."""
        parsed, tool = images.parse(reference), tool_of(self.keys[name])
        registry = images.registry(parsed["repository"])
        if self.problem or registry in self.silent:
            return self.problem or SILENT
        folder = tempfile.mkdtemp(prefix="hardhost-trust-")
        try:
            words, environment = tool.question(
                self.programs[tool.NAME][0], self.keys[name], reference, registry, folder
            )
            answer = self._answer(tool, words, environment, parsed["digest"])
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        if answer.startswith(SILENT):
            self.silent.add(registry)  # the others shall have the time that is left
        return answer

    def _answer(self, tool, words, environment, digest):
        left = min(SECONDS, self.deadline - time.monotonic())
        if left < 1:
            return "there was no time left to verify it"
        try:
            done = subprocess.run(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                timeout=left,
                check=False,
                env=dict(environment, PATH=PATH, HOME="/root", LC_ALL="C"),
            )
        except subprocess.TimeoutExpired:
            return "%s: %s was ended after %d seconds" % (SILENT, tool.NAME, left)
        except OSError as error:
            return "%s cannot be run: %s" % (words[0], error.strerror)
        if done.returncode:
            return meaning(tool, done.stderr.decode("utf-8", "replace"))
        # Both name what they have accepted: a program that only ends well has verified nothing.
        named = digest.partition(":")[2].encode("ascii") in done.stdout
        return (
            ""
            if named
            else "%s does not say what it has verified: it is no %s" % (words[0], tool.NAME)
        )

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
        text = json.dumps(
            {"policy": self.fingerprint, "accepted": self.known}, indent=1, sort_keys=True
        )
        files.replace(
            self.memory, text.encode("utf-8") + b"\n", {"uid": 0, "gid": 0, "mode": 0o600}
        )


def meaning(tool, said):
    """What a verifier's words mean; they themselves where that is not known."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return "; ".join(
        sorted(
            {_meaning(tool, line) for line in tool.reasons(lines) or lines[-1:] or ["no message"]}
        )
    )


def _meaning(tool, line):
    for pattern, text in MEANINGS + tool.MEANINGS:
        if re.search(pattern, line, re.IGNORECASE):
            return text
    return line[:300]
