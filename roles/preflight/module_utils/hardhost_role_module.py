"""What the modules of roles have in common: what they are given, how they answer, and how they fail.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import subprocess

from ansible.module_utils import hardhost_files as files
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.hardhost_programs import Failed
from ansible.module_utils.hardhost_redaction import redact_text
from ansible.module_utils.hardhost_state import StateError

PARAMETERS = {
    "controls": {"type": "list", "elements": "dict", "required": True},
    "run": {"type": "str", "required": True},
    "holder": {"type": "str", "required": True},
}


class Refused(Exception):
    """Something was not done; the text says what and why."""


def run(apply, wrong, errors=(), **more):
    """Answer with what `apply(parameters, check_mode)` gives, as `exit_json` takes it.

    `wrong` says what is the matter if it fails, before the reason; `errors` are the role's own failures beside the usual ones;
    `more` are parameters beside the usual ones.
    """
    module = AnsibleModule(argument_spec=dict(PARAMETERS, **more), supports_check_mode=True)
    try:
        answer = apply(module.params, module.check_mode)
    except (Refused, Failed, StateError, subprocess.SubprocessError) + tuple(errors) as error:
        module.fail_json(msg=redact_text("%s: %s" % (wrong, error)))
    except OSError as error:
        module.fail_json(msg=redact_text("%s: %s" % (wrong, files.why(error))))
    module.exit_json(**answer)


def outcome(identifiers, touched):
    """The part of an answer that says what became of each control."""
    return {
        "changed": bool(touched),
        "controls": {one: "applied" if one in touched else "unchanged" for one in identifiers},
    }
