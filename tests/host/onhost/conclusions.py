"""What a probe may conclude besides that a control is in force.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations


class NotInForce(Exception):
    """What the control forbids was possible."""


class ProvesNothing(Exception):
    """What must be possible was not."""
