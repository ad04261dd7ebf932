# SPDX-License-Identifier: GPL-2.0-or-later
"""
Spans
-----

Number and time span of the records of each CPU and of each buffer.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ("NO_SPAN", "Span", "find_spans")

I64 = NDArray[np.int64]

#: Rows per step of the search for first records.
_BLOCK = 1 << 14


class Span(NamedTuple):
    """The number and time span of some records."""

    records: int
    #: Times of the first and last record: ns, CLOCK_MONOTONIC; None if there is none.
    first: int | None
    last: int | None


NO_SPAN = Span(0, None, None)


def find_spans(column: I64, ts: I64) -> dict[int, Span]:
    """
    Sum up the records of each value of a column.

    :param column: small numbers, none negative
    :param ts: times, in order
    """
    counts = np.bincount(column)
    values = np.flatnonzero(counts)
    first = ts[_first_rows(column, values)]
    last = ts[len(ts) - 1 - _first_rows(column[::-1], values)]
    found = (values, counts[values], first, last)
    return {
        value: Span(*span) for value, *span in zip(*(own.tolist() for own in found), strict=True)
    }


def _first_rows(column: I64, values: I64) -> I64:
    """Find the first row of each value, all of which are there."""
    rows = np.full(int(values.max(initial=-1)) + 1, -1)
    missing = len(values)
    start = 0
    while missing:
        block = column[start : start + _BLOCK]
        found, first = np.unique(block, return_index=True)
        new = rows[found] < 0
        rows[found[new]] = start + first[new]
        missing -= int(new.sum())
        start += _BLOCK
    return rows[values]
