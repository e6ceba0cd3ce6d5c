"""On a host under test: what modules need of Ansible, so that `main` runs without a controller."""

from __future__ import annotations

import json
import sys
from typing import Any, NoReturn


class AnsibleModule:
    """Parameters from standard input, defaults from the spec, the answer on standard output."""

    def __init__(self, argument_spec: dict[str, Any], supports_check_mode: bool) -> None:
        request = json.load(sys.stdin)
        self.check_mode = bool(request.get("check"))
        unknown = sorted(set(request["parameters"]) - set(argument_spec))
        missing = [
            name
            for name, option in argument_spec.items()
            if option.get("required") and name not in request["parameters"]
        ]
        if unknown or missing:
            raise SystemExit(f"unknown: {unknown}, missing: {missing}")
        self.params = {
            name: request["parameters"].get(name, option.get("default"))
            for name, option in argument_spec.items()
        }
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    def exit_json(self, **answer: Any) -> NoReturn:
        print(json.dumps({**answer, "warnings": self.warnings}, default=str))  # noqa: T201
        raise SystemExit(0)

    def fail_json(self, **answer: Any) -> NoReturn:
        print(json.dumps({**answer, "failed": True}, default=str))  # noqa: T201
        raise SystemExit(1)
