# SPDX-License-Identifier: GPL-2.0-or-later
"""
Rings
-----

From the bytes of one ring to the records in it: which slots hold one, in which
order, and what is missing. See ``recorder/layout.h`` for the slots and
``recorder/ring.h`` for how they are written.

A slot is trusted if its first word is the one that its place and the CPU's head
call for. Everything else is classified, never guessed.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lkst import layout
from lkst.decode.image import Buffer
from lkst.decode.merge import Columns, put_in_order
from lkst.decode.scan import Scan, scan_slots
from lkst.layout import Place

__all__ = ("IN_FLIGHT", "STACK", "TORN", "TRUNCATED", "CPULoss", "Ring")

# Flags of a record.
TRUNCATED = layout.FLAG_TRUNCATED  #: its text was longer than a record can be
STACK = layout.FLAG_STACK  #: its last slots hold the kernel's stack
TORN = 4  #: a part of it is missing
IN_FLIGHT = 8  #: it was being written when the trace ends

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
    #: Overwritten by newer ones.
    overwritten: int
    #: Claimed, not committed: records that were being written.
    in_flight: int
    #: With contents that cannot be.
    torn: int
    #: In memory that could not be read.
    unreadable: int
    #: Overwritten between two stretches of a log.
    unsaved: int
    #: Whether the head had to be worked out from the slots.
    head_guessed: bool


class Ring:
    """One CPU's ring in one buffer, its slots in the order of their sequence numbers."""

    def __init__(
        self,
        buffer: Buffer,
        cpu: int,
        slots: U64,
        readable: Bools,
        *,
        tag: int,
        known: Bools,
        partial: bool,
    ) -> None:
        """
        Find the records of a ring.

        :param slots: its own
        :param readable: by slot, whether it could be read
        :param tag: of the recorder
        :param known: by id, whether there is such an event
        :param partial: whether records were left out on purpose
        """
        self.cpu = cpu
        self.buffer = buffer
        self._size = buffer.nr_slots
        self._tag = np.uint64((tag | buffer.number) << layout.SEQ_BITS)
        self._known = known
        # A spare buffer is empty, whatever its heads are.
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
        #: Slots that it holds: from this number up to that one.
        self.low, self.high = low, high
        self._slots = slots
        scan = scan_slots(slots, low, high - low, tag=int(self._tag), cpu=cpu, known=known)
        places, flags = self._find(scan, readable)
        ts, what = scan.ts, scan.what
        if len(places) < len(ts):
            ts, what = ts[places], what[places]
        places += low % self._size
        places %= self._size
        #: Its records in the order of time, and the slot of each one's first part.
        self.records = Columns(ts, what, places, flags)
        put_in_order(self.records)
        self.frozen = place is not None and place.head >= place.limit
        self.loss = CPULoss(cpu, head, low, self.in_flight, self.torn, self.unreadable, 0, guessed)

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
        # Most often the newest slot proves it.
        if head and int(words[(head - 1) % self._size]) == int(self._tag) | head - 1:
            return head, False
        derived = self._derive_head(words)
        if derived is None or 0 <= head - derived < self._size:
            return head, False
        return derived, True

    def _derive_head(self, words: U64) -> int | None:
        """Work out the head: one more than the highest number of the newest lap."""
        seqs = words & np.uint64(layout.SEQ_MASK)
        good = words ^ seqs == self._tag
        good &= seqs % np.uint64(self._size) == np.arange(self._size, dtype=np.uint64)
        seqs = seqs[good].astype(np.int64)
        if not len(seqs):
            return None
        laps, counts = np.unique(seqs // self._size, return_counts=True)
        # A ring holds two neighbouring laps; others are damage or leftovers.
        older = np.where(np.diff(laps, prepend=-2) == 1, np.roll(counts, 1), 0)
        newest = laps[np.argmax(counts + older)]
        return int(seqs[seqs // self._size == newest].max()) + 1

    def _find(self, scan: Scan, readable: Bools) -> tuple[I64, U8]:
        """
        Find the records.

        :return: place of each one's first slot in the order of numbers, and its flags
        """
        self.in_flight = self.torn = self.unreadable = 0
        if scan.plain:
            return np.arange(len(scan.what)), np.zeros(len(scan.what), np.uint8)
        covered, more = scan.begins, scan.more
        starts = np.flatnonzero(covered)
        kind = scan.what[starts] >> np.uint64(layout.NR_SHIFT)
        nrs = kind.astype(np.uint8) & np.uint8(layout.NR_MASK)
        kind >>= np.uint64(layout.FLAGS_SHIFT - layout.NR_SHIFT)
        flags = kind.astype(np.uint8) & np.uint8(TRUNCATED | STACK)

        flags[(flags & STACK != 0) & (nrs <= layout.STACK_SLOTS)] |= TORN
        # Second parts, third parts, ... of the records that are whole up to there.
        whole = np.flatnonzero(nrs > 1)
        part = 1
        while len(whole):
            here = starts[whole] + part
            good = np.zeros(len(here), bool)
            inside = here < len(more)
            good[inside] = more[here[inside]]
            covered[here[good]] = True
            flags[whole[~good]] |= TORN
            part += 1
            whole = whole[good & (nrs[whole] > part)]

        if covered.all():
            return starts, flags
        begun = self._classify(scan, starts, self._unrolled(readable))
        if not len(begun):
            return starts, flags
        places = np.concatenate((starts, begun))
        flags = np.concatenate((flags, np.full(len(begun), IN_FLIGHT, np.uint8)))
        order = np.argsort(places, kind="stable")
        return places[order], flags[order]

    def _classify(self, scan: Scan, starts: I64, readable: Bools) -> I64:
        """
        Count what holds no record, by its reason.

        :return: places of records in flight that can be told
        """
        covered, what = scan.begins, scan.what
        word = self._unrolled(self._slots[:, 0])
        number = np.arange(self.low, self.high, dtype=np.uint64)
        nr = (what >> np.uint64(layout.NR_SHIFT)).astype(np.uint8) & np.uint8(layout.NR_MASK)
        # Leftovers of a record whose beginning was overwritten.
        leading = np.cumprod(scan.more & ~covered).astype(bool)
        claimed = word == number | ~self._tag & ~np.uint64(layout.SEQ_MASK)
        # What lies in a slot in flight is of this lap if it is younger than all the rest.
        oldest = scan.ts[starts].min() if len(starts) else np.uint64(1)
        words = what.view("<u2")
        begun = np.flatnonzero(
            claimed
            & self._known[words[::4]]
            & (nr > 0)
            & (words[1::4] == self.cpu)
            & (scan.ts >= oldest)
        )
        for place in begun.tolist():
            covered[place : place + int(nr[place])] = True

        rest = ~covered & ~leading
        if self._partial:
            rest &= word != 0
        lost = rest & ~readable
        rest &= readable
        # Claimed, and nothing written yet: what was there a lap ago.
        untouched = word == (number - np.uint64(self._size)) | self._tag
        untouched |= (number < self._size) & (word == 0)
        flying = rest & (untouched | claimed)
        self.unreadable = int(lost.sum())
        self.in_flight = int(flying.sum() + nr[begun].sum())
        self.torn = int((rest & ~flying).sum())
        return begun
