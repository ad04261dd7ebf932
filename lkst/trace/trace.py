# SPDX-License-Identifier: GPL-2.0-or-later
"""
Trace
-----

The records of a source as columns, sorted by time. Everything that is shown or measured
is a function of a Trace.
"""

from collections.abc import Iterator
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from lkst.abi.control import Control, read_control
from lkst.decode.catalogue import Catalogue, Header, event_ids, parse_catalogue
from lkst.decode.image import Image
from lkst.decode.predicate import Predicate
from lkst.decode.records import BufferLoss, Records
from lkst.decode.ring import CPULoss
from lkst.decode.tail import RingsSummary
from lkst.trace.columns import RecordColumns
from lkst.trace.facts import Facts
from lkst.trace.lazy_records import LazyRecords
from lkst.trace.names.filtered import FilteredNames
from lkst.trace.names.index import NameIndex
from lkst.trace.names.tail import TailNames
from lkst.trace.spans import Span, find_spans
from lkst.trace.wallclock import WallClock, find_wall_clock

__all__ = ("Trace", "build_trace")

#: Rows per step of the search for the panic.
_PANIC_SEARCH_ROWS = 1 << 14

#: Each tail is this many times as long as the previous one.
_TAIL_GROWTH = 4


class Trace(RecordColumns):
    """
    The records of one recorder.

    Rows are records in the order of time; all columns have one entry for each. They are
    decoded on first use; :meth:`tails` and :meth:`matching` decode fewer.
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
        names: FilteredNames | None = None,
    ) -> None:
        """
        Create a trace.

        :param records: decoded records; None: all records of the image
        :param whole: the trace that this one is a selection of
        :param position: rows of that trace; None: they are not known yet
        :param names: task names; None: those of the whole trace
        """
        self.image = image
        self.catalogue = catalogue
        self.facts = facts
        self._lazy = LazyRecords(image, catalogue, records)
        self._whole = whole
        self._position = position
        self._names = names

    @property
    def records(self) -> Records:
        """The records behind the columns, decoded on first use."""
        return self._lazy.records

    @property
    def is_decoded(self) -> bool:
        """Whether the records are decoded already."""
        return self._lazy.is_decoded

    @property
    def whole(self) -> "Trace":
        """The trace that this one is a selection of, or itself."""
        # A reference to itself would keep the memory until the garbage collector runs.
        return self if self._whole is None else self._whole

    def __len__(self) -> int:
        return len(self._lazy)

    def tails(self, least: int) -> Iterator["Trace"]:
        """
        Yield ever longer tails of the trace, decoded lazily; the last one is the whole trace.

        :param least: smallest number of records, if the trace has as many
        """
        self._lazy.summarize(least)
        yield from self._summarized_tails(least)

    def _summarized_tails(self, least: int) -> Iterator["Trace"]:
        """Yield the tails if the rings are summarized already, else the whole trace at once."""
        for records in self._lazy.tails(least, _TAIL_GROWTH):
            total, count = len(self), len(records.first)
            yield self._part(records, np.arange(total - count, total))
        yield self

    def matching(self, predicate: Predicate, *, few: bool = False) -> "Trace":
        """
        Return the records that match a predicate; if they are few, decode no others.

        :param few: whether to assume that they are few
        """
        records = self._lazy.matching(predicate, few=few)
        if records is None:
            return self.select(self.records.matching(predicate))
        names = FilteredNames(
            self.catalogue,
            predicate,
            records.what,
            partial(self.matching, few=True),
            lambda: self.all_task_names,
            self.facts.task_name,
        )
        return self._part(records, None, names)

    def _part(
        self,
        records: Records,
        position: NDArray[np.int64] | None,
        names: FilteredNames | None = None,
    ) -> "Trace":
        return Trace(
            self.image,
            self.catalogue,
            self.facts,
            records=records,
            whole=self.whole,
            position=position,
            names=names or self._names,
        )

    @property
    def header(self) -> Header:
        return self.catalogue.header

    def select(self, rows: NDArray[np.bool_] | NDArray[np.int64] | slice) -> "Trace":
        """Return a trace of some of the rows."""
        return self._part(self.records.select(rows), self._positions(rows))

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

    @cached_property
    def cpu_spans(self) -> dict[int, Span]:
        """Sum up the records of each CPU."""
        if summary := self._lazy.summary:
            return self._spans(summary, [ring.cpu for ring in summary.found.each])
        return find_spans(self.cpu, self.ts)

    @cached_property
    def buffer_spans(self) -> dict[int, Span]:
        """Sum up the records of each buffer, by its number."""
        if summary := self._lazy.summary:
            return self._spans(summary, [ring.buffer.number for ring in summary.found.each])
        return find_spans(self.buffer, self.ts)

    @staticmethod
    def _spans(summary: RingsSummary, keys: list[int]) -> dict[int, Span]:
        """Sum up the records of the rings that have the same key."""
        spans = {}
        for key in sorted(set(keys)):
            own = [ring for ring, its in zip(summary.found.each, keys, strict=True) if its == key]
            if span := summary.span(own):
                count, *times = span
                first, last = np.array(times, np.uint64).view(np.int64).tolist()
                spans[key] = Span(count, first, last)
        return spans

    @property
    def losses(self) -> list[CPULoss]:
        """What each CPU's rings have lost."""
        return self._lazy.losses

    @property
    def buffer_losses(self) -> list[BufferLoss]:
        """The remaining records and the losses of each buffer."""
        return self._lazy.buffers

    @property
    def faults(self) -> list[str]:
        """What was damaged."""
        return self._lazy.faults

    @cached_property
    def control(self) -> Control | None:
        """What ``struct lkst_control`` says; None if it is damaged or not there."""
        if self.whole is not self:
            return self.whole.control
        control = read_control(self.image.control)
        return control if control and control.tag == self.header.tag else None

    @cached_property
    def task_names(self) -> NameIndex | TailNames | FilteredNames:
        """Names of tasks over time, from the records of the whole trace."""
        if self._names:
            return self._names
        if self.whole is not self:
            return self.whole.task_names
        if not self._lazy.summary:
            return self.all_task_names
        return TailNames(
            len(self),
            self.tails,
            lambda: self.all_task_names,
            self.facts.task_name,
            complete=not self._lazy.may_name_tasks,
        )

    @cached_property
    def all_task_names(self) -> NameIndex:
        """The same, of a whole trace, when all of it has been read."""
        return NameIndex(self, self.facts.task_name)

    def comms(self) -> tuple[list[str], NDArray[np.int64]]:
        """
        Name the current task of every record: see :meth:`NameIndex.codes_of`.

        :return: names, and for each row the index of its name
        """
        if self._names:
            return self._names.codes(self)
        return self.task_names.codes_of(self.pid, self.cpu, self.position)

    @property
    def end(self) -> int:
        """
        The time that a replay counts from, in ns of CLOCK_MONOTONIC.

        The time of the panic, or of the last record if there was none.
        """
        return self.whole._end

    @cached_property
    def _end(self) -> int:
        if self.panic:
            return int(self.panic.ts[0])
        if not len(self):
            return 0
        return int((next(self._summarized_tails(1))).ts[-1])

    @cached_property
    def panic(self) -> "Trace | None":
        """The record of the panic in the whole trace, if there is one: see panic_row."""
        whole = self.whole
        if not whole._lazy.may_panic:
            return None
        for tail in whole._summarized_tails(_PANIC_SEARCH_ROWS):
            row = tail.panic_row
            if row is not None:
                return tail.select(slice(row, row + 1))
        return None

    @cached_property
    def panic_row(self) -> int | None:
        """Row of the panic: the last record of one, since user space can print such a line."""
        ids = event_ids(self.catalogue, "panic")
        end = len(self)
        while end and self.event_counts[ids].any():
            start = max(0, end - _PANIC_SEARCH_ROWS)
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


def build_trace(image: Image, facts: Facts) -> Trace:
    """
    Build a trace of a recorder's memory; its records are decoded when they are first used.

    :raises Damaged: if the recorder's header cannot be used
    """
    return Trace(image, parse_catalogue(image.catalogue), facts)
