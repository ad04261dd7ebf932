# SPDX-License-Identifier: GPL-2.0-or-later
"""
Steps of tasks
--------------

State changes of each task, from switches and wakeups, and the waits for a CPU among them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lkst.abi.kernel_constants import TASK_DEAD, TASK_PREEMPTED
from lkst.sql.columns import TableColumns
from lkst.sql.pairs import Pairs
from lkst.sql.spans import sure
from lkst.trace.event_table import I64, Table

__all__ = (
    "ASLEEP",
    "IN",
    "PREEMPTED",
    "WAKEUPS",
    "WOKEN",
    "Steps",
    "find_switches",
    "find_waits",
    "find_wakeups",
    "ids_of",
    "task_steps",
)

_STATE_BITS = 0xFFFF
_EXIT_BITS = 0x30  # EXIT_DEAD, EXIT_ZOMBIE: include/linux/sched.h

WAKEUPS = ("sched_wakeup", "sched_wakeup_new")

# Kinds of steps.
WOKEN, PREEMPTED, ASLEEP, GONE, IN = range(5)


@dataclass(frozen=True)
class Steps:
    """Steps of all tasks, sorted by task, then by time."""

    what: NDArray[np.int8]
    row: I64
    pid: I64
    #: Whether the step before, behind, is of the same task.
    after: NDArray[np.bool_]
    before: NDArray[np.bool_]


def find_switches(columns: TableColumns) -> Table:
    """Return all switches."""
    return columns.table("sched_switch", "prev_state", "next_pid")


def find_wakeups(columns: TableColumns) -> Table:
    """Return all wakeups, also of new tasks."""
    return columns.table(WAKEUPS, "pid", "target_cpu")


def task_steps(columns: TableColumns) -> Steps:
    """Return the steps of all tasks except the idle tasks."""
    switches, wakeups = columns.keep(find_switches), columns.keep(find_wakeups)
    state = switches["prev_state"]
    left = np.full(len(switches), ASLEEP, np.int8)
    left[(state & (TASK_DEAD | _EXIT_BITS)) != 0] = GONE
    left[(state & TASK_PREEMPTED != 0) | (state & _STATE_BITS == 0)] = PREEMPTED
    what = np.concatenate(
        (
            left,
            np.full(len(switches), IN, np.int8),
            np.full(len(wakeups), WOKEN, np.int8),
        )
    )
    row = np.concatenate((switches.rows, switches.rows, wakeups.rows))
    pid = np.concatenate(
        (columns.pid[switches.rows].astype(np.int64), switches["next_pid"], wakeups["pid"])
    )
    # A switch from a task to itself counts as leaving first.
    order = np.argsort((pid << 33) | row << 1 | (what == IN))
    order = order[pid[order] > 0]
    pid = pid[order]
    same = np.zeros(len(order) + 1, bool)
    same[1:-1] = pid[1:] == pid[:-1]
    return Steps(what[order], row[order], pid, same[:-1], same[1:])


def ids_of(columns: TableColumns, names: tuple[str, ...]) -> list[int]:
    """Return the ids of events."""
    return [e.id for e in columns.trace.catalogue.events.values() if e.name in names]


def find_waits(columns: TableColumns) -> tuple[Steps, Pairs]:
    """Find the waits for a CPU, as pairs of indices of steps."""
    steps = columns.keep(task_steps)
    what = steps.what
    count = len(what)
    follow = np.full(count, -1, np.int8)
    follow[:-1] = np.where(steps.before[:-1], what[1:], -1)
    came = np.full(count, -1, np.int8)
    came[1:] = np.where(steps.after[1:], what[:-1], -1)
    # A wakeup may also hit a task that still runs, or one that is runnable already.
    begins = (what == PREEMPTED) | ((what == WOKEN) & np.isin(came, (-1, ASLEEP, GONE)))
    begins &= np.isin(follow, (-1, IN, WOKEN))
    ends = what == IN
    # The end is the next step that is not a repeated wakeup.
    index = np.arange(count)
    real = np.flatnonzero((what != WOKEN) | begins)
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
