# SPDX-License-Identifier: GPL-2.0-or-later
"""
Starved tasks
-------------

Runnable tasks that do not run because a real-time task keeps their CPU. The kernel shares
a CPU among other tasks: one that waits there for seconds has a high nice value, or is in
a cgroup of small weight or without quota left, and nobody is to blame.
"""

from collections.abc import Callable, Iterator

import numpy as np

from lkst.state.model import CPU, State, Task
from lkst.state.naming import seconds, who
from lkst.state.rules.base import Suspicion, rule
from lkst.state.rules.ready import waiting_for
from lkst.trace.event_table import last_by, table

__all__ = ()

_MAX_NAMES = 3

#: MAX_RT_PRIO of include/linux/sched/prio.h: real-time tasks are below it.
_REAL_TIME = 100

#: By default real-time tasks leave others 5 % of each second
#: (Documentation/scheduler/sched-rt-group.rst): a task that gets that is not starved. In ns.
_LONG = 2_000_000_000
_SHARE = 0.98

Priority = Callable[[int], int | None]


@rule("starved")
def find_starved(state: State) -> Iterator[Suspicion]:
    """Name the real-time task that keeps a CPU that others wait for."""
    priority = _priorities(state)
    for cpu in state.cpus:
        starved = waiting_for(state, cpu, _LONG)
        # The longest waiter was kept waiting by the task that had the CPU in that time.
        found = _keeper(state, cpu, starved[0], priority) if starved else None
        if found is None:
            continue
        keeper, share = found
        names = ", ".join(who(task.comm, task.pid) for task in starved[:_MAX_NAMES])
        more = f" and {len(starved) - _MAX_NAMES} more" if len(starved) > _MAX_NAMES else ""
        age = state.when - (starved[0].since or 0)
        name = who(state.task(keeper).comm, keeper)
        yield Suspicion(
            "starved",
            "waiter",
            name,
            f"{names}{more} runnable on CPU {cpu.cpu} for up to {seconds(age)} without running;"
            f" real-time tasks used {100 * share:.0f}% of that time, most of it {name},"
            f" {_class(priority(keeper) or 0)}",
            starved[0].since or 0,
            tuple(sorted(task.row for task in starved[:8] if task.row is not None)),
            float(age),
        )


def _class(prio: int) -> str:
    return "a deadline task" if prio < 0 else f"priority {_REAL_TIME - 1 - prio}"


def _priorities(state: State) -> Priority:
    # Return a function: pid -> prio of the kernel; None: not known.
    if state.end and state.end.runnable is not None:
        dumped = {task.pid: task.prio for task in state.end.runnable}
    else:
        dumped = {}
    names = ("sched_wakeup", "sched_wakeup_new", "sched_waking")
    wakeups = table(state.trace, names, "pid", "prio")
    last = last_by(wakeups["pid"], np.arange(len(wakeups)))

    def priority(pid: int) -> int | None:
        index = last.get(pid)
        return dumped.get(pid, None if index is None else int(wakeups["prio"][index]))

    return priority


def _keeper(state: State, cpu: CPU, task: Task, priority: Priority) -> tuple[int, float] | None:
    """
    Find the real-time task that used most of the time that another task waited for a CPU.

    :return: its pid, and the share of that time that real-time tasks used; None: too little
    """
    times = _times(state, cpu, task.since or 0)
    own = priority(task.pid)
    mine = {
        pid: time
        for pid, time in times.items()
        if (prio := priority(pid)) is not None
        and prio < _REAL_TIME
        and (own is None or prio <= own)
    }
    share = sum(mine.values()) / max(sum(times.values()), 1)
    return (max(mine, key=lambda pid: mine[pid]), share) if share >= _SHARE else None


def _times(state: State, cpu: CPU, since: int) -> dict[int, int]:
    # pid -> how long the task ran on a CPU since then, in ns.
    trace = state.trace
    switches = table(trace, "sched_switch", "next_pid")
    switches = switches.select(trace.cpu[switches.rows] == cpu.cpu)
    times: dict[int, int] = {}
    begins = trace.ts[switches.rows].tolist()
    ends = [*begins, state.when][1:]
    for pid, begin, end in zip(switches["next_pid"].tolist(), begins, ends, strict=True):
        if end > since:
            times[pid] = times.get(pid, 0) + end - max(begin, since)
    first = begins[0] if begins else state.when
    if first > since:
        before = int(trace.pid[switches.rows[0]]) if begins else cpu.task.pid if cpu.task else 0
        times[before] = times.get(before, 0) + first - since
    return times
