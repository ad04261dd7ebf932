# SPDX-License-Identifier: GPL-2.0-or-later
"""
Stretches
---------

A stretch goes from one record of a CPU to another one of the same CPU.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lkst.trace.event_table import I64
from lkst.trace.trace import Trace
from lkst.util.printable import clean

__all__ = ("BEGAN_BEFORE", "GOES_ON", "NONE", "ByCPU", "Lane", "named", "no_lane", "stretches")

#: Its first record is not the one with which it began; its last is not the one that ended it.
BEGAN_BEFORE, GOES_ON = 1, 2

NONE: I64 = np.zeros(0, np.int64)


@dataclass
class Lane:
    """Stretches of one kind, in the order of CPU and time."""

    #: One of ``lkst.report.lanes.LANES``.
    kind: str
    #: What they are called, each once. Of the lane "task": those of its Tasks.
    names: list[str]
    cpu: I64
    #: Rows of their first and last records.
    begin: I64
    end: I64
    #: Which name.
    name: I64
    #: BEGAN_BEFORE | GOES_ON
    cut: I64
    #: Why there are none, if that is known.
    note: str = ""

    def __len__(self) -> int:
        return len(self.begin)


def no_lane(kind: str, note: str = "") -> Lane:
    """Give a lane without a stretch."""
    return Lane(kind, [], NONE, NONE, NONE, NONE, NONE, note)


class ByCPU:
    """The records in the order of CPU and time."""

    def __init__(self, trace: Trace) -> None:
        """Sort them."""
        #: Rows of the trace.
        self.rows: I64 = np.argsort(trace.cpu, kind="stable")
        self.cpu: I64 = trace.cpu[self.rows]
        #: Whether it is the first of its CPU.
        self.first = np.ones(len(self.rows), bool)
        self.first[1:] = self.cpu[1:] != self.cpu[:-1]
        #: Place of each row in this order.
        self.place = np.empty(len(self.rows), np.int64)
        self.place[self.rows] = np.arange(len(self.rows))
        last = np.append(np.flatnonzero(self.first)[1:] - 1, len(self.rows) - 1)
        #: Place of the last one of the same CPU.
        self.last: I64 = last[np.cumsum(self.first) - 1] if len(self.rows) else NONE


def stretches(order: ByCPU, column: I64) -> tuple[I64, I64, NDArray[np.bool_]]:
    """
    Put neighbours together that are the same.

    :return: places of the first record of each and of the first one after it; whether that is
        of the same CPU, which goes on to the last record otherwise
    """
    change = order.first.copy()
    change[1:] |= column[1:] != column[:-1]
    begin = np.flatnonzero(change)
    end = np.append(begin[1:], len(order.rows) - 1)
    ended = np.append(order.cpu[begin[1:]] == order.cpu[begin[:-1]], False)
    return begin, np.where(ended, end, order.last[begin]), ended


def named(values: I64, name: Callable[[int], str]) -> tuple[list[str], I64]:
    """Name each value once."""
    if not len(values):
        return [], NONE
    unique, code = np.unique(values, return_inverse=True)
    return [clean(name(value)) for value in unique.tolist()], code
