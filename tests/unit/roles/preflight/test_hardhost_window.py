"""A restart waits for its window; whether it is open is systemd's word."""

from __future__ import annotations

import shutil
import subprocess
import time

import pytest
from ansible.module_utils import hardhost_window as window

systemd = pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="no systemd on this machine"
)


@pytest.mark.parametrize("policy", ["when_needed", None, ""])
def test_without_a_window_a_restart_may_be(policy: str | None) -> None:
    assert window.closed(policy, {}) == ""


def test_never_is_never() -> None:
    assert (
        window.closed("never", {"calendar": "*:*", "duration": "1h"})
        == "docker_restart_policy is never"
    )


@pytest.mark.parametrize(
    "given", [{}, {"calendar": "Sat 02:00"}, {"duration": "2h"}, {"calendar": "", "duration": ""}]
)
def test_half_a_window_is_closed(given: dict[str, str]) -> None:
    assert "has no calendar or no duration" in window.closed("window", given)


@systemd
@pytest.mark.parametrize("duration", ["2h", "90min", "1d 2h"])
def test_a_window_that_has_opened_is_open(duration: str) -> None:
    minute = time.strftime("*-*-* %H:%M:00", time.localtime(time.time() - 60))
    assert window.closed("window", {"calendar": minute, "duration": duration}) == ""


@systemd
def test_a_window_that_has_not_opened_is_closed() -> None:
    later = time.strftime("*-*-* %H:%M:00", time.localtime(time.time() + 3 * 3600))
    assert window.closed("window", {"calendar": later, "duration": "1h"}) == (
        f"the restart window ({later} for 1h) is closed"
    )


@systemd
def test_a_window_that_has_ended_is_closed() -> None:
    earlier = time.strftime("*-*-* %H:%M:00", time.localtime(time.time() - 3 * 3600))
    assert window.closed("window", {"calendar": earlier, "duration": "1h"}).endswith("is closed")
    assert window.closed("window", {"calendar": earlier, "duration": "4h"}) == ""


@systemd
@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"calendar": "Sat 02:00", "duration": "long"}, "'long' is no duration"),
        ({"calendar": "someday", "duration": "2h"}, "'someday' is no calendar expression"),
        ({"calendar": "--help", "duration": "2h"}, "is no calendar expression"),
        ({"calendar": "Sat 02:00", "duration": "--version"}, "is no duration"),
    ],
)
def test_what_systemd_does_not_understand_is_said(given: dict[str, str], text: str) -> None:
    assert text in window.closed("window", given)


@systemd
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kolkata"])
def test_the_hosts_time_zone_counts(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", zone)
    now = subprocess.run(
        ["date", "-d", "-1 minute", "+%H:%M"], capture_output=True, text=True, check=True
    )
    calendar = f"*-*-* {now.stdout.strip()}:00 {zone}"
    assert window.closed("window", {"calendar": calendar, "duration": "10min"}) == ""
