# SPDX-License-Identifier: GPL-2.0-or-later
"""
Predicates
----------

Select records by the contents of their first slots. A predicate gets the second words of
some slots, and reads the slots themselves only if those words do not suffice.
"""

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from lkst.abi import layout
from lkst.decode.catalogue import Catalogue, Event, Field

__all__ = (
    "Predicate",
    "Take",
    "all_of",
    "any_of",
    "by_cpu",
    "by_event",
    "by_pid",
    "by_task_named",
    "pid_table",
    "take_from",
)

U64 = NDArray[np.uint64]
Bools = NDArray[np.bool_]
Numbers = NDArray[np.unsignedinteger]

#: Returns the (slots, 8) words of some slots, as a copy that the caller may modify.
Take = Callable[[NDArray[np.int64]], U64]
#: Takes the second words of slots; returns whether each slot matches.
Predicate = Callable[[Take, U64], Bools]

_IDS = 1 << 16
# The last entry stands for all larger numbers.
_PIDS = layout.PID_MASK + 2
# 32-bit halves of words in a slot, and the half with the current task's pid.
_HALVES = layout.SLOT_SIZE // 4
_OWN = 3
# Up to this many pids are compared one by one instead of by table.
_MAX_PIDS_COMPARED = 4


def take_from(slots: U64) -> Take:
    """Return a function that reads rows of an array of slots."""
    return lambda rows: slots.take(rows, axis=0)


def all_of(predicates: Iterable[Predicate]) -> Predicate:
    """Match records that match all of some predicates."""
    first, *others = predicates

    def wanted(take: Take, what: U64) -> Bools:
        rows = first(take, what)
        for predicate in others:
            rows &= predicate(take, what)
        return rows

    return wanted


def any_of(one: Predicate, other: Predicate) -> Predicate:
    """Match records that match one of two predicates."""
    return lambda take, what: one(take, what) | other(take, what)


def by_cpu(cpus: Iterable[int]) -> Predicate:
    """Match the records of some CPUs."""
    table = _table(cpus, _IDS)
    return lambda _, what: table.take(what.view("<u2")[1::4])


def by_event(ids: Iterable[int]) -> Predicate:
    """Match the records of some events."""
    table = _table(ids, _IDS)
    return lambda _, what: table.take(_event(what))


def by_pid(catalogue: Catalogue, pids: Iterable[int]) -> Predicate:
    """Match records that some tasks wrote, and records with one of their pids in a field."""
    some = _Pids(_table((pid for pid in pids if pid <= layout.PID_MASK), _PIDS))
    fields = _Fields((event, field) for event in catalogue.events.values() for field in event.pids)
    return lambda take, what: some.among(_own(what)) | fields.hold(some, take, what)


def by_task_named(catalogue: Catalogue, pids: Bools) -> Predicate:
    """
    Match records that carry the name of one of some tasks, and possibly a few others.

    :param pids: see :func:`pid_table`
    """
    # Only the low bits of a number too large for a pid count, as in the assignment of names.
    some = _Pids(pids, cut=True)
    fields = _Fields((event, pid) for event in catalogue.events.values() for _, pid in event.names)
    return lambda take, what: fields.hold(some, take, what)


def pid_table(what: U64) -> Bools:
    """
    Return, by pid, whether a task was current in some records.

    :param what: their second words
    """
    table = np.zeros(_PIDS, bool)
    table[_own(what)] = True
    return table


class _Pids:
    """A set of pids to search for."""

    def __init__(self, table: Bools, *, cut: bool = False) -> None:
        self._table = table
        self._cut = cut
        few = np.flatnonzero(table).astype(np.uint32)
        self._few = few.tolist() if len(few) <= _MAX_PIDS_COMPARED else None

    def among(self, numbers: Numbers) -> Bools:
        if self._cut:
            numbers = numbers & np.uint32(layout.PID_MASK)
        if self._few is None:
            return self._table.take(numbers, mode="clip")
        found = np.zeros(numbers.shape, bool)
        for pid in self._few:
            found |= numbers == pid
        return found


class _Fields:
    """Fields of several events, by their offset in a slot; None: the current task's pid."""

    def __init__(self, fields: Iterable[tuple[Event, Field | None]]) -> None:
        #: Whether an event has such a field.
        self._events = np.zeros(_IDS, bool)
        #: By event and half of a word: whether such a field is there.
        self._halves = np.zeros((_IDS, _HALVES), bool)
        #: Unaligned or wide fields, by offset and size in bytes: which events have one there.
        self._others: dict[tuple[int, int], Bools] = {}
        for event, field in fields:
            self._events[event.id] = True
            offset = layout.PAYLOAD_OFFSET + field.offset if field else 4 * _OWN
            if not field or (field.size == 4 and offset % 4 == 0):
                self._halves[event.id, offset // 4] = True
            else:
                others = self._others.setdefault((offset, field.size), np.zeros(_IDS, bool))
                others[event.id] = True

    def hold(self, pids: _Pids, take: Take, what: U64) -> Bools:
        """Return which slots hold one of some pids in such a field."""
        event = _event(what)
        rows = np.flatnonzero(self._events.take(event))
        event, slots = event.take(rows), take(rows)
        halves = slots.view("<u4")
        halves[:, _OWN] &= np.uint32(layout.PID_MASK)
        holds = pids.among(halves)
        holds &= self._halves.take(event, axis=0)
        # numpy is slow if it reduces many short rows.
        low, high = holds.view(np.uint64).T
        hold = low | high != 0
        for place, events in self._others.items():
            hold |= pids.among(_column(slots, *place)) & events.take(event)
        found = np.zeros(len(what), bool)
        found[rows] = hold
        return found


def _column(slots: U64, offset: int, size: int) -> Numbers:
    data = np.ascontiguousarray(slots.view(np.uint8)[:, offset : offset + size])
    column = data.view(f"<u{size}")[:, 0].astype(np.uint64)
    return np.minimum(column, np.uint64(_PIDS)).astype(np.uint32)


def _event(what: U64) -> Numbers:
    return what.view("<u2")[::4]


def _own(what: U64) -> Numbers:
    """Return the pids of the current tasks."""
    return what.view("<u4")[1::2] & np.uint32(layout.PID_MASK)


def _table(numbers: Iterable[int], size: int) -> Bools:
    table = np.zeros(size, bool)
    table[[number for number in numbers if 0 <= number < size]] = True
    return table
