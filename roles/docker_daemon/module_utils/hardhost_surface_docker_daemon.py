"""The surface of docker_daemon besides daemon.json: by which addresses and with which certificates the API is served.

`plan` is shared with the module that applies it: what preflight announces is what is done.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from ansible.module_utils import hardhost_certificates as certificates
from ansible.module_utils import hardhost_drop_ins as drop_ins
from ansible.module_utils import hardhost_listen as listen
from ansible.module_utils import hardhost_managed as managed
from ansible.module_utils import hardhost_permissions as permissions
from ansible.module_utils.hardhost_preconditions import hold


def read(_facts, _inputs):
    """Nothing beforehand: the unit's files are read where they are needed."""
    return {}


def plan(control, facts):
    """What applying one control `{id, settings}` does: `{files, permissions}`; empty for what daemon.json holds."""
    tls = control["settings"].get("docker_daemon_tls")
    if not tls:
        return {"files": [], "permissions": []}
    return {
        "files": managed.different([listen.wanted(control["id"], tls, facts["unit"])]),
        "permissions": list(listen.closed(tls)),
    }


def changes(control, facts, _inputs):
    """`[{what, before, after}]` of what applying a control would change."""
    found = plan(control, facts)
    written = managed.changes(found["files"]).get(control["id"], [])
    return [dict(one, restart=drop_ins.UNIT) for one in written] + [
        {
            "what": one["path"],
            "before": permissions.worded(one["before"]),
            "after": permissions.worded(one["after"]),
        }
        for one in found["permissions"]
    ]


def observe(facts, _inputs, settings):
    """How the API is served over TCP, where a control wants that."""
    wanted = [one["docker_daemon_tls"] for one in settings.values() if one.get("docker_daemon_tls")]
    return {"tls": listen.observe(wanted[0], facts)} if wanted else {}


def tls_usable(facts, _inputs, control):
    """The certificates serve, and nothing else decides about the listeners."""
    problem = certificates.wrong(control["settings"].get("docker_daemon_tls", {}))
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
