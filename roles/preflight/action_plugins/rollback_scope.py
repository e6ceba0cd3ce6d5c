"""What a rollback is asked for, judged once for all hosts of the play, after all were read and before the first is touched.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import json
from pathlib import Path

from ansible.module_utils.common.validation import check_type_list
from ansible.plugins.action import ActionBase

SHOWN = 10  # hosts that are named of each kind


class ActionModule(ActionBase):
    """`rollback_scope: {scope: all|run|controls, controls: [ids], run: id}`; fails for all hosts, where it is run once."""

    _VALID_ARGS = frozenset(("scope", "controls", "run"))

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        recorded = {
            host: (task_vars["hostvars"][host].get("preflight_result") or {}).get("recorded")
            for host in task_vars["ansible_play_hosts_all"]
        }
        plan = json.loads(Path(self._loader.get_basedir(), "plan.json").read_text(encoding="utf-8"))
        planned = {control["id"] for control in plan["controls"]}
        asked = self._task.args
        controls = check_type_list(asked["controls"] or [])
        why = wrong(asked["scope"], controls, asked["run"], planned, recorded)
        result.update({"failed": True, "msg": "nothing is taken back: " + why} if why else {})
        return result


def wrong(scope, controls, run, planned, recorded):
    """Why nothing may be taken back anywhere; "" where it may.

    `planned` are the ids of plan.json, `recorded` is per host what its state holds, as `docker_host_facts` tells it; None where that is not known.
    """
    for name, value, only in (("controls", controls, "controls"), ("run", run, "run")):
        if value and scope != only:
            return "hardhost_rollback_%s is for the scope %s, and the scope is %s" % (
                name,
                only,
                scope,
            )
    if scope == "controls":
        return _unknown_controls(controls, planned, recorded)
    return _different_runs(recorded) if scope == "run" and not run else ""


def _unknown_controls(controls, planned, recorded):
    """What is wrong with the list. A control that has left the profile is known as long as a host has something of it."""
    if not controls:
        return "hardhost_rollback_controls names no control"
    known = planned.union(*(one["controls"] for one in recorded.values() if one))
    unknown = [name for name in controls if name not in known]
    return (
        "%s: no such control in this project's plan.json, nor in the state of any host that was read"
        % ", ".join(map(repr, unknown))
        if unknown
        else ""
    )


def _different_runs(recorded):
    """The last runs of the hosts, where they are not one and the same. Who has nothing to take back does not count."""
    hosts = {}
    for host, one in recorded.items():
        hosts.setdefault(one["run"] if one else None, []).append(host)
    hosts.pop("", None)
    if len(hosts) < 2:
        return ""
    last = [
        "%s (%s)" % (run or "not known", named(names))
        for run, names in sorted(hosts.items(), key=lambda item: item[0] or "", reverse=True)
    ]
    return (
        "the last run is not the same on all hosts: %s; say which one is to be taken back by hardhost_rollback_run, "
        "or leave those hosts out by --limit" % ", ".join(last)
    )


def named(hosts):
    """Hosts by name, and how many more."""
    more = len(hosts) - SHOWN
    return ", ".join(hosts[:SHOWN]) + (" and %d more" % more if more > 0 else "")
