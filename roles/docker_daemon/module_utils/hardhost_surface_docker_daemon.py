"""The surface of docker_daemon besides daemon.json: by which addresses and with which certificates the API is served, and
whether the collector of logs answers.

`plan` is shared with the module that applies it: what preflight announces is what is done.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from ansible.module_utils import hardhost_certificates as certificates
from ansible.module_utils import hardhost_drop_ins as drop_ins
from ansible.module_utils import hardhost_given as given_files
from ansible.module_utils import hardhost_listen as listen
from ansible.module_utils import hardhost_log_target as log_target
from ansible.module_utils import hardhost_managed as managed
from ansible.module_utils import hardhost_permissions as permissions
from ansible.module_utils.hardhost_preconditions import hold


def read(_facts, _inputs):
    """Nothing beforehand: the unit's files are read where they are needed."""
    return {}


def given(inputs, texts):
    """`(inputs, problem)`: for a text in place of a path, the path at which it will be."""
    both = [
        "%s and %s" % (name, certificates.TEXTS[part])
        for part, name in certificates.PATHS.items()
        if inputs.get(name) and certificates.TEXTS[part] in texts
    ]
    if both:
        return inputs, "%s are both given: give the path or the text" % "; ".join(both)
    paths = {
        certificates.PATHS[part]: given_files.path(part, data)
        for part, data in listen.parts(texts).items()
    }
    return dict(inputs, **paths), ""


def plan(control, facts):
    """What applying one control `{id, settings}` does: `{texts, files, permissions}`; empty for what daemon.json holds."""
    tls = control["settings"].get("docker_daemon_tls")
    if not tls:
        return {"texts": [], "files": [], "permissions": []}
    return {
        "texts": managed.different(listen.wanted_texts(control["id"], facts.get("texts", {}))),
        "files": managed.different([listen.wanted(control["id"], tls, facts["unit"])]),
        "permissions": list(listen.closed(tls)),
    }


def changes(control, facts, _inputs):
    """`[{what, before, after}]` of what applying a control would change."""
    found = plan(control, facts)
    written = managed.changes(found["files"]).get(control["id"], [])
    texts = managed.changes(found["texts"]).get(control["id"], [])
    return (
        texts
        + [dict(one, restart=drop_ins.UNIT) for one in written]
        + [
            {
                "what": one["path"],
                "before": permissions.worded(one["before"]),
                "after": permissions.worded(one["after"]),
            }
            for one in found["permissions"]
        ]
    )


def observe(facts, _inputs, settings):
    """How the API is served over TCP, and whether the collector of logs answers, where a control wants that."""
    wanted = [one["docker_daemon_tls"] for one in settings.values() if one.get("docker_daemon_tls")]
    found = {"tls": listen.observe(wanted[0], facts)} if wanted else {}
    for one in settings.values():
        options = one.get("docker_daemon_options") or {}
        if "log-driver" in options:
            found["log_target"] = log_target.unreachable(_address(options.get("log-opts") or {}))
    return found


def _address(options):
    """Where logs are sent, by these options of the driver; "" where they name nothing."""
    return next((value for key, value in options.items() if key.endswith("-address")), "")


def tls_usable(facts, _inputs, control):
    """The certificates serve, and nothing else decides about the listeners."""
    tls, texts = control["settings"].get("docker_daemon_tls", {}), facts.get("texts", {})
    problem = certificates.wrong(tls, listen.parts(texts))
    if problem:
        return hold(
            problem, "mend it on the host, or the input; docs/access.md says how they are made"
        )
    problem = listen.in_the_way(facts)
    if problem:
        return hold(problem, "remove that, restart Docker by hand, and run again")
    return None


PRECONDITIONS = {
    "tls_usable": tls_usable,
}
