# SPDX-License-Identifier: GPL-2.0-or-later
"""
Ends of rings
-------------

The newest records of all rings, or those that a sieve lets through, without the others, of
which only that is worked out which is said of all: how many there are, from when to when,
what was lost.
"""

from collections.abc import Iterable

import numpy as np

from lkst.abi import layout
from lkst.decode.catalogue import Catalogue
from lkst.decode.image import Image
from lkst.decode.records import Found, Records, find_rings
from lkst.decode.ring import Ring
from lkst.decode.scan import SAMPLE, U8
from lkst.decode.sieve import Sieve, taking
from lkst.decode.threads import in_threads

__all__ = ("Ends", "few_pass", "find_ends")

#: Of so many slots a part may be worth a look of its own at all.
_MANY = 1 << 16
#: More of them than one in so many are not.
_SHARE = 3
#: Of all records not more than one in so many are few.
_FEW = 32
#: One of so many pieces of SAMPLE slots is looked at for a guess.
_APART = 64
_WORDS = layout.SLOT_SIZE // 8


def find_ends(image: Image, catalogue: Catalogue, kinds: U8, least: int) -> "Ends | None":
    """
    Look all rings over.

    :param kinds: by id what is known of an event: see :mod:`lkst.decode.scan`
    :param least: how many of the newest records will be wanted
    :return: None if it is better to decode all of them
    """
    slots = sum(buffer.nr_slots for buffer in image.buffers) * catalogue.header.nr_cpus
    if slots < _MANY or least * _SHARE > slots:
        return None
    found = find_rings(image, catalogue, kinds, keep=False)
    # What a log has twice has to be left out, and what a removed probe has left to another one.
    since = max((event.since for event in catalogue.events.values()), default=0)
    older = any(ring.count and ring.overview.first < since for ring in found.each)
    return None if older or not found.distinct else Ends(found)


def few_pass(image: Image, sieve: Sieve) -> bool:
    """Guess by some slots here and there whether few records pass a sieve."""
    passed = looked = 0
    for buffer in image.buffers:
        slots = np.frombuffer(buffer.rings, "<u8", len(buffer.rings) // 8)
        slots = slots[: len(slots) // _WORDS * _WORDS].reshape(-1, _WORDS)
        pieces = [slots[at : at + SAMPLE] for at in range(0, len(slots), _APART * SAMPLE)]
        if pieces:
            some = np.concatenate(pieces)
            passed += int(sieve(taking(some), np.ascontiguousarray(some[:, 1])).sum())
            looked += len(some)
    return passed * _FEW <= looked


class Ends:
    """Rings of which not all records are decoded."""

    def __init__(self, found: Found) -> None:
        """Take rings that have been looked over."""
        self.found = found
        self.total = sum(ring.count for ring in found.each)
        #: Bits of the kinds of all events that there may be.
        self.kinds = 0
        for ring in found.each:
            self.kinds |= ring.overview.kinds
        times = [times for ring in found.each for times in ring.overview.samples]
        self._times = np.sort(np.concatenate(times)) if times else np.zeros(0, np.uint64)

    def span(self, rings: Iterable[Ring]) -> tuple[int, int, int] | None:
        """
        Sum up the records of some rings.

        :return: how many there are, times of the first and last; None if there is none
        """
        own = [ring for ring in rings if ring.count]
        if not own:
            return None
        return (
            sum(ring.count for ring in own),
            min(ring.overview.first for ring in own),
            max(ring.overview.last for ring in own),
        )

    def newest(self, least: int) -> Records | None:
        """
        Give at least so many of the newest records: all from some moment on.

        :return: None if it is better to decode all of them
        """
        back = least // SAMPLE + 2
        while back * _SHARE <= len(self._times):
            records = self._after(int(self._times[-back]))
            if len(records.first) >= least:
                return records
            back *= 2
        return None

    def sift(self, sieve: Sieve) -> Records:
        """Give the records that pass a sieve."""
        return self.found.records(in_threads(lambda ring: ring.sift(sieve), self.found.each))

    def _after(self, ts: int) -> Records:
        """Give all records that are later than a moment."""
        return self.found.records(in_threads(lambda ring: ring.after(ts), self.found.each))
