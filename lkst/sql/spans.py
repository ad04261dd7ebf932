# SPDX-License-Identifier: GPL-2.0-or-later
"""
Intervals
---------

From pairs of records to the columns that all intervals have. A pair is kept only if no
missing record can come between; otherwise it becomes two open intervals.
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
    """Return values by index; index -1 has none."""
    if not len(values):
        return Maybe(np.zeros(len(which), np.int64), np.zeros(len(which), bool))
    return Maybe(values[which], which >= 0)


def since(columns: TableColumns, rows: I64, later: I64, which: I64) -> Maybe:
    """
    Return the time from some rows to others, in ns.

    :param rows: rows of the trace, or -1
    :param later: rows of the trace
    :param which: indices of ``later``, or -1
    """
    begin, end = maybe(columns.ts, rows), maybe(columns.ts[later], which)
    return Maybe(end.values - begin.values, end.valid & begin.valid)


def joined(first: Column, second: Column) -> Column:
    """Concatenate two columns of one kind."""
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
    """Return a value that both ends have, from the end that is known."""
    if not len(begin):
        return end[pairs.end]
    if not len(end):
        return begin[pairs.begin]
    return np.where(pairs.begin < 0, end[pairs.end], begin[pairs.begin])


def known(begin: I64, end: I64, pairs: Pairs) -> I64:
    """Return the row of the begin, or of the end if the begin is not known."""
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
    Split the uncertain pairs, and sort all by time.

    A pair of a CPU is certain if that CPU has no hole between. A pair of a task is certain if
    no CPU has one, or if the task stayed on one CPU without holes. Any other pair is certain
    if no CPU has a hole between.

    :param begin: rows of the trace; ``pairs`` has indices of it
    :param pid: tasks, by index of ``begin``, if they are not the current ones
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
    # Check between which rows a task stayed on one CPU that has no hole there.
    ts, cpu = columns.ts, columns.cpu
    here = (cpu[low] == cpu[high]) & ~columns.holes.on_cpu(cpu[low], ts[low], ts[high])
    switches = columns.table("sched_switch").rows
    last = last_before(columns.pid[switches].astype(np.int64), switches, pid.astype(np.int64), high)
    left = (last >= 0) & (switches[last] > low)
    stayed: NDArray[np.bool_] = here & ~left
    return stayed


def span_columns(columns: TableColumns, begin: I64, end: I64, pairs: Pairs) -> dict[str, Column]:
    """
    Return the columns that all intervals have.

    CPU and task are those of the begin, or of the end if the begin is not known.
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
