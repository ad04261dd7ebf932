# SPDX-License-Identifier: GPL-2.0-or-later
"""
Suspicions
----------

What looks wrong in a state, found by named rules. A rule judges what happened, never a
known culprit's name.
"""

from lkst.state.model import State
from lkst.state.rules import (  # noqa: F401  (each registers its rules)
    cpus,
    devices,
    faults,
    locks,
    memory,
    signals,
    starved,
    storms,
    waits,
)
from lkst.state.rules.base import KINDS, Suspicion, rank, rules

__all__ = ("KINDS", "Suspicion", "find_suspicions", "rules")


def find_suspicions(state: State) -> list[Suspicion]:
    """Apply all rules and return their suspicions in the order of rank."""
    return rank(suspicion for rule in rules().values() for suspicion in rule(state))
