# SPDX-License-Identifier: GPL-2.0-or-later
"""
Intervals
---------

From pairs of records to the columns that all intervals have. A pair is only kept if
nothing that is not recorded can have come between; else what is known of its two ends
stays, marked open.
"""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lkst.sql.columns import Column, Maybe, Names, TableColumns
from lkst.sql.pairs import Pairs, last_before
from lkst.trace.event_table import I64

__all__ = ("either", "joined", "known", "maybe", "since", "span_columns", "sure")

_OPEN = ["start", "end", "both"]


def maybe(values: NDArray[Any], which: I64) -> Maybe:
    """Give values by their indices, of which -1 is none."""
    if not len(values):
        return Maybe(np.zeros(len(which), np.int64), np.zeros(len(which), bool))
    return Maybe(values[which], which >= 0)


def since(columns: TableColumns, rows: I64, later: I64, which: I64) -> Maybe:
    """
    Give the time from some rows to others.

    :param rows: of the trace, or -1
    :param which: indices of ``later``, which are rows, or -1
    """
    begin, end = maybe(columns.ts, rows), maybe(columns.ts[later], which)
    return Maybe(end.values - begin.values, end.valid & begin.valid)


def joined(first: Column, second: Column) -> Column:
    """Put two columns of one kind below each other."""
    if isinstance(first, Names) and isinstance(second, Names):
        codes = np.where(second.codes < 0, -1, second.codes + len(first.names))
        return Names([*first.names, *second.names], np.concatenate((first.codes, codes)))
    if isinstance(first, Maybe) and isinstance(second, Maybe):
        values = np.concatenate((first.values, second.values))
        return Maybe(values, np.concatenate((first.valid, second.valid)))
    assert isinstance(first, np.ndarray)
    assert isinstance(second, np.ndarray)
    return np.concatenate((first, second))


def either(begin: NDArray[Any], end: NDArray[Any], pairs: Pairs) -> NDArray[Any]:
    """Give what both ends say, by the one that is known."""
    if not len(begin):
        return end[pairs.end]
    if not len(end):
        return begin[pairs.begin]
    return np.where(pairs.begin < 0, end[pairs.end], begin[pairs.begin])


def known(begin: I64, end: I64, pairs: Pairs) -> I64:
    """Give the rows of the first end that is known."""
    return either(begin, end, pairs).astype(np.int64)


def sure(
    columns: TableColumns,
    begin: I64,
    end: I64,
    pairs: Pairs,
    by: Literal["cpu", "task", "object"],
    pid: NDArray[np.integer] | None = None,
) -> Pairs:
    """
    Cut the pairs that are none for sure, and put all in the order of time.

    What belongs to a CPU is sure if that CPU has no hole between. What belongs to a task
    is sure if no CPU has one, or the task was on one CPU without holes all the time. All
    else is sure if no CPU has a hole between.

    :param begin: rows of the trace, of which ``pairs`` has the indices
    :param pid: of a task that is not the current one of ``begin``, by index of it
    """
    whole = np.flatnonzero((pairs.begin >= 0) & (pairs.end >= 0))
    low, high = begin[pairs.begin[whole]], end[pairs.end[whole]]
    ts, cpu = columns.ts, columns.cpu
    holes = columns.holes
    if by == "cpu":
        doubtful = holes.on_cpu(cpu[low], ts[low], ts[high])
    else:
        doubtful = holes.anywhere(ts[low], ts[high])
        if by == "task" and doubtful.any() and columns.recorded("sched_switch"):
            some = np.flatnonzero(doubtful)
            tasks = columns.pid[begin] if pid is None else pid
            task = tasks[pairs.begin[whole[some]]]
            stayed = _stayed(columns, low[some], high[some], task)
            doubtful[some[stayed]] = False
    cut = np.zeros(len(pairs), bool)
    cut[whole[doubtful]] = True
    pairs = pairs.cut(cut)
    return pairs.select(np.argsort(known(begin, end, pairs), kind="stable"))


def _stayed(
    columns: TableColumns, low: I64, high: I64, pid: NDArray[np.integer]
) -> NDArray[np.bool_]:
    """Tell between which rows a task was on one CPU that has no hole there."""
    ts, cpu = columns.ts, columns.cpu
    here = (cpu[low] == cpu[high]) & ~columns.holes.on_cpu(cpu[low], ts[low], ts[high])
    switches = columns.table("sched_switch").rows
    last = last_before(columns.pid[switches].astype(np.int64), switches, pid.astype(np.int64), high)
    left = (last >= 0) & (switches[last] > low)
    stayed: NDArray[np.bool_] = here & ~left
    return stayed


def span_columns(columns: TableColumns, begin: I64, end: I64, pairs: Pairs) -> dict[str, Column]:
    """
    Give the columns that all intervals have.

    CPU and task are those of the record that began it, or else of the one that ended it.
    """
    start = maybe(columns.ts[begin], pairs.begin)
    stop = maybe(columns.ts[end], pairs.end)
    row = known(begin, end, pairs)
    code = np.where(pairs.begin < 0, 0, np.where(pairs.end < 0, 1, -1))
    return {
        "start_ns": start,
        "end_ns": stop,
        "duration_ns": Maybe(stop.values - start.values, start.valid & stop.valid),
        "open": Names(_OPEN, code),
        "cpu": columns.cpu[row],
        "pid": columns.pid[row],
        "comm": columns.comms(row),
    }
