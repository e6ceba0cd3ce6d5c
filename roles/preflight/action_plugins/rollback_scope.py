"""What a rollback is asked for, judged once for all hosts of the play, after all were read and before the first is touched.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from ansible.plugins.action import ActionBase

SHOWN = 10  # hosts that are named of each kind


class ActionModule(ActionBase):
    """`rollback_scope: {scope: all|run|controls, run: id}`; fails for all hosts, where it is run once."""

    _VALID_ARGS = frozenset(("scope", "run"))

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        recorded = {
            host: (task_vars["hostvars"][host].get("preflight_result") or {}).get("recorded")
            for host in task_vars["ansible_play_hosts_all"]
        }
        asked = self._task.args
        why = wrong(asked["scope"], asked["run"], recorded)
        result.update({"failed": True, "msg": "nothing is taken back: " + why} if why else {})
        return result


def wrong(scope, run, recorded):
    """Why nothing may be taken back anywhere; "" where it may.

    `recorded` is per host what its state holds, as `docker_host_facts` tells it; None where that is not known.
    """
    if run and scope != "run":
        return "hardhost_rollback_run is for the scope run, and the scope is %s" % scope
    return _different_runs(recorded) if scope == "run" and not run else ""


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
