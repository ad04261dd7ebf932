# SPDX-License-Identifier: GPL-2.0-or-later
"""
Irregular slots
---------------

Decode the slots of a ring that do not hold a record of one slot without flags: longer
records, records with flags, records in flight, and damaged slots. They are few, so they
are decoded separately.
"""

import numpy as np
from numpy.typing import NDArray

from lkst.abi import layout
from lkst.decode.scan import Scan

__all__ = ("IN_FLIGHT", "STACK", "TORN", "TRUNCATED", "IrregularSlots")

# Flags of a record.
TRUNCATED = layout.FLAG_TRUNCATED  #: its text was longer than a record can be
STACK = layout.FLAG_STACK  #: its last slots hold the kernel's stack
TORN = 4  #: a part of it is missing
IN_FLIGHT = 8  #: it was being written when the trace ends

U64 = NDArray[np.uint64]
I64 = NDArray[np.int64]
U8 = NDArray[np.uint8]
Bools = NDArray[np.bool_]

_SEQ = np.uint64(layout.SEQ_MASK)


class IrregularSlots:
    """The irregular slots of a range of slots, and the records that begin there."""

    def __init__(self, scan: Scan, low: int, *, tag: int, cpu: int, kinds: U8) -> None:
        """
        Find the records.

        :param low: number of the first of the slots
        :param tag: upper 16 bits of a first word, at their place
        :param kinds: by id, 0 if there is no such event
        """
        self.place = scan.irregular
        self._tag = np.uint64(tag)
        self._word, what, self._ts = np.ascontiguousarray(scan.words.T)
        self._number = (self.place + low).astype(np.uint64)
        halves = what.view("<u2")
        event = halves[::4]
        self._nr = (what >> np.uint64(layout.NR_SHIFT)).astype(np.uint8) & np.uint8(layout.NR_MASK)
        self._may_begin = (halves[1::4] == cpu) & (kinds.take(event) != 0) & (self._nr > 0)
        committed = self._word == self._number | self._tag
        begins = committed & self._may_begin
        #: Whether a slot is a continuation of a record.
        self._more = committed & (halves[1::4] == cpu) & (event == 0)
        #: Whether a slot belongs to a record.
        self.covered = begins.copy()
        #: For each record, the index of its first slot among the irregular slots, and its flags.
        self.begin = np.flatnonzero(begins)
        flags = (what[self.begin] >> np.uint64(layout.FLAGS_SHIFT)).astype(np.uint8)
        self.flags = flags & np.uint8(TRUNCATED | STACK)
        self._find_parts()

    def _find_parts(self) -> None:
        nrs = self._nr[self.begin]
        self.flags[(self.flags & STACK != 0) & (nrs <= layout.STACK_SLOTS)] |= TORN
        # Check the second slots, then the third slots, ... of records that are whole so far.
        whole = np.flatnonzero(nrs > 1)
        part = 1
        while len(whole):
            begin = self.begin[whole]
            here = begin + part
            good = here < len(self.place)
            # A continuation is irregular too, so it is the next irregular slot.
            here = here[good]
            good[good] = self._more[here] & (self.place[here] == self.place[begin[good]] + part)
            self.covered[begin[good] + part] = True
            self.flags[whole[~good]] |= TORN
            part += 1
            whole = whole[good & (nrs[whole] > part)]

    @property
    def ts(self) -> U64:
        """Times of the records."""
        ts: U64 = self._ts[self.begin]
        return ts

    def add_in_flight(self, oldest: int) -> int:
        """
        Find the records in flight that can be recognised.

        :param oldest: time of the ring's oldest record; what lies in a slot in flight is of
            this lap if it is not older
        :return: how many slots they take
        """
        claimed = self._word == self._number | ~self._tag & ~_SEQ
        begun = np.flatnonzero(claimed & self._may_begin & (self._ts >= np.uint64(oldest)))
        self.begin = np.concatenate((self.begin, begun))
        self.flags = np.concatenate((self.flags, np.full(len(begun), IN_FLIGHT, np.uint8)))
        # Remaining slots of a record whose first slot was overwritten.
        leading = self._more & ~self.covered & (self.place == np.arange(len(self.place)))
        self._leading = np.cumprod(leading).astype(bool)
        self._claimed = claimed
        for at, nr in zip(begun.tolist(), self._nr[begun].tolist(), strict=True):
            end = np.searchsorted(self.place, self.place[at] + nr)
            self.covered[at:end] = True
        return int(self._nr[begun].sum())

    def count_lost(self, readable: Bools, size: int, *, partial: bool) -> tuple[int, int, int]:
        """
        Count what holds no record, by its reason, when records in flight have been added.

        :param readable: for each irregular slot, whether it could be read
        :param size: slots of the ring
        :param partial: whether records were left out on purpose
        :return: claimed and not written, torn, unreadable
        """
        rest = ~self.covered & ~self._leading
        if partial:
            rest &= self._word != 0
        lost = rest & ~readable
        rest &= readable
        # Claimed but not yet written: the slot still has the content of the previous lap.
        untouched = self._word == (self._number - np.uint64(size)) | self._tag
        untouched |= (self._number < size) & (self._word == 0)
        flying = rest & (untouched | self._claimed)
        return int(flying.sum()), int((rest & ~flying).sum()), int(lost.sum())
