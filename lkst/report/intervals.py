# SPDX-License-Identifier: GPL-2.0-or-later
"""
Intervals
---------

An interval goes from one record of a CPU to another one of the same CPU.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lkst.trace.event_table import I64
from lkst.trace.trace import Trace
from lkst.util.printable import clean

__all__ = ("BEGAN_BEFORE", "GOES_ON", "NONE", "ByCPU", "Lane", "merge_equal", "named", "no_lane")

#: Flags of a cut interval: its first record did not begin it; its last did not end it.
BEGAN_BEFORE, GOES_ON = 1, 2

NONE: I64 = np.zeros(0, np.int64)


@dataclass
class Lane:
    """Intervals of one kind, sorted by CPU and time."""

    #: One of ``lkst.report.lanes.LANES``.
    kind: str
    #: Distinct names. For the lane "task": the names of its Tasks.
    names: list[str]
    cpu: I64
    #: Rows of the first and last records.
    begin: I64
    end: I64
    #: Index of the name.
    name: I64
    #: BEGAN_BEFORE | GOES_ON
    cut: I64
    #: Why the lane is empty, if known.
    note: str = ""

    def __len__(self) -> int:
        return len(self.begin)


def no_lane(kind: str, note: str = "") -> Lane:
    """Return an empty lane."""
    return Lane(kind, [], NONE, NONE, NONE, NONE, NONE, note)


class ByCPU:
    """Records sorted by CPU and time."""

    def __init__(self, trace: Trace) -> None:
        """Sort them."""
        #: Rows of the trace.
        self.rows: I64 = np.argsort(trace.cpu, kind="stable")
        self.cpu: I64 = trace.cpu[self.rows]
        #: Whether a record is the first of its CPU.
        self.first = np.ones(len(self.rows), bool)
        self.first[1:] = self.cpu[1:] != self.cpu[:-1]
        #: Place of each row in this order.
        self.place = np.empty(len(self.rows), np.int64)
        self.place[self.rows] = np.arange(len(self.rows))
        last = np.append(np.flatnonzero(self.first)[1:] - 1, len(self.rows) - 1)
        #: Place of the last record of the same CPU.
        self.last: I64 = last[np.cumsum(self.first) - 1] if len(self.rows) else NONE


def merge_equal(order: ByCPU, column: I64) -> tuple[I64, I64, NDArray[np.bool_]]:
    """
    Merge consecutive equal values of a CPU into intervals.

    :return: places of the first record and of the next interval's first record, and whether that
        is of the same CPU; if not, the interval ends with the last record
    """
    change = order.first.copy()
    change[1:] |= column[1:] != column[:-1]
    begin = np.flatnonzero(change)
    end = np.append(begin[1:], len(order.rows) - 1)
    ended = np.append(order.cpu[begin[1:]] == order.cpu[begin[:-1]], False)
    return begin, np.where(ended, end, order.last[begin]), ended


def named(values: I64, name: Callable[[int], str]) -> tuple[list[str], I64]:
    """Name each distinct value once; return names and indices."""
    if not len(values):
        return [], NONE
    unique, code = np.unique(values, return_inverse=True)
    return [clean(name(value)) for value in unique.tolist()], code
