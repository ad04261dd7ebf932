# SPDX-License-Identifier: GPL-2.0-or-later
"""
Holes
-----

When records of a CPU may be missing: before its oldest record, if its ring was
overwritten; between two records, if numbers of slots are missing; after a ring was
frozen; and when the maskset was switched, since the new one may record less. A begin
before a hole and an end after it may not belong together.
"""

from dataclasses import dataclass
import itertools

import numpy as np
from numpy.typing import NDArray

from lkst.abi import layout
from lkst.decode.records import Records, first_words
from lkst.trace.gaps import unrecorded_switches
from lkst.trace.trace import Trace

__all__ = ("EVER", "Holes", "find_holes", "find_unrecorded_switches")

I64 = NDArray[np.int64]
Bools = NDArray[np.bool_]

#: Later than all times; its negative is earlier.
EVER = (1 << 63) - 1


@dataclass(frozen=True)
class _Spans:
    """Sorted spans of time that do not overlap, in ns of CLOCK_MONOTONIC."""

    low: I64
    high: I64

    def within(self, begin: I64, end: I64) -> Bools:
        """Check whether a span overlaps the time between begin and end."""
        ended = np.searchsorted(self.high, begin, side="right")
        begun = np.searchsorted(self.low, end, side="left")
        found: Bools = begun > ended
        return found


class Holes:
    """When records of which CPU may be missing."""

    def __init__(self, spans: dict[int, list[tuple[int, int]]]) -> None:
        """
        Prepare.

        :param spans: CPU -> begin and end, in ns of CLOCK_MONOTONIC
        """
        #: CPU -> spans.
        self.spans = {cpu: _joined(own) for cpu, own in spans.items() if own}
        self._cpus = {cpu: _as_spans(own) for cpu, own in self.spans.items()}
        self._all = _as_spans(_joined(itertools.chain.from_iterable(self.spans.values())))

    def on_cpu(self, cpu: NDArray[np.integer], begin: I64, end: I64) -> Bools:
        """Check which intervals overlap a hole of their CPU."""
        found = np.zeros(len(begin), bool)
        for number, spans in self._cpus.items():
            own = np.flatnonzero(cpu == number)
            found[own] = spans.within(begin[own], end[own])
        return found

    def anywhere(self, begin: I64, end: I64) -> Bools:
        """Check which intervals overlap a hole of any CPU."""
        return self._all.within(begin, end)


def _as_spans(spans: list[tuple[int, int]]) -> _Spans:
    return _Spans(*np.array(spans, np.int64).reshape(-1, 2).T)


def _joined(
    spans: "itertools.chain[tuple[int, int]] | list[tuple[int, int]]",
) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for low, high in sorted(spans):
        if joined and low < joined[-1][1]:
            joined[-1] = joined[-1][0], max(high, joined[-1][1])
        elif not joined or (low, high) != joined[-1]:
            joined.append((low, high))
    return joined


def find_holes(trace: Trace, cpus: NDArray[np.integer]) -> Holes:
    """
    Find the holes of a whole trace.

    Records that a filter left out when the trace was saved make no holes.

    :param cpus: CPU of each row
    """
    records = trace.records
    spans: dict[int, list[tuple[int, int]]] = {}
    if not trace.image.partial:
        lost = {
            (buffer.number, loss.cpu): (buffer.frozen, loss.torn + loss.unreadable > 0)
            for buffer in records.buffers
            for loss in buffer.cpus
        }
        for cpu in np.unique(cpus).tolist():
            rows = np.flatnonzero(cpus == cpu)
            spans[cpu] = _of_cpu(trace, records.select(rows), trace.ts[rows], cpu, lost)
    for event in trace.catalogue.events.values():
        if event.name == "maskset_use":
            for ts in trace.ts[trace.rows(event)].tolist():
                spans.setdefault(-1, []).append((ts, ts))
    masks = spans.pop(-1, [])
    every = {cpu: own + masks for cpu, own in spans.items()}
    return Holes(every if every or not masks else {0: masks})


def find_unrecorded_switches(trace: Trace) -> Holes:
    """
    Find when a CPU switched to another thread without a record.

    Only the switch is missing: these are not holes for what does not depend on the task.
    """
    spans: dict[int, list[tuple[int, int]]] = {}
    if gaps := unrecorded_switches(trace):
        low, high = trace.ts[gaps.before].tolist(), trace.ts[gaps.rows].tolist()
        for cpu, *span in zip(trace.cpu[gaps.rows].tolist(), low, high, strict=True):
            spans.setdefault(cpu, []).append((min(span), max(span)))
    return Holes(spans)


def _of_cpu(
    trace: Trace,
    records: Records,
    ts: I64,
    cpu: int,
    lost: dict[tuple[int, int], tuple[bool, bool]],
) -> list[tuple[int, int]]:
    word = first_words(records)
    number = (word & np.uint64(layout.SEQ_MASK)).astype(np.int64)
    buffers = (word >> np.uint64(layout.SEQ_BITS)).astype(np.int64) % layout.MAX_BUFFERS
    slots = records.slots[records.first, 1] >> np.uint64(layout.NR_SHIFT)
    after = number + (slots.astype(np.int64) & layout.NR_MASK)
    found: list[tuple[int, int]] = []
    for buffer in np.unique(buffers).tolist():
        own = np.flatnonzero(buffers == buffer)
        first, last = int(own[0]), int(own[-1])
        gaps = np.flatnonzero(after[own[:-1]] != number[own[1:]])
        if len(gaps):
            # A record that an interrupt writes before another one has its time is older than that.
            own = own[np.argsort(number[own], kind="stable")]
            gaps = np.flatnonzero(after[own[:-1]] != number[own[1:]])
        ends = np.sort(np.stack((ts[own[gaps]], ts[own[gaps + 1]]), axis=1), axis=1)
        found += map(tuple, ends.tolist())
        if number[own].min():
            # Records of an earlier buffer make no hole.
            found.append((int(ts[first - 1]) if first else -EVER, int(ts[first])))
        frozen, damaged = lost.get((buffer, cpu), (False, False))
        if damaged or (frozen and last == len(ts) - 1):
            found.append((int(ts[last]), EVER))
    return found
