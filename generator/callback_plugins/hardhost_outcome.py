"""Ansible callback: leaves in a file, as data, why hosts could not be reached or failed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase  # type: ignore[import-untyped]

DOCUMENTATION = """
name: hardhost_outcome
type: notification
short_description: why hosts could not be reached or failed
description: Writes host and reason as JSON to the file that HARDHOST_OUTCOME names.
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """Collects during the run and writes at its end."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "hardhost_outcome"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._found: dict[str, dict[str, str]] = {"unreachable": {}, "failed": {}}

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._note("unreachable", result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        if not ignore_errors:
            self._note("failed", result)

    def v2_playbook_on_stats(self, stats: Any) -> None:  # noqa: ARG002 - Ansible's signature
        Path(os.environ["HARDHOST_OUTCOME"]).write_text(json.dumps(self._found), encoding="utf-8")

    def _note(self, kind: str, result: Any) -> None:
        text = str(result.result.get("msg") or "no message")
        self._found[kind][result.host.get_name()] = " ".join(text.split())
