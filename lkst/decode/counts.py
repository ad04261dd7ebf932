# SPDX-License-Identifier: GPL-2.0-or-later
"""
Counts
------

Sum up what the handlers ``count`` and ``hist`` count instead of recording:
``struct lkst_counts`` of every CPU.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lkst.abi import layout
from lkst.abi.control import read_control
from lkst.decode.catalogue import Catalogue, Event, Field, Header
from lkst.decode.image import Image

__all__ = ("Counts", "Histogram", "read_counts")

#: Size of the used part of struct lkst_counts, in bytes.
_SIZE = layout.BUCKET_OFFSET + 8 * layout.MAX_HISTS * layout.BUCKETS


@dataclass(frozen=True)
class Histogram:
    """How often a field of an event had which values, over all CPUs."""

    event: Event
    #: None if it is not known.
    field: Field | None
    #: Sum of the values above zero, modulo 2^64.
    total: int
    #: ``buckets[n]``: values of n bits; 0: values that are zero or negative.
    buckets: list[int]

    @property
    def count(self) -> int:
        return sum(self.buckets)

    @property
    def mean(self) -> float:
        """Mean value, with zero in place of negative ones; there is at least one."""
        return self.total / self.count


@dataclass(frozen=True)
class Counts:
    """What was counted on all CPUs."""

    #: By event id; events that did not occur are missing.
    events: dict[int, int]
    histograms: list[Histogram]
    #: What was wrong.
    faults: list[str]


def read_counts(image: Image, catalogue: Catalogue) -> Counts:
    """Sum up the counts; damaged counts are left out and reported."""
    header = catalogue.header
    words, faults = _sum_cpus(image.counts, header)
    counted = words[layout.COUNTED_OFFSET // 8 :][: layout.MAX_EVENTS].tolist()
    events = {}
    for id_, count in enumerate(counted):
        if count and id_ in catalogue.events:
            events[id_] = count
        elif count:
            faults.append(f"event {id_} was counted but is not in the catalogue")
    histograms = _histograms(image, catalogue, words, faults) if words.any() else []
    return Counts(events, histograms, faults)


def _sum_cpus(data: bytes, header: Header) -> tuple[NDArray[np.uint64], list[str]]:
    """Add up the words of all CPUs, behind each one's first that name it."""
    size = header.counts_size
    total = np.zeros(_SIZE // 8, np.uint64)
    faults: list[str] = []
    if not data:
        return total, faults
    if size < _SIZE:
        return total, [f"the counts are damaged: {size} bytes per CPU are too few"]
    for cpu in range(header.nr_cpus):
        own = data[cpu * size : cpu * size + _SIZE]
        names = layout.COUNTS_MAGIC, header.tag, cpu
        if len(own) < _SIZE or layout.COUNTS.unpack_from(own) != names:
            faults.append(f"CPU {cpu}: the counts are damaged")
            continue
        total += np.frombuffer(own, "<u8")
    return total, faults


def _histograms(
    image: Image, catalogue: Catalogue, words: NDArray[np.uint64], faults: list[str]
) -> list[Histogram]:
    control = read_control(image.control)
    if control is None or control.tag != catalogue.header.tag:
        if words[layout.BUCKET_OFFSET // 8 :].any():
            faults.append("the events of the histograms are not known: the control map is damaged")
        return []
    histograms = []
    for number, hist in enumerate(control.hist):
        start = layout.BUCKET_OFFSET // 8 + number * layout.BUCKETS
        buckets = words[start : start + layout.BUCKETS].tolist()
        if not hist.event or not any(buckets):
            continue
        event = catalogue.events.get(hist.event)
        if event is None:
            faults.append(f"histogram {number}: its event is not in the catalogue")
            continue
        total = int(words[layout.SUM_OFFSET // 8 + number])
        histograms.append(Histogram(event, _field(event, hist.offset), total, buckets))
    return histograms


def _field(event: Event, offset: int) -> Field | None:
    return next((f for f in event.fields if f.offset == offset and f.is_number), None)
