"""Hand the trial image of the role to the module `docker_restart`, packed, so that no further remote step is needed.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import base64
import zlib
from pathlib import Path

from ansible.plugins.action import ActionBase

FILES = Path(__file__).parent.parent / "files"


class ActionModule(ActionBase):
    """Passes every argument on to the module and adds `image`."""

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        archives = {
            path.stem.partition("-")[2]: path.read_bytes()
            for path in sorted(FILES.glob("probe-*.tar"))
        }
        image = {
            name: base64.b64encode(zlib.compress(data, 9)).decode("ascii")
            for name, data in archives.items()
        }
        arguments = dict(self._task.args, image=image)
        result.update(self._execute_module("docker_restart", arguments, task_vars=task_vars))
        return result
