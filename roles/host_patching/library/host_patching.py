#!/usr/bin/python
"""Bring a host's packages up to date, but for the engine's, and say what was done and what was left.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_patching
short_description: Apply pending updates, configure unattended ones, and say whether a reboot is due
description:
  - Everything is fetched before the first package is touched. Holds are respected, changed configuration files kept,
    nothing is removed, and the engine's packages are left alone.
  - Services that run replaced files are restarted, but never dockerd, containerd or a session.
  - Records every package and file before changing it. Packages are not taken back.
options:
  controls: {type: list, elements: dict, required: true, description: 'List of {id, settings}.'}
  os: {type: dict, required: true, description: 'The id, version and family of the operating system.'}
  inputs: {type: dict, required: true, description: All inputs of the host.}
  run: {type: str, required: true, description: The run id.}
  holder: {type: str, required: true, description: Who runs.}
author: hardhost
"""

EXAMPLES = r"""
- name: Apply pending security updates
  host_patching:
    controls: [{id: host_patching/security_updates, settings: {host_patching_updates: {scope: security}}}]
    os: {id: debian, version: "13", family: debian}
    inputs: {preflight_package_lists_valid: 3600, preflight_package_lock_timeout: 300, preflight_package_timeout: 1800}
    run: 20261121T180000Z-00000000
    holder: ops@bastion
"""

RETURN = r"""
refreshed: {type: bool, returned: always, description: Whether the package lists were fetched.}
updated: {type: dict, returned: always, description: 'Per package, [version before, version after].'}
said: {type: list, returned: always, description: 'The same, in words.'}
held: {type: list, returned: always, description: Pending updates of packages on hold.}
kept_back: {type: list, returned: always, description: Pending updates that would remove something.}
mended: {type: list, returned: always, description: Packages that an interrupted dpkg had left half-way.}
restarted: {type: list, returned: always, description: Services that were restarted.}
outdated: {type: list, returned: always, description: Services that run replaced files and are not restarted.}
reboot: {type: str, returned: always, description: Why a reboot is due and allowed; empty otherwise.}
"""

from ansible.module_utils import hardhost_automatic_updates as automatic
from ansible.module_utils import hardhost_facts
from ansible.module_utils import hardhost_files as files
from ansible.module_utils import hardhost_managed as managed
from ansible.module_utils import hardhost_outdated as outdated
from ansible.module_utils import hardhost_package_work as work
from ansible.module_utils import hardhost_packages as packages
from ansible.module_utils import hardhost_redhat as redhat
from ansible.module_utils import hardhost_state as states
from ansible.module_utils import hardhost_surface_host_patching as surface
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.hardhost_packages import PackagesError


class Patching:
    """One call: what it was asked for, and what has become of it."""

    def __init__(self, parameters):
        self.given = parameters
        self.controls = {one["id"]: one for one in parameters["controls"]}
        self.seconds = parameters["inputs"]["preflight_package_timeout"]
        self.lock_seconds = parameters["inputs"]["preflight_package_lock_timeout"]
        self.redhat = parameters["os"]["family"] == "redhat"
        self.answer = {
            "changed": False,
            "refreshed": False,
            "updated": {},
            "said": [],
            "held": [],
            "kept_back": [],
            "mended": [],
            "restarted": [],
            "outdated": [],
            "reboot": "",
        }

    def apply(self, state):
        """Do all of it; the caller holds lock and lease."""
        if surface.SECURITY in self.controls:
            self._updates(state)
        if surface.AUTOMATIC in self.controls:
            self._automatic(state)
        self.answer["said"] = packages.worded(self.answer["updated"])
        self.answer["changed"] = any(
            self.answer[key] for key in ("changed", "updated", "mended", "restarted")
        )

    def _updates(self, state):
        scope = surface.scope(self.controls[surface.SECURITY])
        pending = redhat.pending(scope) if self.redhat else self._debian_pending(scope)
        self.answer["held"] = [worded(one) for one in pending if one["held"]]
        self.answer["kept_back"] = [
            worded(one) for one in pending if not one["held"] and not one["possible"]
        ]
        upgrade = self._redhat_upgrade if self.redhat else self._upgrade
        chosen = surface.chosen(pending)
        if chosen:
            upgrade(state, chosen, scope)
        self._services()

    def _debian_pending(self, scope):
        """What is pending once dpkg has ended what was interrupted, and the lists are new."""
        work.wait_for_locks(self.lock_seconds)
        self.answer["mended"] = [name or "dpkg's journal" for name in work.mend(self.seconds)]
        self._refresh()
        return packages.pending(scope)

    def _refresh(self):
        valid = self.given["inputs"]["preflight_package_lists_valid"]
        self.answer["refreshed"] |= work.refresh_where_old(valid, self.lock_seconds)

    def _upgrade(self, state, chosen, _scope):
        """Upgrade these packages and what they need, and nothing else."""
        words = ["--only-upgrade"] + ["%s=%s" % (one["name"], one["after"]) for one in chosen]
        self._install(state, words)

    def _install(self, state, words):
        """Install with these words: simulated, recorded, fetched, installed."""
        planned = packages.simulate("--no-remove", "install", *words)
        steps = packages.simulated(planned)
        work.without_engine(steps)
        before = packages.installed()
        packages.record(state, steps, surface.SECURITY, self.given["run"])
        automatically = packages.output(["apt-mark", "showauto"]).split()
        try:
            work.install(words, self.seconds, self.lock_seconds)
        finally:
            self.answer["updated"].update(packages.differences(before, packages.installed()))
        # apt takes what is named on its command line for chosen by hand, and would never offer to remove it again.
        named = [one["name"] for one in steps if one["before"] and one["name"] in automatically]
        if named:
            packages.run(["apt-mark", "auto"] + named)

    def _services(self):
        may, self.answer["outdated"] = outdated.restartable(outdated.services())
        wrong = outdated.restart(may)
        self.answer["restarted"] = may
        if wrong:
            raise PackagesError(
                "the updates are installed, and these services do not start with them: %s"
                % "; ".join(wrong)
            )

    def _redhat_upgrade(self, state, chosen, scope):
        """dnf chooses again by the same words, and leaves alone what is locked."""
        before = redhat.installed()
        packages.record(state, chosen, surface.SECURITY, self.given["run"])
        try:
            code, text = work.in_unit(["dnf", "-y", "upgrade"] + redhat.words(scope), self.seconds)
        finally:
            self.answer["updated"].update(packages.differences(before, redhat.installed()))
        if code:
            raise PackagesError("dnf upgrade: %s" % packages.said(text, 8))

    def _automatic(self, state):
        if self.redhat:
            self._redhat_automatic(state)
            return
        if not packages.installed([automatic.PACKAGE]):
            self._add(state, automatic.PACKAGE)
        self._write(state, surface.automatic_files())

    def _redhat_automatic(self, state):
        if not redhat.installed([redhat.AUTOMATIC]):
            self._add(state, redhat.AUTOMATIC)
        self._write(state, redhat.automatic_files(surface.AUTOMATIC))
        run = self.given["run"]
        self.answer["changed"] |= redhat.start_timer(state, run, surface.AUTOMATIC)

    def _add(self, state, name):
        """The distribution's tool itself."""
        family, run = self.given["os"]["family"], self.given["run"]
        added = work.add(state, family, [name], surface.AUTOMATIC, run, self.given["inputs"])
        if self.redhat:
            added = packages.differences({}, redhat.installed([name]))
        self.answer["updated"].update(added)

    def _write(self, state, wanted):
        self.answer["changed"] |= bool(managed.write(state, wanted, self.given["run"]))

    def reboot(self):
        """Why a reboot is due, where the control is applied and nothing holds it back, also after what was just installed."""
        control = self.controls.get(surface.KERNEL)
        if not control or surface.kernels.shared():
            return
        found, facts = surface.kernels.found(), hardhost_facts.collect()
        why = surface.kernels.outdated(found)
        if why and not surface.reboot_allowed(facts, self.given["inputs"], control):
            surface.kernels.begin_reboot(found, surface.units.boot())
            self.answer["reboot"] = why


def worded(one):
    return "%s (%s -> %s)" % (one["name"], one["before"], one["after"])


def foreseen(parameters):
    """The answer of check mode: what preflight announces, by the same code."""
    facts = {"os": parameters["os"]}
    found = [
        change
        for one in parameters["controls"]
        for change in surface.changes(one, facts, parameters["inputs"])
    ]
    shown = {"before_header": "host_patching", "after_header": "host_patching"}
    for key in ("before", "after"):
        shown[key] = "".join(
            "%s: %s\n" % (one["what"], one[key]) for one in found if one[key] is not None
        )
    work_left = [one for one in found if one["what"] != packages.LISTS_CHANGE]
    return {"changed": bool(work_left), "diff": [shown], "reboot": "", "updated": {}, "said": []}


def main():
    module = AnsibleModule(
        argument_spec={
            "controls": {"type": "list", "elements": "dict", "required": True},
            "os": {"type": "dict", "required": True},
            "inputs": {"type": "dict", "required": True},
            "run": {"type": "str", "required": True},
            "holder": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    given = module.params
    if module.check_mode:
        module.exit_json(**foreseen(given))
    patching = Patching(given)
    try:
        with states.work(given["run"], given["holder"], work.longest(given["inputs"])) as state:
            patching.apply(state)
            # apt has ended, and has a lock of its own: if a later task fails, the operator's next run may follow at once.
            states.release(state, given["run"])
        patching.reboot()
    except (PackagesError, states.StateError) as error:
        module.fail_json(msg=str(error), **patching.answer)
    except OSError as error:
        module.fail_json(msg=files.why(error), **patching.answer)
    for key, text in (
        ("held", "on hold, and not updated: %s"),
        ("kept_back", "not updated, for something would be removed: %s"),
        ("outdated", "these services run replaced files and are not restarted by this: %s"),
    ):
        if patching.answer[key]:
            module.warn(text % ", ".join(patching.answer[key]))
    module.exit_json(**patching.answer)


if __name__ == "__main__":
    main()
