# SPDX-License-Identifier: GPL-2.0-or-later
"""
Triggers in the kernel
----------------------

A trigger is an entry of one table, and its condition is clauses in another. There are
two tables of clauses: one is in use, the other is written and activated with one store.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from lkst.abi import layout
from lkst.abi.control import Clause as RawClause
from lkst.abi.control import Control, Rules
from lkst.errors import LkstError
from lkst.record.trigger.compile import Clause, Term

__all__ = (
    "TriggerStatus",
    "drop_trigger",
    "find_trigger",
    "list_triggers",
    "make_table",
    "raw_clause",
    "set_table",
    "used_clauses",
)


@dataclass(frozen=True)
class TriggerStatus:
    """A trigger and its counters."""

    name: str
    when: str
    action: str
    #: The shortest time between two firings, in ns.
    interval: int
    #: Firings, and hits that the interval suppressed.
    fired: int
    held: int
    #: CLOCK_MONOTONIC of the last firing, in ns; 0: none.
    last: int


def list_triggers(control: Control) -> list[TriggerStatus]:
    """Return all triggers."""
    return [
        TriggerStatus(
            trigger.name.decode(),
            trigger.when.decode(),
            trigger.action.decode(),
            trigger.interval,
            trigger.fired,
            trigger.held,
            trigger.last,
        )
        for trigger in control.trigger
        if trigger.used == layout.TRIGGER_ON
    ]


def find_trigger(control: Control, name: str) -> int | None:
    """Return the number of a trigger; None: there is none of this name."""
    for number, trigger in enumerate(control.trigger):
        if trigger.used and trigger.name == name.encode():
            return number
    return None


def raw_clause(clause: Clause, number: int) -> RawClause:
    """
    Convert a clause to the struct that the programs read.

    :param number: of its trigger
    """
    raw = RawClause(event=clause.event.id, trigger=number, nr_terms=len(clause.terms))
    for place, term in enumerate(clause.terms):
        _fill_term(raw, place, term)
    return raw


def _fill_term(raw: RawClause, place: int, term: Term) -> None:
    own = raw.term[place]
    own.offset, own.size = term.field.offset, term.field.size
    own.op, own.is_signed = layout.OPS.index(term.op), term.signed
    if isinstance(term.value, bytes):
        padded = term.value.ljust(16, b"\0")
        own.value[0] = int.from_bytes(padded[:8], "little")
        own.value[1] = int.from_bytes(padded[8:], "little")
    else:
        own.value[0] = term.value & (1 << 64) - 1


def used_clauses(control: Control) -> list[RawClause]:
    """Return the clauses of all existing triggers."""
    table = control.rules[control.active_rules % 2]
    clauses = [
        table.clause[table.first[event] + place]
        for event in range(layout.MAX_EVENTS)
        for place in range(table.nr[event])
    ]
    return [clause for clause in clauses if control.trigger[clause.trigger].used]


def make_table(clauses: Sequence[RawClause]) -> Rules:
    """
    Sort clauses by event, as the programs look them up.

    :raises LkstError: if there are too many
    """
    if len(clauses) > layout.MAX_CLAUSES:
        raise LkstError(
            f"all triggers together have {len(clauses)} conditions: at most {layout.MAX_CLAUSES}"
        )
    table = Rules()
    for place, clause in enumerate(sorted(clauses, key=lambda c: int(c.event))):
        if not table.nr[clause.event]:
            table.first[clause.event] = place
        table.nr[clause.event] += 1
        table.clause[place] = clause
    return table


def set_table(control: Control, table: Rules) -> None:
    """Activate a new table of clauses."""
    other = (control.active_rules + 1) % 2
    control.rules[other] = table
    control.active_rules = other


def drop_trigger(control: Control, number: int) -> None:
    """Disable a trigger and free its entry."""
    control.trigger[number].used = 0
    set_table(control, make_table(used_clauses(control)))
