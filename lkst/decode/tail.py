# SPDX-License-Identifier: GPL-2.0-or-later
"""
Tails of rings
--------------

Decode only the newest records of all rings, or only those that match a predicate. Of the
other records only the summary is computed: their number, their time span, and what was lost.
"""

from collections.abc import Iterable

import numpy as np

from lkst.abi import layout
from lkst.decode.catalogue import Catalogue
from lkst.decode.image import Image
from lkst.decode.predicate import Predicate, take_from
from lkst.decode.records import Found, Records, find_rings
from lkst.decode.ring import Ring
from lkst.decode.scan import SAMPLE, U8
from lkst.decode.threads import in_threads

__all__ = ("RingsSummary", "is_selective", "summarize_rings")

#: Smallest number of slots, over all rings, for which decoding only the tail pays off.
_MIN_SLOTS_FOR_TAIL = 1 << 16
#: A tail pays off if it has at most 1/_TAIL_DIVISOR of all slots.
_TAIL_DIVISOR = 3
#: A predicate is selective if at most 1/_SELECTIVE_DIVISOR of the records match it.
_SELECTIVE_DIVISOR = 32
#: Selectivity is estimated from one in this many groups of SAMPLE slots.
_SAMPLING_INTERVAL = 64
_WORDS = layout.SLOT_SIZE // 8


def summarize_rings(
    image: Image, catalogue: Catalogue, kinds: U8, least: int
) -> "RingsSummary | None":
    """
    Summarize all rings without decoding their records.

    :param kinds: flags of each event, by id: see :mod:`lkst.decode.scan`
    :param least: number of newest records that the caller will need
    :return: None if decoding all records is better
    """
    slots = sum(buffer.nr_slots for buffer in image.buffers) * catalogue.header.nr_cpus
    if slots < _MIN_SLOTS_FOR_TAIL or least * _TAIL_DIVISOR > slots:
        return None
    found = find_rings(image, catalogue, kinds, keep=False)
    # Duplicates in a log must be dropped, and so must records of a removed probe whose id was
    # reused: both need all records.
    since = max((event.since for event in catalogue.events.values()), default=0)
    older = any(ring.count and ring.overview.first < since for ring in found.each)
    return None if older or not found.distinct else RingsSummary(found)


def is_selective(image: Image, predicate: Predicate) -> bool:
    """Estimate from a sample of the slots whether few records match a predicate."""
    matched = sampled = 0
    for buffer in image.buffers:
        slots = np.frombuffer(buffer.rings, "<u8", len(buffer.rings) // 8)
        slots = slots[: len(slots) // _WORDS * _WORDS].reshape(-1, _WORDS)
        pieces = [
            slots[at : at + SAMPLE] for at in range(0, len(slots), _SAMPLING_INTERVAL * SAMPLE)
        ]
        if pieces:
            some = np.concatenate(pieces)
            matched += int(predicate(take_from(some), np.ascontiguousarray(some[:, 1])).sum())
            sampled += len(some)
    return matched * _SELECTIVE_DIVISOR <= sampled


class RingsSummary:
    """The rings of an image, with a summary instead of decoded records."""

    def __init__(self, found: Found) -> None:
        """Combine the summaries of all rings."""
        self.found = found
        self.total = sum(ring.count for ring in found.each)
        #: Flags of all events that may occur, ORed: see :mod:`lkst.decode.scan`.
        self.kinds = 0
        for ring in found.each:
            self.kinds |= ring.overview.kinds
        times = [times for ring in found.each for times in ring.overview.samples]
        self._times = np.sort(np.concatenate(times)) if times else np.zeros(0, np.uint64)

    def span(self, rings: Iterable[Ring]) -> tuple[int, int, int] | None:
        """
        Return the time span of some rings' records.

        :return: number of records, time of the first and of the last one (ns,
            CLOCK_MONOTONIC); None if there are no records
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
        Decode the newest records: all that are later than some time, and at least *least*.

        :return: None if decoding all records is better
        """
        back = least // SAMPLE + 2
        while back * _TAIL_DIVISOR <= len(self._times):
            records = self._after(int(self._times[-back]))
            if len(records.first) >= least:
                return records
            back *= 2
        return None

    def matching(self, predicate: Predicate) -> Records:
        """Decode the records that match a predicate."""
        return self.found.records(
            in_threads(lambda ring: ring.matching(predicate), self.found.each)
        )

    def _after(self, ts: int) -> Records:
        """Decode all records that are later than a time in ns."""
        return self.found.records(in_threads(lambda ring: ring.after(ts), self.found.each))
