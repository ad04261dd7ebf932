# SPDX-License-Identifier: GPL-2.0-or-later
"""
Sieves
------

Which records are wanted, by what their first slots say. A predicate is given the second words of
some slots, and looks at the slots themselves where these do not tell enough.
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

#: Gives (slots, 8) words of some of the slots, which may be overwritten.
Take = Callable[[NDArray[np.int64]], U64]
#: Gets the second words; tells of each slot whether it is wanted.
Predicate = Callable[[Take, U64], Bools]

_IDS = 1 << 16
# The last one is none, and stands for what is larger.
_PIDS = layout.PID_MASK + 2
# Halves of words in a slot, and the one that has the current task's pid.
_HALVES = layout.SLOT_SIZE // 4
_OWN = 3
# So few pids are compared one by one.
_MAX_PIDS_COMPARED = 4


def take_from(slots: U64) -> Take:
    """Give slots of those that follow each other."""
    return lambda rows: slots.take(rows, axis=0)


def all_of(predicates: Iterable[Predicate]) -> Predicate:
    """Let through what all of some predicates do."""
    first, *others = predicates

    def wanted(take: Take, what: U64) -> Bools:
        rows = first(take, what)
        for predicate in others:
            rows &= predicate(take, what)
        return rows

    return wanted


def any_of(one: Predicate, other: Predicate) -> Predicate:
    """Let through what one of two predicates does."""
    return lambda take, what: one(take, what) | other(take, what)


def by_cpu(cpus: Iterable[int]) -> Predicate:
    """Let through what some CPUs wrote."""
    table = _table(cpus, _IDS)
    return lambda _, what: table.take(what.view("<u2")[1::4])


def by_event(ids: Iterable[int]) -> Predicate:
    """Let through the records of some events."""
    table = _table(ids, _IDS)
    return lambda _, what: table.take(_event(what))


def by_pid(catalogue: Catalogue, pids: Iterable[int]) -> Predicate:
    """Let through what some tasks wrote, and what has one of their pids in a field."""
    some = _Pids(_table((pid for pid in pids if pid <= layout.PID_MASK), _PIDS))
    fields = _Fields((event, field) for event in catalogue.events.values() for field in event.pids)
    return lambda take, what: some.among(_own(what)) | fields.hold(some, take, what)


def by_task_named(catalogue: Catalogue, pids: Bools) -> Predicate:
    """
    Let through what carries the name of one of some tasks, and perhaps a little more.

    :param pids: see :func:`pid_table`
    """
    # As names are assigned: of a number that is too large for a pid its lower bits count.
    some = _Pids(pids, cut=True)
    fields = _Fields((event, pid) for event in catalogue.events.values() for _, pid in event.names)
    return lambda take, what: fields.hold(some, take, what)


def pid_table(what: U64) -> Bools:
    """
    Tell by pid whether a task was current in some records.

    :param what: their second words
    """
    table = np.zeros(_PIDS, bool)
    table[_own(what)] = True
    return table


class _Pids:
    """Some pids, to be found among numbers."""

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
    """Fields of several events, by where they lie in a slot; None: the current task's pid."""

    def __init__(self, fields: Iterable[tuple[Event, Field | None]]) -> None:
        #: Which events have any.
        self._events = np.zeros(_IDS, bool)
        #: By event and half of a word, whether such a field is there.
        self._halves = np.zeros((_IDS, _HALVES), bool)
        #: By offset and size, in bytes, of others: which events have one there.
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
        """Tell which slots hold one of some pids in such a field."""
        event = _event(what)
        rows = np.flatnonzero(self._events.take(event))
        event, slots = event.take(rows), take(rows)
        halves = slots.view("<u4")
        halves[:, _OWN] &= np.uint32(layout.PID_MASK)
        holds = pids.among(halves)
        holds &= self._halves.take(event, axis=0)
        # A call for many short rows is slow.
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
    """Give the pids of the tasks that were current."""
    return what.view("<u4")[1::2] & np.uint32(layout.PID_MASK)


def _table(numbers: Iterable[int], size: int) -> Bools:
    table = np.zeros(size, bool)
    table[[number for number in numbers if 0 <= number < size]] = True
    return table
