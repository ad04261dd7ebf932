# SPDX-License-Identifier: GPL-2.0-or-later
"""
Rules
-----

What a suspicion is, which rules there are, and what comes first.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from lkst.state.model import State

__all__ = ("HUNG", "KINDS", "LONG", "Suspicion", "rank", "rule", "rules")

#: Kinds of suspicions, the first to be shown first:
#: what the kernel itself calls a fault of the code that was running;
#: who has what others wait for, or keeps a CPU from all others;
#: who takes so much of something that there is none left;
#: who waits for long, whoever is to blame;
#: what is strange, and may mean nothing.
KINDS = ("fault", "holder", "hog", "waiter", "oddity")

#: What takes longer than this takes long, in ns.
LONG = 500_000_000

#: Who waits in D state or for a lock that tasks sleep with may wait for a disk: so long, in ns,
#: a slow one takes now and then.
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
    #: Rows that show it.
    rows: tuple[int, ...]
    #: Of two of one kind the heavier comes first.
    weight: float


Rule = Callable[[State], Iterable[Suspicion]]

_rules: dict[str, Rule] = {}


def rule(name: str) -> Callable[[Rule], Rule]:
    """
    Register a rule.

    :param name: by which it is known to users
    """

    def register(function: Rule) -> Rule:
        assert name not in _rules
        _rules[name] = function
        return function

    return register


def rules() -> dict[str, Rule]:
    """Give the rules by name, each a function of a state."""
    return dict(_rules)


def rank(suspicions: Iterable[Suspicion]) -> list[Suspicion]:
    """Put suspicions in order: by kind, then by weight; of one culprit only the first stays."""
    ordered = sorted(suspicions, key=lambda s: (KINDS.index(s.kind), -s.weight, s.since))
    found: dict[str, Suspicion] = {}
    for suspicion in ordered:
        found.setdefault(suspicion.culprit, suspicion)
    return list(found.values())
