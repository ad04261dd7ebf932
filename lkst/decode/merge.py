# SPDX-License-Identifier: GPL-2.0-or-later
"""
Merging
-------

Merge several sequences of records by time.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lkst.decode.threads import in_threads

__all__ = ("RingColumns", "merge", "put_in_order")

U64 = NDArray[np.uint64]
I64 = NDArray[np.int64]

#: Records per merge step, so that they stay in the processor's cache.
_PIECE = 1 << 16
#: Sampling interval for finding the cuts.
_SAMPLE = 1 << 10


@dataclass(frozen=True)
class RingColumns:
    """The records of a ring: the header in each first slot, and that slot's index."""

    ts: U64
    what: U64
    first: I64
    flags: NDArray[np.uint8]

    def arrays(self) -> tuple[NDArray[np.generic], ...]:
        """Return all columns."""
        return self.ts, self.what, self.first, self.flags


def put_in_order(columns: RingColumns) -> None:
    """
    Sort by time, in place; records with equal times stay in their order.

    An interrupt's record may lie before that of what it interrupted, so nearly all are
    where they belong: only those are moved that have an earlier one behind them, or a
    later one before.
    """
    ts = columns.ts
    if not (ts[1:] < ts[:-1]).any():
        return
    #: Whether no earlier record belongs after this one or after its predecessors.
    clean = np.ones(len(ts) + 1, bool)
    earliest = np.minimum.accumulate(ts[::-1])[::-1]
    np.less_equal(np.maximum.accumulate(ts)[:-1], earliest[1:], out=clean[1:-1])
    rows = np.flatnonzero(~(clean[1:] & clean[:-1]))
    sources = rows[np.argsort(ts[rows], kind="stable")]
    for array in columns.arrays():
        array[rows] = array[sources]


def merge(parts: Sequence[RingColumns]) -> RingColumns:
    """
    Merge records by time; with equal times the earlier part's records come first.

    :param parts: each in the order of time
    """
    parts = [part for part in parts if len(part.ts)]
    if len(parts) == 1:
        return parts[0]
    total = sum(len(part.ts) for part in parts)
    merged = RingColumns(
        np.empty(total, np.uint64),
        np.empty(total, np.uint64),
        np.empty(total, np.int64),
        np.empty(total, np.uint8),
    )
    if not parts:
        return merged
    bounds = _cut(parts, -(-total // _PIECE))
    ends = bounds.sum(axis=0).tolist()

    def merge_piece(piece: int) -> None:
        slices = [slice(*own) for own in bounds[:, piece : piece + 2].tolist()]
        ts = np.concatenate([part.ts[own] for part, own in zip(parts, slices, strict=True)])
        order = np.argsort(ts, kind="stable")
        target = slice(ends[piece], ends[piece + 1])
        for index, column in enumerate(merged.arrays()):
            values = np.concatenate(
                [part.arrays()[index][own] for part, own in zip(parts, slices, strict=True)]
            )
            values.take(order, out=column[target], mode="clip")

    in_threads(merge_piece, range(bounds.shape[1] - 1))
    return merged


def _cut(parts: Sequence[RingColumns], pieces: int) -> I64:
    """
    Cut all parts at the same times.

    :return: for each part, the row where each piece begins, and its end
    """
    times = np.sort(np.concatenate([part.ts[::_SAMPLE] for part in parts]))
    pivots = times[np.arange(1, pieces) * len(times) // pieces]
    return np.array(
        [[0, *np.searchsorted(part.ts, pivots).tolist(), len(part.ts)] for part in parts], np.int64
    )
