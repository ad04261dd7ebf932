# SPDX-License-Identifier: GPL-2.0-or-later
"""
Trace
-----

The records of a source in the order of time, as columns. Whatever is shown or
measured is a function of a Trace.
"""

from collections.abc import Iterator
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lkst.abi import layout
from lkst.abi.control import Control, read_control
from lkst.decode import payload
from lkst.decode.catalogue import Catalogue, Event, Field, Header
from lkst.decode.ends import Ends, few_pass, find_ends
from lkst.decode.image import Image
from lkst.decode.records import BufferLoss, Records, find_records
from lkst.decode.ring import CPULoss
from lkst.decode.scan import KNOWN
from lkst.decode.sieve import Sieve
from lkst.trace.endnames import EndNames
from lkst.trace.facts import Facts
from lkst.trace.siftnames import SiftNames
from lkst.trace.spans import Span, find_spans
from lkst.trace.tasks import TaskNames, carriers
from lkst.trace.wallclock import WallClock, find_wall_clock

__all__ = ("Trace",)

#: Rows that are looked at a time for the panic.
_ROWS = 1 << 14

#: Each end of a trace that is looked at is so many times as long as the last.
_LONGER = 4

# Kinds of events: see lkst.decode.scan.
_PANIC = 2
_NAMES = 4


class Trace:
    """
    The records of one recorder.

    Rows are records in the order of time; all columns have one entry for each. They are
    decoded when they are first asked for; see :meth:`ends` for how to ask for less.
    """

    def __init__(
        self,
        image: Image,
        catalogue: Catalogue,
        facts: Facts,
        *,
        records: Records | None = None,
        whole: "Trace | None" = None,
        position: NDArray[np.int64] | None = None,
        names: SiftNames | None = None,
    ) -> None:
        """
        Put a trace together.

        :param records: None: all that the image has
        :param whole: the trace that this one is a selection of
        :param position: rows of that trace; None: they are not known yet
        :param names: of tasks; None: they are those of the whole trace
        """
        self.image = image
        self.catalogue = catalogue
        if records is not None:
            self.records = records
        self.facts = facts
        self._whole = whole
        self._position = position
        self._names = names
        #: Where not all records are decoded, what is to be said of them.
        self._ends: Ends | None = None

    @cached_property
    def records(self) -> Records:
        """What the columns are made of."""
        return find_records(self.image, self.catalogue)

    @property
    def whole(self) -> "Trace":
        """The trace that this one is a selection of, or itself."""
        # Not kept: what refers to itself keeps its memory until Python looks for such things.
        return self if self._whole is None else self._whole

    @property
    def _partly(self) -> Ends | None:
        """What is known of a whole trace that is not decoded; None: it is, or will be."""
        return None if "records" in self.__dict__ else self._ends

    def __len__(self) -> int:
        return self._partly.total if self._partly else len(self.records.first)

    def ends(self, least: int) -> Iterator["Trace"]:
        """
        Give ever longer ends of a trace, decoded no further than that; the last is all of it.

        :param least: how many records they are to have, if there are as many
        """
        self._look_over(least)
        yield from self._known_ends(least)

    def _look_over(self, least: int) -> None:
        """Find out what is to be said of all records, unless it is better to decode them."""
        if "records" not in self.__dict__ and self._ends is None:
            kinds = np.zeros(1 << 16, np.uint8)
            kinds[list(self.catalogue.events)] = KNOWN
            kinds[self._panics] |= _PANIC
            kinds[carriers(self)] |= _NAMES
            self._ends = find_ends(self.image, self.catalogue, kinds, least)

    def _known_ends(self, least: int) -> Iterator["Trace"]:
        """Do so only if it has been done before."""
        while self._partly and (records := self._partly.newest(least)):
            total, count = self._partly.total, len(records.first)
            yield Trace(
                self.image,
                self.catalogue,
                self.facts,
                records=records,
                whole=self.whole,
                position=np.arange(total - count, total),
            )
            least = _LONGER * max(least, count)
        yield self

    def sift(self, sieve: Sieve, *, few: bool = False) -> "Trace":
        """
        Give the records that pass a sieve; where they are few, no others are decoded.

        :param few: whether to do as if they were
        """
        if "records" not in self.__dict__ and (few or few_pass(self.image, sieve)):
            self._look_over(0)
            if self._partly:
                records = self._partly.sift(sieve)
                names = SiftNames(self, sieve, records.what)
                return Trace(
                    self.image, self.catalogue, self.facts, records=records, whole=self, names=names
                )
        return self.select(self.records.passing(sieve))

    @property
    def header(self) -> Header:
        return self.catalogue.header

    def select(self, rows: NDArray[np.bool_] | NDArray[np.int64] | slice) -> "Trace":
        """Give a trace of some of the rows."""
        return Trace(
            self.image,
            self.catalogue,
            self.facts,
            records=self.records.select(rows),
            whole=self.whole,
            position=self._positions(rows),
            names=self._names,
        )

    def _positions(
        self, rows: NDArray[np.bool_] | NDArray[np.int64] | slice
    ) -> NDArray[np.int64] | None:
        if self._position is not None:
            return self._position[rows]
        if self.whole is not self:
            return None
        if isinstance(rows, slice):
            return np.arange(*rows.indices(len(self)))
        if rows.dtype == bool:
            return np.flatnonzero(rows)
        return np.where(rows < 0, rows + len(self), rows)

    @property
    def position(self) -> NDArray[np.int64]:
        """Rows of the whole trace."""
        if self._position is None:
            whole = self.whole
            rows = np.arange(len(whole))
            if whole is not self:
                slots = whole.records.first
                order = np.argsort(slots)
                rows = order[np.searchsorted(slots, self.records.first, sorter=order)]
            self._position = rows
        return self._position

    @property
    def ts(self) -> NDArray[np.int64]:
        """Times, in ns of CLOCK_MONOTONIC."""
        return self.records.ts.view(np.int64)

    def _halves(self, kind: str) -> NDArray[np.integer]:
        """Give the second words in pieces."""
        return np.ascontiguousarray(self.records.what).view(kind)

    @cached_property
    def event(self) -> NDArray[np.int64]:
        """Ids of the events."""
        return self._halves("<u2")[::4].astype(np.int64)

    @cached_property
    def occurring(self) -> frozenset[int]:
        """Ids of the events of which there are records."""
        return frozenset(np.flatnonzero(np.bincount(self.event)).tolist())

    @cached_property
    def cpu(self) -> NDArray[np.int64]:
        """CPUs that wrote the records."""
        return self._halves("<u2")[1::4].astype(np.int64)

    @cached_property
    def buffer(self) -> NDArray[np.int64]:
        """Numbers of the buffers that the records are in."""
        numbers = np.array([buffer.number for buffer in self.image.buffers], np.int64)
        if len(set(numbers.tolist())) == 1:
            return np.full(len(self), numbers[0])
        which = self.records.rings.which(self.records.first)
        return numbers[self.records.rings.buffer[which]]

    @cached_property
    def cpu_spans(self) -> dict[int, Span]:
        """Sum up the records of each CPU."""
        if self._partly:
            return self._spans(self._partly, [ring.cpu for ring in self._partly.found.each])
        return find_spans(self.cpu, self.ts)

    @cached_property
    def buffer_spans(self) -> dict[int, Span]:
        """Sum up the records of each buffer, by its number."""
        if self._partly:
            numbers = [ring.buffer.number for ring in self._partly.found.each]
            return self._spans(self._partly, numbers)
        return find_spans(self.buffer, self.ts)

    @staticmethod
    def _spans(ends: Ends, keys: list[int]) -> dict[int, Span]:
        """Sum up the records of the rings that have the same key."""
        spans = {}
        for key in sorted(set(keys)):
            own = [ring for ring, its in zip(ends.found.each, keys, strict=True) if its == key]
            if span := ends.span(own):
                count, *times = span
                first, last = np.array(times, np.uint64).view(np.int64).tolist()
                spans[key] = Span(count, first, last)
        return spans

    @property
    def losses(self) -> list[CPULoss]:
        """What each CPU's rings have lost."""
        return self._partly.found.losses if self._partly else self.records.losses

    @property
    def buffer_losses(self) -> list[BufferLoss]:
        """What is left of each buffer, and what it has lost."""
        return self._partly.found.buffers if self._partly else self.records.buffers

    @property
    def faults(self) -> list[str]:
        """What was damaged."""
        return self._partly.found.faults if self._partly else self.records.faults

    @cached_property
    def event_counts(self) -> NDArray[np.int64]:
        """Count the records of each event, by its id."""
        return np.bincount(self.event, minlength=1 << 16)

    @property
    def buffer_names(self) -> dict[int, str]:
        """Names of the buffers, by number."""
        return {buffer.number: buffer.name for buffer in self.image.buffers}

    @cached_property
    def control(self) -> Control | None:
        """What ``struct lkst_control`` says; None if it is damaged or not there."""
        if self.whole is not self:
            return self.whole.control
        control = read_control(self.image.control)
        return control if control and control.tag == self.header.tag else None

    @cached_property
    def pid(self) -> NDArray[np.int64]:
        """Thread ids of the tasks that were current; 0 is the idle task of each CPU."""
        pid = self._halves("<u4")[1::2].astype(np.int64)
        pid &= layout.PID_MASK
        return pid

    @property
    def flags(self) -> NDArray[np.uint8]:
        """Flags: TRUNCATED, STACK, TORN, IN_FLIGHT of :mod:`lkst.decode.ring`."""
        return self.records.flags

    @cached_property
    def task_names(self) -> TaskNames | EndNames | SiftNames:
        """Names of tasks over time, from the records of the whole trace."""
        if self._names:
            return self._names
        if self.whole is not self:
            return self.whole.task_names
        return EndNames(self) if self._partly else self.all_task_names

    @cached_property
    def all_task_names(self) -> TaskNames:
        """The same, of a whole trace, when all of it has been read."""
        return TaskNames(self)

    @property
    def may_name_tasks(self) -> bool:
        """Whether there can be records that name tasks."""
        return not self._partly or bool(self._partly.kinds & _NAMES)

    @property
    def end(self) -> int:
        """
        The time that a replay counts from, in ns of CLOCK_MONOTONIC.

        That of the panic, or of the last record where there was none.
        """
        return self.whole._end

    @cached_property
    def _end(self) -> int:
        if self.panic:
            return int(self.panic.ts[0])
        if not len(self):
            return 0
        return int((next(self._known_ends(1))).ts[-1])

    @property
    def _panics(self) -> list[int]:
        """Ids of the event."""
        return [e.id for e in self.catalogue.events.values() if e.name == "panic"]

    @cached_property
    def panic(self) -> "Trace | None":
        """The record of the panic in the whole trace, if there is one: see panic_row."""
        whole = self.whole
        if whole._partly and not whole._partly.kinds & _PANIC:
            return None
        for end in whole._known_ends(_ROWS):
            row = end.panic_row
            if row is not None:
                return end.select(slice(row, row + 1))
        return None

    @cached_property
    def panic_row(self) -> int | None:
        """Row of the panic: the last record of one, since user space can print such a line."""
        ids = self._panics
        end = len(self)
        while end and self.event_counts[ids].any():
            start = max(0, end - _ROWS)
            rows = np.flatnonzero(np.isin(self.event[start:end], ids))
            if len(rows):
                return start + int(rows[-1])
            end = start
        return None

    @cached_property
    def wall_clock(self) -> WallClock:
        """CLOCK_REALTIME of the moments of the whole trace."""
        if self.whole is not self:
            return self.whole.wall_clock
        panicked = self.panic is not None
        return find_wall_clock(self.header, self.control, self.facts, self.end, panicked)

    def rows(self, event: Event) -> NDArray[np.int64]:
        """Give the rows of an event."""
        return np.flatnonzero(self.event == event.id)

    def column(self, field: Field, rows: NDArray[np.int64]) -> NDArray[np.generic]:
        """
        Give a field's values in some rows, all of one event.

        :return: integers, or bytes (``S16``) of names; of a text its length in bytes
        """
        return payload.column(self.records, field, rows)

    def texts(self, field: Field, rows: NDArray[np.int64]) -> list[str]:
        """Give the texts of a field of type ``text``, over all the slots that they take."""
        return payload.texts(self.records, field, rows)

    def stack(self, rows: NDArray[np.int64]) -> list[list[int]]:
        """
        Give the kernel's stack when some records were written.

        :return: return addresses, the innermost first; none where there is no stack
        """
        return payload.stack(self.records, rows)
