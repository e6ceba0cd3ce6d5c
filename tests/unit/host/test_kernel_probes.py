"""A socket of the kernel's cryptography: refused to both, opened by one, or nothing proved."""

from __future__ import annotations

from typing import Any

import kernel_probes as probes
import pytest
from conclusions import NotInForce, ProvesNothing


class Laboratory:
    def __init__(self, attempt: int, runs: int = 0) -> None:
        self.codes = {"afalg": attempt, "ids": runs}

    def run(self, command: list[str], host: dict[str, Any]) -> tuple[int, str]:
        assert host == probes.UNFILTERED, "else the engine's own filter may be what refuses"
        return self.codes[command[0]], ""


@pytest.mark.parametrize(
    ("host", "attempt", "runs", "outcome"),
    [
        ("not supported", 1, 0, None),
        ("", 1, 0, NotInForce),
        ("not supported", 0, 0, NotInForce),
        ("not supported", 2, 0, ProvesNothing),
        ("not supported", 1, 125, ProvesNothing),
    ],
)
def test_af_alg_blocked(
    monkeypatch: pytest.MonkeyPatch,
    host: str,
    attempt: int,
    runs: int,
    outcome: type[Exception] | None,
) -> None:
    monkeypatch.setattr(probes, "refused_by_host", lambda: host)
    if outcome is None:
        assert host in probes.af_alg_blocked(Laboratory(attempt, runs), {})
    else:
        with pytest.raises(outcome):
            probes.af_alg_blocked(Laboratory(attempt, runs), {})
