# SPDX-License-Identifier: GPL-2.0-or-later
"""
Rings
-----

Decode the records of one ring: which slots hold a record, in which order, and what is
missing. ``recorder/layout.h`` describes the slots, ``recorder/slot.h`` how they are written.

A slot is trusted if its first word matches its place and the CPU's head. Everything else is
classified, never guessed.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lkst.abi import layout
from lkst.abi.layout import Place
from lkst.decode.image import BufferImage
from lkst.decode.irregular import IN_FLIGHT, STACK, TORN, TRUNCATED, IrregularSlots
from lkst.decode.merge import RingColumns, put_in_order
from lkst.decode.predicate import Predicate, take_from
from lkst.decode.scan import BLOCK, NO_TIME, Scan, scan_slots

__all__ = ("IN_FLIGHT", "STACK", "TORN", "TRUNCATED", "CPULoss", "Ring")

U64 = NDArray[np.uint64]
I64 = NDArray[np.int64]
U8 = NDArray[np.uint8]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class CPULoss:
    """What one CPU's ring has lost, or all of its rings, in slots unless said otherwise."""

    cpu: int
    #: Slots ever claimed.
    claimed: int
    #: Overwritten by newer slots.
    overwritten: int
    #: Claimed, not committed: records that were being written.
    in_flight: int
    #: With invalid contents.
    torn: int
    #: In memory that could not be read.
    unreadable: int
    #: Overwritten between two segments of a log.
    unsaved: int
    #: Whether the head was derived from the slots.
    head_guessed: bool


class Ring:
    """One CPU's ring in one buffer, its slots in the order of their sequence numbers."""

    def __init__(
        self,
        buffer: BufferImage,
        cpu: int,
        slots: U64,
        readable: Bools,
        *,
        tag: int,
        kinds: U8,
        partial: bool,
        keep: bool = True,
    ) -> None:
        """
        Find the records of a ring.

        :param slots: its own
        :param readable: by slot, whether it could be read
        :param tag: of the recorder
        :param kinds: flags of each event, by id: see :mod:`lkst.decode.scan`
        :param partial: whether records were left out on purpose
        :param keep: whether to keep the records, or only a summary
        """
        self.cpu = cpu
        self.buffer = buffer
        self._size = buffer.nr_slots
        self._tag = np.uint64((tag | buffer.number) << layout.SEQ_BITS)
        self._kinds = kinds
        # A spare buffer is empty, regardless of its heads.
        self._partial = partial or buffer.state == "spare"
        place = buffer.places[cpu] if cpu < len(buffer.places) else None
        head, guessed = self._head(slots[:, 0], place)
        low = max(0, head - self._size)
        if buffer.lows and cpu < len(buffer.lows):
            low = max(low, min(buffer.lows[cpu], head))
        high = head
        if buffer.heads_before and cpu < len(buffer.heads_before):
            # Copied while it was written: what came later may be half copied. What was
            # overwritten meanwhile is below the head that was read last.
            high = max(low, min(buffer.heads_before[cpu], head))
        #: Sequence numbers of the ring's slots: low <= number < high.
        self.low, self.high = low, high
        self.frozen = place is not None and place.head >= place.limit
        self._slots = slots
        scan = self._scan(low, keep=keep)
        irregular = self._irregular(scan, low)
        in_flight = torn = unreadable = 0
        whole = bool(irregular.covered.all())
        if not (keep and whole):
            #: Time of the oldest record.
            self._oldest = _oldest(scan, irregular)
        if not whole:
            in_flight = irregular.add_in_flight(self._oldest)
            some = self._unrolled(readable)[irregular.place]
            flying, torn, unreadable = irregular.count_lost(some, self._size, partial=self._partial)
            in_flight += flying
        self.loss = CPULoss(cpu, head, low, in_flight, torn, unreadable, 0, guessed)
        #: Number of records.
        self.count = scan.count - len(irregular.place) + len(irregular.begin)
        if keep:
            #: The records sorted by time, with the first slot of each.
            self.records = self._columns(scan, irregular, low)
        else:
            #: Summary of the records that are not kept.
            self.overview = scan.overview
            self.overview.add(irregular.ts)

    def _scan(self, low: int, *, keep: bool, predicate: Predicate | None = None) -> Scan:
        return scan_slots(
            self._slots,
            low,
            self.high - low,
            tag=int(self._tag),
            cpu=self.cpu,
            kinds=self._kinds,
            keep=keep,
            predicate=predicate,
        )

    def _irregular(self, scan: Scan, low: int) -> IrregularSlots:
        return IrregularSlots(scan, low, tag=int(self._tag), cpu=self.cpu, kinds=self._kinds)

    def _columns(self, scan: Scan, irregular: IrregularSlots, low: int) -> RingColumns:
        """Return the records of some slots, sorted by time."""
        assert scan.ts is not None and scan.what is not None
        ts, what = scan.ts, scan.what
        if len(irregular.place):
            holds = np.ones(scan.count, bool)
            holds[irregular.place] = False
            begin = irregular.place[irregular.begin]
            holds[begin] = True
            flags = np.zeros(scan.count, np.uint8)
            flags[begin] = irregular.flags
            places = np.flatnonzero(holds)
            ts, what, flags = ts[places], what[places], flags[places]
        else:
            places, flags = np.arange(scan.count), np.zeros(scan.count, np.uint8)
        return self._in_order(RingColumns(ts, what, places, flags), low)

    def _in_order(self, columns: RingColumns, low: int) -> RingColumns:
        """Sort records by time, and make their slot numbers relative to the ring."""
        columns.first[:] += low % self._size
        columns.first[:] %= self._size
        put_in_order(columns)
        return columns

    def matching(self, predicate: Predicate) -> RingColumns:
        """Return the records that match a predicate."""
        scan = self._scan(self.low, keep=False, predicate=predicate)
        assert scan.ts is not None and scan.what is not None and scan.places is not None
        irregular = self._irregular(scan, self.low)
        if not irregular.covered.all():
            irregular.add_in_flight(self._oldest)
        places = irregular.place[irregular.begin]
        rows = self._slots.take((places + self.low) % self._size, axis=0)
        _, what, ts, *_ = np.ascontiguousarray(rows.T)
        own = predicate(take_from(rows), what)
        places = np.concatenate((scan.places, places[own]))
        order = np.argsort(places)
        columns = RingColumns(
            np.concatenate((scan.ts, ts[own]))[order],
            np.concatenate((scan.what, what[own]))[order],
            places[order],
            np.concatenate((np.zeros(len(scan.ts), np.uint8), irregular.flags[own]))[order],
        )
        return self._in_order(columns, self.low)

    def after(self, ts: int) -> RingColumns:
        """
        Return the records that are later than a time.

        :param ts: in ns of CLOCK_MONOTONIC
        """
        begin = self.low + self._begin_after(ts)
        scan = self._scan(begin, keep=True)
        irregular = self._irregular(scan, begin)
        if not irregular.covered.all():
            irregular.add_in_flight(self._oldest)
        columns = self._columns(scan, irregular, begin)
        # The records are sorted by time.
        own = int(np.searchsorted(columns.ts, np.uint64(ts), side="right"))
        return RingColumns(
            columns.ts[own:], columns.what[own:], columns.first[own:], columns.flags[own:]
        )

    def _begin_after(self, ts: int) -> int:
        """Return the number of leading slots without a later record."""
        for begin, latest in zip(self.overview.begin, self.overview.latest, strict=True):
            if latest > ts:
                place = (self.low + begin) % self._size
                block = self._slots[place : place + BLOCK, 2]
                return begin + int((block > np.uint64(ts)).argmax())
        return self.high - self.low

    def _unrolled(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Cut the ring open where its oldest slot is."""
        cut = self.low % self._size
        return np.concatenate((rows[cut:], rows[:cut]))[: self.high - self.low]

    @property
    def begin(self) -> int:
        """Number of the first slot that was kept."""
        if self.buffer.lows:
            return self.low
        filled = self._unrolled(self._slots[:, 0]) != 0
        return self.low + int(filled.argmax()) if filled.any() else self.high

    def _head(self, words: U64, place: Place | None) -> tuple[int, bool]:
        if place is None:
            return self._derive_head(words) or 0, True
        head = place.head & layout.SEQ_MASK
        if not head and self.buffer.state == "spare":
            return 0, False
        # Usually the newest slot confirms the head.
        if head and int(words[(head - 1) % self._size]) == int(self._tag) | head - 1:
            return head, False
        derived = self._derive_head(words)
        if derived is None or 0 <= head - derived < self._size:
            return head, False
        return derived, True

    def _derive_head(self, words: U64) -> int | None:
        """Derive the head: one more than the highest number of the newest lap."""
        seqs = words & np.uint64(layout.SEQ_MASK)
        good = words ^ seqs == self._tag
        good &= seqs % np.uint64(self._size) == np.arange(self._size, dtype=np.uint64)
        seqs = seqs[good].astype(np.int64)
        if not len(seqs):
            return None
        laps, counts = np.unique(seqs // self._size, return_counts=True)
        # A ring holds two consecutive laps; others are damage or old contents.
        older = np.where(np.diff(laps, prepend=-2) == 1, np.roll(counts, 1), 0)
        newest = laps[np.argmax(counts + older)]
        return int(seqs[seqs // self._size == newest].max()) + 1


def _oldest(scan: Scan, irregular: IrregularSlots) -> int:
    """Return the time of the oldest record; 1, just after boot, if there is none."""
    if scan.ts is None:
        first = scan.overview.first
    else:
        plain = np.ones(scan.count, bool)
        plain[irregular.place] = False
        first = int(scan.ts[plain].min(initial=NO_TIME))
    first = min(first, int(irregular.ts.min(initial=NO_TIME)))
    return 1 if scan.count - len(irregular.place) + len(irregular.begin) == 0 else first
