# SPDX-License-Identifier: GPL-2.0-or-later
"""
Rules
-----

What a suspicion is, the registry of rules, and the order of suspicions.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from lkst.state.model import State

__all__ = ("HUNG", "KINDS", "LONG", "Suspicion", "rank", "rule", "rules")

#: Kinds of suspicions, in the order in which they are shown:
#: fault: the kernel reported a fault of the code that was running;
#: holder: holds what others wait for, or keeps a CPU from all others;
#: hog: has used up a resource;
#: waiter: waits for long, whoever is to blame;
#: oddity: unusual, and may mean nothing.
KINDS = ("fault", "holder", "hog", "waiter", "oddity")

#: Anything that takes longer than this takes long, in ns.
LONG = 500_000_000

#: The same for a task in D state, or waiting for a sleeping lock, in ns: it may wait for a disk,
#: and a slow disk sometimes takes this long.
HUNG = 1_500_000_000


@dataclass(frozen=True)
class Suspicion:
    """Something that looks wrong."""

    rule: str
    #: One of KINDS.
    kind: str
    #: Task (``name:pid``), function, lock or device.
    culprit: str
    text: str
    #: When it began, in ns of CLOCK_MONOTONIC.
    since: int
    #: Rows of the records that are its evidence.
    rows: tuple[int, ...]
    #: Within a kind, greater weights come first.
    weight: float


Rule = Callable[[State], Iterable[Suspicion]]

_rules: dict[str, Rule] = {}


def rule(name: str) -> Callable[[Rule], Rule]:
    """
    Register a rule.

    :param name: the rule's name, as users see it
    """

    def register(function: Rule) -> Rule:
        assert name not in _rules
        _rules[name] = function
        return function

    return register


def rules() -> dict[str, Rule]:
    """Return the rules by name, each a function of a state."""
    return dict(_rules)


def rank(suspicions: Iterable[Suspicion]) -> list[Suspicion]:
    """Sort suspicions by kind, then by weight; keep only the first of each culprit."""
    ordered = sorted(suspicions, key=lambda s: (KINDS.index(s.kind), -s.weight, s.since))
    found: dict[str, Suspicion] = {}
    for suspicion in ordered:
        found.setdefault(suspicion.culprit, suspicion)
    return list(found.values())
