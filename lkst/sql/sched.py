# SPDX-License-Identifier: GPL-2.0-or-later
"""
Scheduling
----------

When each task ran, was runnable or slept, and who woke it, from switches and wakeups.
"""

import numpy as np
from numpy.typing import NDArray

from lkst.sql.columns import Column, Names, TableColumns
from lkst.sql.pairs import Pairs, last_before
from lkst.sql.spans import either, maybe, span_columns, sure
from lkst.sql.steps import (
    ASLEEP,
    IN,
    PREEMPTED,
    WAKEUPS,
    WOKEN,
    Steps,
    find_switches,
    find_waits,
    find_wakeups,
    ids_of,
    task_steps,
)
from lkst.sql.view import BIGINT, BOOLEAN, INTEGER, SPAN, TEXT, ColumnInfo, View
from lkst.trace.event_table import I64

__all__ = ("VIEWS",)


def _running(columns: TableColumns) -> dict[str, Column]:
    switches = columns.keep(find_switches)
    order = np.argsort(columns.cpu[switches.rows], kind="stable")
    rows, cpu = switches.rows[order], columns.cpu[switches.rows[order]]
    came, left = switches["next_pid"][order], columns.pid[switches.rows[order]]
    count = len(rows)
    there = np.zeros(count, bool)
    # If two consecutive switches disagree about the task, one between them is lost.
    there[:-1] = (cpu[1:] == cpu[:-1]) & (came[:-1] == left[1:])
    ended = np.zeros(count, bool)
    ended[1:] = there[:-1]
    index = np.arange(count)
    none = np.full(count, -1)
    pairs = Pairs(
        np.concatenate((index[there], index[~there], none[~ended])),
        np.concatenate((index[there] + 1, none[~there], index[~ended])),
    )
    pairs = sure(columns, rows, rows, pairs, "cpu")
    table = span_columns(columns, rows, rows, pairs)
    table["pid"] = either(came, left, pairs)
    table["comm"] = _either_name(
        columns.texts(rows, "next_comm")[pairs.begin], columns.comms(rows)[pairs.end]
    )
    state = columns.named("task_state", switches["prev_state"][order] & 0xFFFFFFFF)
    table["end_state"] = state[pairs.end]
    return table


def _either_name(first: Names, second: Names) -> Names:
    # The first of two names that is known.
    codes = np.where(first.codes >= 0, first.codes, second.codes + len(first.names))
    return Names([*first.names, *second.names], np.where(second.codes < 0, first.codes, codes))


def _task_names(columns: TableColumns, rows: I64, came: NDArray[np.bool_]) -> Names:
    """
    Return the names of the tasks of steps.

    :param came: which steps are switches to the task
    """
    woken = np.isin(columns.event[rows], ids_of(columns, WAKEUPS))
    own = columns.comms(np.where(woken | came, -1, rows))
    named = columns.texts(np.where(woken, rows, 0), "comm")
    named = Names(named.names, np.where(woken, named.codes, -1))
    following = columns.texts(np.where(came, rows, 0), "next_comm")
    following = Names(following.names, np.where(came, following.codes, -1))
    return _either_name(_either_name(own, named), following)


def _runnable(columns: TableColumns) -> dict[str, Column]:
    steps, pairs = columns.keep(find_waits)
    table = span_columns(columns, steps.row, steps.row, pairs)
    table |= _of_task(columns, steps, pairs)
    what = steps.what[pairs.begin] if len(steps.what) else np.zeros(0, np.int8)
    new = np.isin(columns.event, ids_of(columns, ("sched_wakeup_new",)))[steps.row[pairs.begin]]
    why = np.where(what == PREEMPTED, 2, np.where(new, 1, 0))
    table["why"] = Names(["wakeup", "new", "preempted"], np.where(pairs.begin < 0, -1, why))
    woken = (pairs.begin >= 0) & (what == WOKEN)
    wakeups = columns.keep(find_wakeups)
    if woken.any():
        place = np.searchsorted(wakeups.rows, steps.row[pairs.begin[woken]])
        cpu = np.array(table["cpu"])
        cpu[woken] = wakeups["target_cpu"][place]
        table["cpu"] = cpu
    return table | _waker(columns, np.where(woken, steps.row[pairs.begin], -1))


def _of_task(columns: TableColumns, steps: Steps, pairs: Pairs) -> dict[str, Column]:
    # The task of an interval, and the CPU on which it continued.
    step = np.where(pairs.begin < 0, pairs.end, pairs.begin)
    return {
        "pid": steps.pid[step],
        "comm": _task_names(columns, steps.row[step], steps.what[step] == IN),
    }


def _waker(columns: TableColumns, rows: I64) -> dict[str, Column]:
    """
    Return who woke a task.

    :param rows: rows of wakeups, or -1. The waker is taken from ``sched_waking`` if that is
        recorded: an interrupt of the other CPU may complete the wakeup.
    """
    waking = columns.table("sched_waking", "pid")
    if len(waking):
        pids = columns.keep(find_wakeups)
        place = np.searchsorted(pids.rows, rows)
        pid = pids["pid"][np.minimum(place, max(len(pids) - 1, 0))] if len(pids) else rows
        found = last_before(waking["pid"], waking.rows, pid, np.maximum(rows, 0))
        rows = np.where((rows >= 0) & (found >= 0), waking.rows[found], rows)
    return {
        "waker_cpu": maybe(columns.cpu, rows),
        "waker_pid": maybe(columns.pid, rows),
        "waker_comm": columns.comms(rows),
    }


def _blocked(columns: TableColumns) -> dict[str, Column]:
    steps = columns.keep(task_steps)
    what, count = steps.what, len(steps.what)
    index, none = np.arange(count), np.full(count, -1)
    slept = what == ASLEEP
    woken = np.zeros(count, bool)
    woken[:-1] = slept[:-1] & steps.before[:-1] & (what[1:] == WOKEN)
    # If the first step of a task is a wakeup, it was asleep before.
    lone = (what == WOKEN) & ~steps.after
    pairs = Pairs(
        np.concatenate((index[woken], index[slept & ~woken], none[lone])),
        np.concatenate((index[woken] + 1, none[slept & ~woken], index[lone])),
    )
    new = np.isin(columns.event, ids_of(columns, ("sched_wakeup_new",)))
    born = (pairs.begin < 0) & new[steps.row[pairs.end]] if count else np.zeros(0, bool)
    pairs = sure(columns, steps.row, steps.row, pairs.select(~born), "object")
    table = span_columns(columns, steps.row, steps.row, pairs)
    table |= _of_task(columns, steps, pairs)
    switches = columns.keep(find_switches)
    letters = columns.named("task_state", switches["prev_state"] & 0xFFFFFFFF)
    row = np.where(pairs.begin < 0, -1, steps.row[pairs.begin])
    place = np.searchsorted(switches.rows, np.maximum(row, 0))
    table["state"] = letters[np.where(row < 0, -1, place)]
    return table | _waker(columns, np.where(pairs.end < 0, -1, steps.row[pairs.end]))


def _wakes(columns: TableColumns) -> dict[str, Column]:
    wakeups = columns.keep(find_wakeups)
    rows = wakeups.rows
    steps, pairs = columns.keep(find_waits)
    ran = (pairs.begin >= 0) & (pairs.end >= 0)
    ran[ran] = steps.what[pairs.begin[ran]] == WOKEN
    begun = steps.row[pairs.begin[ran]]
    delays = (columns.ts[steps.row[pairs.end[ran]]] - columns.ts[begun]).astype(np.int64)
    found = last_before(np.zeros(len(begun), np.int64), begun, np.zeros(len(rows), int), rows + 1)
    found = np.where((found >= 0) & (begun[found] == rows), found, -1) if len(begun) else found
    waker = _waker(columns, rows)
    return {
        "ts_ns": columns.ts[rows],
        "cpu": maybe(columns.cpu, rows).values,
        **{name: waker[name] for name in ("waker_cpu", "waker_pid", "waker_comm")},
        "pid": wakeups["pid"],
        "comm": columns.texts(rows, "comm"),
        "target_cpu": wakeups["target_cpu"],
        "new": np.isin(columns.event[rows], ids_of(columns, ("sched_wakeup_new",))),
        "delay_ns": maybe(delays, found),
    }


_WAKER = (
    ColumnInfo("waker_cpu", INTEGER, "", "CPU that woke the task; NULL: not woken, or not known"),
    ColumnInfo("waker_pid", INTEGER, "", "task that woke it, or that was interrupted by the waker"),
    ColumnInfo("waker_comm", TEXT, "", "its name"),
)

VIEWS = (
    View(
        "running",
        "A task runs on a CPU. Idle tasks have pid 0.",
        ("sched_switch",),
        (
            *SPAN,
            ColumnInfo(
                "end_state", TEXT, "", "state in which it left the CPU: R+ (preempted), S, D"
            ),
        ),
        _running,
    ),
    View(
        "runnable",
        "A runnable task waits for a CPU; cpu is the one of its run queue.",
        ("sched_switch", "sched_wakeup"),
        (*SPAN, ColumnInfo("why", TEXT, "", "wakeup, new or preempted"), *_WAKER),
        _runnable,
    ),
    View(
        "blocked",
        "A task sleeps until it is woken; cpu is the one that it left.",
        ("sched_switch", "sched_wakeup"),
        (
            *SPAN,
            ColumnInfo("state", TEXT, "", "S: interruptible, D: uninterruptible, I: idle, T, t"),
            *_WAKER,
        ),
        _blocked,
    ),
    View(
        "wakeups",
        "Wakeups: who woke which task.",
        ("sched_wakeup sched_wakeup_new",),
        (
            ColumnInfo("ts_ns", BIGINT, "ns", "when"),
            ColumnInfo("cpu", INTEGER, "", "CPU that made the task runnable"),
            *_WAKER,
            ColumnInfo("pid", INTEGER, "", "thread id of the woken task"),
            ColumnInfo("comm", TEXT, "", "its name"),
            ColumnInfo("target_cpu", INTEGER, "", "CPU on whose run queue it was put"),
            ColumnInfo("new", BOOLEAN, "", "whether the task is new"),
            ColumnInfo(
                "delay_ns",
                BIGINT,
                "ns",
                "from the wakeup until it ran; NULL: it did not, or was running",
            ),
        ),
        _wakes,
    ),
)
