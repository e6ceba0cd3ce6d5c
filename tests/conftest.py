"""What all tests share: how hard hypothesis tries."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# The machine may be busy: a slow example is no failure, and runs are repeatable.
settings.register_profile(
    "hardhost", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("hardhost")
