# SPDX-License-Identifier: GPL-2.0-or-later
"""
Lanes
-----

What each CPU was doing over time: the task that it ran, the system call of that task,
softirqs, interrupts. An interval goes from one record of a CPU to another one. It is
marked if it is cut off by the trace's start or end, a lost record or a switch.
"""

from dataclasses import dataclass

import numpy as np

from lkst.report.interrupt_lane import interrupt_lane
from lkst.report.intervals import (
    BEGAN_BEFORE,
    GOES_ON,
    NONE,
    ByCPU,
    Lane,
    merge_equal,
    named,
    no_lane,
)
from lkst.state.naming import Naming
from lkst.trace.event_table import I64, ends_are_recorded, table
from lkst.trace.trace import Trace

__all__ = ("LANES", "Tasks", "find_lanes", "find_tasks", "find_wakeups", "states_left")

#: Names of the lanes, from the task to what interrupts it.
LANES = ("task", "syscall", "softirq", "irq")


@dataclass(frozen=True)
class Tasks:
    """The tasks of a trace."""

    #: pid and name; a renamed task has several entries.
    tasks: list[tuple[int, str]]
    #: Index of the current task of each record.
    code: I64


def find_tasks(trace: Trace) -> Tasks:
    """Find the current task of each record."""
    if not len(trace):
        return Tasks([], NONE)
    names, codes = trace.comms()
    keys, code = np.unique(trace.pid * len(names) + codes, return_inverse=True)
    tasks = [divmod(key, len(names)) for key in keys.tolist()]
    return Tasks([(pid, names[which]) for pid, which in tasks], code)


def find_lanes(trace: Trace, tasks: Tasks) -> list[Lane]:
    """
    Find the intervals of all CPUs.

    :param tasks: tasks of the trace; tasks without records that are switched to are added
    :return: one lane for each of LANES
    """
    if not len(trace):
        return [no_lane(kind) for kind in LANES]
    order = ByCPU(trace)
    switches = table(trace, "sched_switch", "next_pid")
    current = _current(trace, tasks, order, switches.rows, switches["next_pid"])
    naming = Naming(trace)
    return [
        _task_lane(tasks, order, current),
        _syscall_lane(trace, naming, order, switches.rows, switches["next_pid"]),
        interrupt_lane(trace, naming, order, "softirq"),
        interrupt_lane(trace, naming, order, "irq"),
    ]


def _current(trace: Trace, tasks: Tasks, order: ByCPU, switches: I64, next_pid: I64) -> I64:
    # Task that a CPU runs after each record, in the order of CPUs.
    after = tasks.code[order.rows]
    places = order.place[switches]
    following = np.minimum(places + 1, len(order.rows) - 1)
    known = (
        (order.cpu[following] == order.cpu[places])
        & (following > places)
        & (trace.pid[order.rows[following]] == next_pid)
    )
    after[places[known]] = tasks.code[order.rows[following[known]]]
    # The record after the switch is lost or does not exist.
    last = {pid: code for code, (pid, _) in enumerate(tasks.tasks) if pid}
    idle = {name: code for code, (pid, name) in enumerate(tasks.tasks) if not pid}
    for place, pid in zip(places[~known].tolist(), next_pid[~known].tolist(), strict=True):
        name = trace.task_names.last(pid) if pid else f"swapper/{order.cpu[place]}"
        codes, key = (last, pid) if pid else (idle, name)
        if key not in codes:
            codes[key] = len(tasks.tasks)  # type: ignore[index]
            tasks.tasks.append((pid, name))
        after[place] = codes[key]  # type: ignore[index]
    return after


def _task_lane(tasks: Tasks, order: ByCPU, current: I64) -> Lane:
    begin, end, ended = merge_equal(order, current)
    cut = order.first[begin] * BEGAN_BEFORE | ~ended * GOES_ON
    return Lane(
        "task", [], order.cpu[begin], order.rows[begin], order.rows[end], current[begin], cut
    )


def _syscall_lane(trace: Trace, naming: Naming, order: ByCPU, switches: I64, next_pid: I64) -> Lane:
    enter = table(trace, "sys_enter", "nr", "compat")
    exit_ = table(trace, "sys_exit", "nr", "compat")
    if len(enter) and not ends_are_recorded(trace, "sys_exit"):
        return no_lane("syscall", "sys_exit was not recorded")
    state = _in_syscall(trace, enter.rows, exit_.rows, switches, next_pid)
    within = state[order.rows]
    begin, end, ended = merge_equal(order, within)
    chosen = within[begin] >= 0
    begin, end, ended = begin[chosen], end[chosen], ended[chosen]
    record = within[begin]
    number = np.zeros(len(trace), np.int64)
    for each in (enter, exit_):
        number[each.rows] = each["nr"] & 0xFFFFFFFF | (each["compat"] & 1) << 32
    names, name = named(number[record], lambda value: naming.named("syscall", value))
    first, last = order.rows[begin], order.rows[end]
    is_exit = np.zeros(len(trace), bool)
    is_exit[exit_.rows] = True
    cut = (first != record) * BEGAN_BEFORE | ~(ended & is_exit[last]) * GOES_ON
    return Lane("syscall", names, order.cpu[begin], first, last, name, cut)


def _in_syscall(trace: Trace, enter: I64, exit_: I64, switches: I64, next_pid: I64) -> I64:
    # System call of a CPU's task after each record: row of the record that names it; -1: none.
    # What each record shows about its task; -2: nothing.
    says = np.full(len(trace), -2, np.int64)
    says[enter], says[exit_] = enter, -1
    pid = np.concatenate((trace.pid, next_pid))
    row = np.concatenate((np.arange(len(trace)), switches))
    says = np.concatenate((says, np.full(len(switches), -2)))
    order = np.lexsort((np.arange(len(row)) >= len(trace), row, pid))
    said = says[order] != -2
    index = np.arange(len(order))
    group = np.zeros(len(order), np.int64)
    start = np.ones(len(order), bool)
    start[1:] = pid[order[1:]] != pid[order[:-1]]
    group[start] = index[start]
    group = np.maximum.accumulate(group)
    last = np.maximum.accumulate(np.where(said, index, -1))
    value = np.where(last >= group, says[order[np.maximum(last, 0)]], -1)
    # Before the first such record of a task: in the call that it ends, if it is an end.
    following = np.minimum.accumulate(np.where(said, index, len(order))[::-1])[::-1]
    end = np.append(np.flatnonzero(start)[1:], len(order))[np.cumsum(start) - 1]
    early = (last < group) & (following < end)
    found = order[np.minimum(following, len(order) - 1)]
    value = np.where(early & (says[found] == -1), row[found], value)
    answer = np.full(len(row), -1, np.int64)
    answer[order] = np.where(pid[order] == 0, -1, value)
    state: I64 = answer[: len(trace)]
    state[switches] = answer[len(trace) :]
    return state


def states_left(trace: Trace, lane: Lane) -> tuple[list[str], I64]:
    """
    Return the state in which the task left its CPU, for each interval of the lane "task".

    :return: letters of states, the first one "" for not known; index for each interval
    """
    switches = table(trace, "sched_switch", "prev_state")
    state = np.full(len(trace), -1, np.int64)
    state[switches.rows] = switches["prev_state"]
    naming = Naming(trace)
    left = np.where(lane.cut & GOES_ON, -1, state[lane.end] if len(lane) else NONE)
    known = left >= 0
    names, code = named(left[known], lambda value: naming.named("task_state", value))
    codes = np.zeros(len(lane), np.int64)
    codes[known] = code + 1
    return ["", *names], codes


def find_wakeups(trace: Trace) -> tuple[I64, I64]:
    """Return the rows of all wakeups, and pids of the woken tasks."""
    woken = table(trace, ("sched_wakeup", "sched_wakeup_new"), "pid")
    return woken.rows, woken["pid"]
