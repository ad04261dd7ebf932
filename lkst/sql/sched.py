# SPDX-License-Identifier: GPL-2.0-or-later
"""
Who ran, who could have, who waited
-----------------------------------

From switches and wakeups to what each task was in, and who woke it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lkst.sql.columns import Column, Columns, Names
from lkst.sql.pairs import Pairs, last_before
from lkst.sql.spans import either, maybe, span_columns, sure
from lkst.sql.view import BIGINT, BOOLEAN, INTEGER, SPAN, TEXT, ColumnInfo, View
from lkst.state.tables import I64, Table
from lkst.tables import TASK_DEAD, TASK_PREEMPTED

__all__ = ("VIEWS",)

_STATE_BITS = 0xFFFF
_EXIT_BITS = 0x30  # EXIT_DEAD, EXIT_ZOMBIE: include/linux/sched.h

_WAKEUPS = ("sched_wakeup", "sched_wakeup_new")

# What can happen to a task.
_WOKEN, _PREEMPTED, _ASLEEP, _GONE, _IN = range(5)


@dataclass(frozen=True)
class _Steps:
    """What happened to the tasks, in the order of tasks and then of time."""

    what: NDArray[np.int8]
    row: I64
    pid: I64
    #: Whether the step before, behind, is of the same task.
    after: NDArray[np.bool_]
    before: NDArray[np.bool_]


def _switches(columns: Columns) -> Table:
    return columns.table("sched_switch", "prev_state", "next_pid")


def _wakeups(columns: Columns) -> Table:
    return columns.table(_WAKEUPS, "pid", "target_cpu")


def _steps(columns: Columns) -> _Steps:
    switches, wakeups = columns.keep(_switches), columns.keep(_wakeups)
    state = switches["prev_state"]
    left = np.full(len(switches), _ASLEEP, np.int8)
    left[(state & (TASK_DEAD | _EXIT_BITS)) != 0] = _GONE
    left[(state & TASK_PREEMPTED != 0) | (state & _STATE_BITS == 0)] = _PREEMPTED
    what = np.concatenate(
        (
            left,
            np.full(len(switches), _IN, np.int8),
            np.full(len(wakeups), _WOKEN, np.int8),
        )
    )
    row = np.concatenate((switches.rows, switches.rows, wakeups.rows))
    pid = np.concatenate(
        (columns.pid[switches.rows].astype(np.int64), switches["next_pid"], wakeups["pid"])
    )
    # A switch from a task to itself would be both: first it leaves.
    order = np.argsort((pid << 33) | row << 1 | (what == _IN))
    order = order[pid[order] > 0]
    pid = pid[order]
    same = np.zeros(len(order) + 1, bool)
    same[1:-1] = pid[1:] == pid[:-1]
    return _Steps(what[order], row[order], pid, same[:-1], same[1:])


def _running(columns: Columns) -> dict[str, Column]:
    switches = columns.keep(_switches)
    order = np.argsort(columns.cpu[switches.rows], kind="stable")
    rows, cpu = switches.rows[order], columns.cpu[switches.rows[order]]
    came, left = switches["next_pid"][order], columns.pid[switches.rows[order]]
    count = len(rows)
    there = np.zeros(count, bool)
    # Two switches in a row that tell of different tasks have lost one between.
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
    """Give the first of two names that is there."""
    codes = np.where(first.codes >= 0, first.codes, second.codes + len(first.names))
    return Names([*first.names, *second.names], np.where(second.codes < 0, first.codes, codes))


def _task_names(columns: Columns, rows: I64, came: NDArray[np.bool_]) -> Names:
    """
    Name the tasks that steps are about.

    :param came: which of them are switches to the task
    """
    woken = np.isin(columns.event[rows], _ids(columns, _WAKEUPS))
    own = columns.comms(np.where(woken | came, -1, rows))
    named = columns.texts(np.where(woken, rows, 0), "comm")
    named = Names(named.names, np.where(woken, named.codes, -1))
    following = columns.texts(np.where(came, rows, 0), "next_comm")
    following = Names(following.names, np.where(came, following.codes, -1))
    return _either_name(_either_name(own, named), following)


def _ids(columns: Columns, names: tuple[str, ...]) -> list[int]:
    return [e.id for e in columns.trace.catalogue.events.values() if e.name in names]


def _waits(columns: Columns) -> tuple[_Steps, Pairs]:
    """Find the waits for a CPU: indices of steps."""
    steps = columns.keep(_steps)
    what = steps.what
    count = len(what)
    follow = np.full(count, -1, np.int8)
    follow[:-1] = np.where(steps.before[:-1], what[1:], -1)
    came = np.full(count, -1, np.int8)
    came[1:] = np.where(steps.after[1:], what[:-1], -1)
    # A task that is running can be woken, on its way to sleep, and a runnable one again.
    begins = (what == _PREEMPTED) | ((what == _WOKEN) & np.isin(came, (-1, _ASLEEP, _GONE)))
    begins &= np.isin(follow, (-1, _IN, _WOKEN))
    ends = what == _IN
    # The end is the next step but repeated wakeups.
    index = np.arange(count)
    real = np.flatnonzero((what != _WOKEN) | begins)
    following = np.full(count, -1)
    following[real[:-1]] = np.where(steps.pid[real[1:]] == steps.pid[real[:-1]], real[1:], -1)
    end = np.where(begins, following, -1)
    good = begins & (end >= 0)
    good[good] = ends[end[good]]
    alone = begins & (following < 0)
    ended = np.zeros(count, bool)
    ended[end[good]] = True
    lone = ends & ~ended
    none = np.full(count, -1)
    pairs = Pairs(
        np.concatenate((index[good], index[alone], none[lone])),
        np.concatenate((end[good], none[alone], index[lone])),
    )
    return steps, sure(columns, steps.row, steps.row, pairs, "object")


def _runnable(columns: Columns) -> dict[str, Column]:
    steps, pairs = columns.keep(_waits)
    table = span_columns(columns, steps.row, steps.row, pairs)
    table |= _of_task(columns, steps, pairs)
    what = steps.what[pairs.begin] if len(steps.what) else np.zeros(0, np.int8)
    new = np.isin(columns.event, _ids(columns, ("sched_wakeup_new",)))[steps.row[pairs.begin]]
    why = np.where(what == _PREEMPTED, 2, np.where(new, 1, 0))
    table["why"] = Names(["wakeup", "new", "preempted"], np.where(pairs.begin < 0, -1, why))
    woken = (pairs.begin >= 0) & (what == _WOKEN)
    wakeups = columns.keep(_wakeups)
    if woken.any():
        place = np.searchsorted(wakeups.rows, steps.row[pairs.begin[woken]])
        cpu = np.array(table["cpu"])
        cpu[woken] = wakeups["target_cpu"][place]
        table["cpu"] = cpu
    return table | _waker(columns, np.where(woken, steps.row[pairs.begin], -1))


def _of_task(columns: Columns, steps: _Steps, pairs: Pairs) -> dict[str, Column]:
    """Give the task that an interval is about, and the CPU where it went on."""
    step = np.where(pairs.begin < 0, pairs.end, pairs.begin)
    return {
        "pid": steps.pid[step],
        "comm": _task_names(columns, steps.row[step], steps.what[step] == _IN),
    }


def _waker(columns: Columns, rows: I64) -> dict[str, Column]:
    """
    Tell who woke a task.

    :param rows: of wakeups, or -1. Where ``sched_waking`` is recorded it tells who; a
        wakeup may be brought to its end by an interrupt of the other CPU.
    """
    waking = columns.table("sched_waking", "pid")
    if len(waking):
        pids = columns.keep(_wakeups)
        place = np.searchsorted(pids.rows, rows)
        pid = pids["pid"][np.minimum(place, max(len(pids) - 1, 0))] if len(pids) else rows
        found = last_before(waking["pid"], waking.rows, pid, np.maximum(rows, 0))
        rows = np.where((rows >= 0) & (found >= 0), waking.rows[found], rows)
    return {
        "waker_cpu": maybe(columns.cpu, rows),
        "waker_pid": maybe(columns.pid, rows),
        "waker_comm": columns.comms(rows),
    }


def _blocked(columns: Columns) -> dict[str, Column]:
    steps = columns.keep(_steps)
    what, count = steps.what, len(steps.what)
    index, none = np.arange(count), np.full(count, -1)
    slept = what == _ASLEEP
    woken = np.zeros(count, bool)
    woken[:-1] = slept[:-1] & steps.before[:-1] & (what[1:] == _WOKEN)
    # The first that is heard of a task is that it is woken: it has been asleep.
    lone = (what == _WOKEN) & ~steps.after
    pairs = Pairs(
        np.concatenate((index[woken], index[slept & ~woken], none[lone])),
        np.concatenate((index[woken] + 1, none[slept & ~woken], index[lone])),
    )
    new = np.isin(columns.event, _ids(columns, ("sched_wakeup_new",)))
    born = (pairs.begin < 0) & new[steps.row[pairs.end]] if count else np.zeros(0, bool)
    pairs = sure(columns, steps.row, steps.row, pairs.select(~born), "object")
    table = span_columns(columns, steps.row, steps.row, pairs)
    table |= _of_task(columns, steps, pairs)
    switches = columns.keep(_switches)
    letters = columns.named("task_state", switches["prev_state"] & 0xFFFFFFFF)
    row = np.where(pairs.begin < 0, -1, steps.row[pairs.begin])
    place = np.searchsorted(switches.rows, np.maximum(row, 0))
    table["state"] = letters[np.where(row < 0, -1, place)]
    return table | _waker(columns, np.where(pairs.end < 0, -1, steps.row[pairs.end]))


def _wakes(columns: Columns) -> dict[str, Column]:
    wakeups = columns.keep(_wakeups)
    rows = wakeups.rows
    steps, pairs = columns.keep(_waits)
    ran = (pairs.begin >= 0) & (pairs.end >= 0)
    ran[ran] = steps.what[pairs.begin[ran]] == _WOKEN
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
        "new": np.isin(columns.event[rows], _ids(columns, ("sched_wakeup_new",))),
        "delay_ns": maybe(delays, found),
    }


_WAKER = (
    ColumnInfo("waker_cpu", INTEGER, "", "CPU of who woke it; NULL: not woken, or not known"),
    ColumnInfo("waker_pid", INTEGER, "", "task that woke it, or was interrupted by what did"),
    ColumnInfo("waker_comm", TEXT, "", "its name"),
)

VIEWS = (
    View(
        "running",
        "A task has a CPU. The idle tasks have pid 0.",
        ("sched_switch",),
        (*SPAN, ColumnInfo("end_state", TEXT, "", "state in which it left: R+ preempted, S, D")),
        _running,
    ),
    View(
        "runnable",
        "A task waits for a CPU. Its cpu is the one in whose queue it was put.",
        ("sched_switch", "sched_wakeup"),
        (*SPAN, ColumnInfo("why", TEXT, "", "wakeup, new or preempted"), *_WAKER),
        _runnable,
    ),
    View(
        "blocked",
        "A task sleeps, until it is woken. Its cpu is the one that it left.",
        ("sched_switch", "sched_wakeup"),
        (*SPAN, ColumnInfo("state", TEXT, "", "S: interruptible, D: not, I: idle, T, t"), *_WAKER),
        _blocked,
    ),
    View(
        "wakeups",
        "Who woke whom.",
        ("sched_wakeup sched_wakeup_new",),
        (
            ColumnInfo("ts_ns", BIGINT, "ns", "when"),
            ColumnInfo("cpu", INTEGER, "", "CPU that made it runnable"),
            *_WAKER,
            ColumnInfo("pid", INTEGER, "", "who was woken"),
            ColumnInfo("comm", TEXT, "", "its name"),
            ColumnInfo("target_cpu", INTEGER, "", "CPU where it is to run"),
            ColumnInfo("new", BOOLEAN, "", "whether it runs for the first time"),
            ColumnInfo("delay_ns", BIGINT, "ns", "until it ran; NULL: it did not, or was running"),
        ),
        _wakes,
    ),
)
