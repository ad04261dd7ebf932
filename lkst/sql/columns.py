# SPDX-License-Identifier: GPL-2.0-or-later
"""
Columns
-------

Inputs of the tables: the columns of a trace in the smallest types that hold them, the
rows of each event, and columns of names.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from lkst.abi import layout
from lkst.decode.catalogue import Event
from lkst.replay.cells import distinct
from lkst.replay.numbers import namer_of
from lkst.sql.holes import Holes, find_holes, find_unrecorded_switches
from lkst.trace.event_table import I64, Table, table
from lkst.trace.names.index import decode_comm, factorize
from lkst.trace.trace import Trace
from lkst.util.quoting import well_formed

__all__ = ("Column", "Maybe", "Names", "TableColumns", "named_by")

T = TypeVar("T")

#: Rows that are converted at a time, to bound temporary memory.
_BLOCK = 1 << 20

_NAME = 16  # bytes of a comm or a name: recorder/types.h


@dataclass(frozen=True)
class Maybe:
    """Numbers, some of which are not known."""

    values: NDArray[Any]
    valid: NDArray[np.bool_]


@dataclass(frozen=True)
class Names:
    """Texts, dictionary-encoded."""

    names: list[str]
    #: Index of each row's text; -1: none.
    codes: NDArray[np.signedinteger[Any]]

    def __getitem__(self, which: I64) -> "Names":
        """Return the texts of some rows; -1: none."""
        if not len(self.codes):
            return Names(self.names, np.full(len(which), -1, np.int64))
        return Names(self.names, np.where(which < 0, -1, self.codes[which]))


#: A column of a table.
Column = NDArray[Any] | Maybe | Names


class TableColumns:
    """The columns of a whole trace, without its filters."""

    def __init__(self, trace: Trace) -> None:
        """Prepare; columns are computed on first use."""
        self.trace = trace.whole
        self._kept: dict[Any, Any] = {}

    def keep(self, build: Callable[["TableColumns"], T]) -> T:
        """Return the result of a function of the columns, computed once."""
        if build not in self._kept:
            self._kept[build] = build(self)
        return cast(T, self._kept[build])

    def __len__(self) -> int:
        return len(self.trace)

    @property
    def ts(self) -> I64:
        """Times, in ns of CLOCK_MONOTONIC."""
        return self.trace.ts

    @cached_property
    def _what(self) -> tuple[NDArray[np.uint16], NDArray[np.uint16], NDArray[np.int32]]:
        records = self.trace.records
        event, cpu = np.zeros(len(self), np.uint16), np.zeros(len(self), np.uint16)
        pid = np.zeros(len(self), np.uint32)
        for start in range(0, len(self), _BLOCK):
            rows = slice(start, start + _BLOCK)
            what = records.slots[records.first[rows], 1]
            halves = what.view("<u2").reshape(-1, 4)
            event[rows], cpu[rows] = halves[:, 0], halves[:, 1]
            pid[rows] = what >> np.uint64(layout.PID_SHIFT) & np.uint64(layout.PID_MASK)
        return event, cpu, pid.view(np.int32)

    @property
    def event(self) -> NDArray[np.uint16]:
        """Ids of the events."""
        return self._what[0]

    @property
    def cpu(self) -> NDArray[np.uint16]:
        """CPUs that wrote the records."""
        return self._what[1]

    @property
    def pid(self) -> NDArray[np.int32]:
        """Thread ids of the current tasks; 0 is the idle task of each CPU."""
        return self._what[2]

    @cached_property
    def holes(self) -> Holes:
        """When records of a CPU may be missing."""
        return find_holes(self.trace, self.cpu)

    @cached_property
    def unrecorded_switches(self) -> Holes:
        """When CPUs switched to another thread without a record."""
        return find_unrecorded_switches(self.trace)

    @cached_property
    def _by_event(self) -> tuple[NDArray[np.uint32], I64]:
        order = np.argsort(self.event, kind="stable").astype(np.uint32)
        counts = np.bincount(self.event, minlength=1 << 16)
        return order, np.concatenate((np.zeros(1, np.int64), np.cumsum(counts)))

    def rows(self, event: Event) -> I64:
        """Return the rows of an event, in the order of time."""
        order, starts = self._by_event
        return order[starts[event.id] : starts[event.id + 1]].astype(np.int64)

    def table(self, names: str | Iterable[str], *fields: str) -> Table:
        """Return the records of events: see :func:`lkst.trace.event_table.table`."""
        return table(self.trace, names, *fields, rows=self.rows)

    def recorded(self, *names: str) -> bool:
        """Check whether each of some events has a record."""
        counts = np.diff(self._by_event[1])
        ids = {event.name: event.id for event in self.trace.catalogue.events.values()}
        return all(name in ids and counts[ids[name]] for name in names)

    @cached_property
    def _comms(self) -> Names:
        names: dict[str, int] = {}
        codes = np.zeros(len(self), np.int32)
        for start in range(0, len(self), _BLOCK):
            rows = slice(start, min(start + _BLOCK, len(self)))
            found, which = self.trace.task_names.codes_of(
                self.pid[rows], self.cpu[rows], np.arange(rows.start, rows.stop)
            )
            own = [names.setdefault(well_formed(name), len(names)) for name in found]
            codes[rows] = np.array(own, np.int32)[which]
        return Names(list(names), codes)

    def comms(self, rows: I64) -> Names:
        """Return the names of the current tasks of some rows; of row -1, none."""
        return self._comms[rows]

    def texts(self, rows: I64, field: str) -> Names:
        """
        Return a field that is a comm, a name or a text.

        :param rows: rows of any events, in the order of time; an event without the field has none
        """
        names: dict[str, int] = {}
        codes = np.full(len(rows), -1, np.int64)
        events = self.event[rows]
        for id_ in np.unique(events).tolist():
            event = self.trace.catalogue.events.get(id_)
            found = event and event.field(field)
            if not event or not found:
                continue
            where = np.flatnonzero(events == id_)
            if found.type == "text" and found.is_number:
                texts = self.trace.texts(found, rows[where])
                codes[where] = [names.setdefault(text, len(names)) for text in texts]
            elif found.size == _NAME:
                column = self.trace.column(found, rows[where])
                raw, which = factorize(column.astype(np.bytes_, copy=False))
                shown = [well_formed(decode_comm(name)) for name in raw.tolist()]
                own = [names.setdefault(name, len(names)) for name in shown]
                codes[where] = np.array(own, np.int64)[which]
        return Names(list(names), codes)

    def named(self, type_: str, values: NDArray[Any]) -> Names:
        """Return the names of numbers of a field's type, as lkst replay shows them."""
        names, namer = self.trace.facts.names, namer_of(type_)
        return named_by(lambda value: str(namer(value, names) if namer else value), values)

    def symbols(self, values: I64) -> Names:
        """Return the symbols of kernel addresses; 0 has none."""
        named = self.named("ksym", values.view(np.uint64))
        return Names(named.names, np.where(values == 0, -1, named.codes))


def named_by(name: Callable[[int], str], values: NDArray[Any]) -> Names:
    """Name numbers by a function, which is called once for each distinct number."""
    if not len(values):
        return Names([], np.zeros(0, np.int64))
    numbers, codes = distinct(values)
    return Names([name(number) for number in numbers], codes)
