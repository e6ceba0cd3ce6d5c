"""Makes the code that runs on hosts importable under the names it has there."""

from __future__ import annotations

from pathlib import Path

import ansible.module_utils

ROLES = Path(__file__).parents[3] / "roles"

ansible.module_utils.__path__ += [str(path) for path in sorted(ROLES.glob("*/module_utils"))]
