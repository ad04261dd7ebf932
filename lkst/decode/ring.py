# SPDX-License-Identifier: GPL-2.0-or-later
"""
Rings
-----

From the bytes of the rings to the records in them: which slots hold one, in
which order, and what is missing. See ``recorder/layout.h`` for the slots and
``recorder/ring.h`` for how they are written.

A slot is trusted if its first word is the one that its place and the CPU's head
call for. Everything else is classified, never guessed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lkst import layout
from lkst.decode.catalogue import Catalogue, Header
from lkst.decode.image import Image
from lkst.errors import Damaged

__all__ = ("IN_FLIGHT", "TORN", "TRUNCATED", "CPULoss", "Records", "find_records")

# Flags of a record.
TRUNCATED = layout.FLAG_TRUNCATED  #: its text was longer than a record can be
TORN = 2  #: a part of it is missing
IN_FLIGHT = 4  #: it was being written when the trace ends

#: Rings that lack more than this are not what the header is about.
_MAX_MISSING = 1 << 30

U64 = NDArray[np.uint64]
I64 = NDArray[np.int64]
U8 = NDArray[np.uint8]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class CPULoss:
    """What one CPU's ring has lost, in slots unless said otherwise."""

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
    #: Whether the head had to be worked out from the slots.
    head_guessed: bool


@dataclass(frozen=True)
class Records:
    """The records of all rings, in the order of time."""

    #: (slots, 8) words.
    slots: U64
    #: Slot of each record's first part.
    first: I64
    flags: U8
    losses: list[CPULoss]
    faults: list[str]

    def parts(self, nr_slots: int) -> Iterator[I64]:
        """
        Give the slots of all records: their first, their second, ...

        :param nr_slots: in one ring
        """
        first = self.first
        nr = (self.slots[first, 1] >> np.uint64(layout.NR_SHIFT)).astype(np.int64) & layout.NR_MASK
        part = 0
        while len(first):
            base = first - first % nr_slots
            yield base + (first - base + part) % nr_slots
            part += 1
            first, nr = first[nr > part], nr[nr > part]


def find_records(image: Image, catalogue: Catalogue) -> Records:
    """
    Find the records of all CPUs and put them in the order of time.

    :raises Damaged: if the rings cannot be those that the header tells of
    """
    header = catalogue.header
    slots = _slots(image, header)
    readable = np.ones(len(slots), bool)
    for start, size in image.unreadable:
        low = max(start, 0) // layout.SLOT_SIZE
        readable[low : -(-(start + size) // layout.SLOT_SIZE)] = False
    known = np.zeros(1 << 16, bool)
    known[list(catalogue.events)] = True

    rings = [_Ring(image, header, cpu, slots, readable, known) for cpu in range(header.nr_cpus)]
    faults = list(catalogue.faults)
    for ring in rings:
        if ring.loss.head_guessed and len(ring.first) and image.cpus:
            faults.append(
                f"CPU {ring.cpu}: the ring's head is damaged; it was worked out from the slots"
            )
    # Stable, so that records of one CPU with equal stamps stay in their order.
    order = np.argsort(np.concatenate([ring.ts for ring in rings]), kind="stable")
    return Records(
        slots,
        np.concatenate([ring.first for ring in rings])[order],
        np.concatenate([ring.flags for ring in rings])[order],
        [ring.loss for ring in rings],
        faults,
    )


def _slots(image: Image, header: Header) -> U64:
    size = header.rings_size
    data = image.rings
    if size - len(data) > _MAX_MISSING:
        raise Damaged("the recorder's header is damaged: the rings are not as large as it says")
    if len(data) < size:
        data = bytes(data) + bytes(size - len(data))
        image.unreadable.append((len(image.rings), size - len(image.rings)))
    return np.frombuffer(data, "<u8", size // 8).reshape(-1, layout.SLOT_SIZE // 8)


class _Ring:
    """One CPU's ring, its slots in the order of their sequence numbers."""

    def __init__(
        self, image: Image, header: Header, cpu: int, slots: U64, readable: Bools, known: Bools
    ) -> None:
        self.cpu = cpu
        self._size = header.nr_slots
        self._tag = np.uint64(header.tag << layout.SEQ_BITS)
        self._known = known
        self._partial = image.partial
        base = cpu * self._size
        ring = slots[base : base + self._size]
        head, guessed = self._head(ring[:, 0], image, header)
        low = max(0, head - self._size)
        high = head
        if image.heads_before:
            # Copied while it was written: what came later may be half copied. What was
            # overwritten meanwhile is below the head that was read last.
            high = max(low, min(image.heads_before[cpu], head))
        # The ring cut open where the oldest slot is.
        cut = low % self._size
        count = high - low

        def unrolled(rows: NDArray[Any]) -> NDArray[Any]:
            return np.concatenate((rows[cut:], rows[:cut]))[:count]

        self._number = np.arange(low, high, dtype=np.uint64)
        # At once, since fetching the slots from memory is what takes the time.
        words = unrolled(ring[:, :3])
        self._word, self._what, self._ts = words[:, 0], words[:, 1], words[:, 2]
        self._event, self._wrote = words.view("<u2")[:, 4], words.view("<u2")[:, 5]
        place, self.flags = self._find(unrolled(readable[base : base + self._size]))
        self.first = (place + cut) % self._size + base
        self.ts = self._ts[place]
        self.loss = CPULoss(cpu, head, low, self.in_flight, self.torn, self.unreadable, guessed)

    def _head(self, words: U64, image: Image, header: Header) -> tuple[int, bool]:
        start = self.cpu * header.cpu_size + layout.HEAD_OFFSET
        entry = image.cpus[start : start + 8]
        if len(entry) == 8:
            head = int.from_bytes(entry, "little") & layout.SEQ_MASK
            # Most often the newest slot proves it.
            if head and int(words[(head - 1) % self._size]) == int(self._tag) | head - 1:
                return head, False
            derived = self._derive_head(words)
            if derived is None or 0 <= head - derived < self._size:
                return head, False
            return derived, True
        return self._derive_head(words) or 0, True

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

    def _find(self, readable: Bools) -> tuple[I64, U8]:
        """
        Find the records.

        :return: place of each one's first slot in the order of numbers, and its flags
        """
        what = self._what
        event = self._event
        committed = (self._word == self._number | self._tag) & (self._wrote == self.cpu)
        nr = (what >> np.uint64(layout.NR_SHIFT)).astype(np.uint8) & np.uint8(layout.NR_MASK)
        covered = committed & self._known[event] & (nr > 0)
        starts = np.flatnonzero(covered)
        flags = (what[starts] >> np.uint64(layout.FLAGS_SHIFT)).astype(np.uint8)
        flags &= np.uint8(TRUNCATED)
        more = committed & (event == 0)

        for which in np.flatnonzero(nr[starts] > 1).tolist():
            start = int(starts[which])
            rest = slice(start + 1, start + int(nr[start]))
            good = int(np.cumprod(more[rest]).sum())
            covered[start + 1 : start + 1 + good] = True
            if good != nr[start] - 1:
                flags[which] |= TORN

        self.in_flight = self.torn = self.unreadable = 0
        if covered.all():
            return starts, flags
        begun = self._classify(covered, more, starts, event, nr, readable)
        places = np.concatenate((starts, begun))
        flags = np.concatenate((flags, np.full(len(begun), IN_FLIGHT, np.uint8)))
        order = np.argsort(places, kind="stable")
        return places[order], flags[order]

    def _classify(
        self,
        covered: Bools,
        more: Bools,
        starts: I64,
        event: NDArray[np.uint16],
        nr: U8,
        readable: Bools,
    ) -> I64:
        """
        Count what holds no record, by its reason.

        :return: places of records in flight that can be told
        """
        # Leftovers of a record whose beginning was overwritten.
        leading = np.cumprod(more & ~covered).astype(bool)
        claimed = self._word == self._number | ~self._tag & ~np.uint64(layout.SEQ_MASK)
        # What lies in a slot in flight is of this lap if it is younger than all the rest.
        oldest = self._ts[starts].min() if len(starts) else np.uint64(1)
        begun = np.flatnonzero(
            claimed
            & self._known[event]
            & (nr > 0)
            & (self._wrote == self.cpu)
            & (self._ts >= oldest)
        )
        for place in begun.tolist():
            covered[place : place + int(nr[place])] = True

        rest = ~covered & ~leading
        if self._partial:
            rest &= self._word != 0
        lost = rest & ~readable
        rest &= readable
        # Claimed, and nothing written yet: what was there a lap ago.
        untouched = self._word == (self._number - np.uint64(self._size)) | self._tag
        untouched |= (self._number < self._size) & (self._word == 0)
        flying = rest & (untouched | claimed)
        self.unreadable = int(lost.sum())
        self.in_flight = int(flying.sum() + nr[begun].sum())
        self.torn = int((rest & ~flying).sum())
        return begun
