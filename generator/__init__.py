"""hardhost compiles a hardening profile into a self-contained Ansible project."""

from __future__ import annotations

__version__ = "0.1.0"
