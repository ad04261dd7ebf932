# SPDX-License-Identifier: GPL-2.0-or-later
"""
Tasks
-----

Which tasks ran, were runnable or waited, and for what: from the last switch and the last
wakeup of each task, and from what it has begun and not ended.
"""

import numpy as np

from lkst.abi.kernel_constants import TASK_DEAD, TASK_FROZEN, TASK_PREEMPTED, TASK_UNINTERRUPTIBLE
from lkst.state.model import Context, Lock, Task
from lkst.state.naming import Naming
from lkst.trace.event_table import Table, ends_are_recorded, last_by, open_ones, table
from lkst.trace.gaps import unrecorded_switches
from lkst.trace.trace import Trace

__all__ = ("find_locks", "find_tasks", "task_contexts")

#: Spans of tasks: kind, event that begins it, field with its name, event that ends it.
_SPANS = (
    ("syscall", "sys_enter", "nr", "sys_exit"),
    ("work", "workqueue_execute_start", "function", "workqueue_execute_end"),
    (
        "reclaim",
        "mm_vmscan_direct_reclaim_begin",
        "gfp_flags",
        "mm_vmscan_direct_reclaim_end",
    ),
)

_STATE_BITS = 0xFFFF
_EXIT_BITS = 0x30  # EXIT_DEAD, EXIT_ZOMBIE: include/linux/sched.h


def find_tasks(trace: Trace, naming: Naming) -> dict[int, Task]:
    """Return the state of every task that has a record or is named in one, by pid."""
    switches = table(trace, "sched_switch", "prev_state", "next_pid")
    away = last_by(trace.pid[switches.rows], np.arange(len(switches)))
    back = last_by(switches["next_pid"], switches.rows)
    wakeups = table(trace, ("sched_wakeup", "sched_wakeup_new"), "pid", "target_cpu")
    woken = last_by(wakeups["pid"], np.arange(len(wakeups)))
    moves = table(trace, "sched_migrate_task", "pid", "dest_cpu")
    moved = last_by(moves["pid"], np.arange(len(moves)))
    exits = table(trace, "sched_process_exit")
    gone = last_by(trace.pid[exits.rows], exits.rows)
    last = last_by(trace.pid, np.arange(len(trace)))
    unseen = _left_unseen(trace)
    pids = sorted({*away, *back, *woken, *last} - {0})
    tasks = {}
    for pid in pids:
        task = Task(pid, "", "unknown", last=last.get(pid))
        _tell(task, naming, switches, away.get(pid), back.get(pid))
        _tell_unseen(task, unseen.get(pid))
        if pid in woken:
            _tell_woken(task, trace, wakeups, woken[pid])
        if pid in moved:
            _tell_moved(task, moves, moved[pid])
        if pid in gone and task.state != "running":
            task.state, task.letter, task.row = "dead", "", gone[pid]
            task.since = int(trace.ts[gone[pid]])
        tasks[pid] = task
    _name(tasks, naming)
    contexts = task_contexts(trace, naming)
    for pid, task in tasks.items():
        if task.state != "dead":
            task.contexts = contexts.get(pid, [])
    return tasks


def _tell(task: Task, naming: Naming, switches: Table, away: int | None, back: int | None) -> None:
    # away: index of the last switch from the task; back: row of the last switch to it.
    trace = naming.trace
    gone = -1 if away is None else int(switches.rows[away])
    if back is not None and back > gone:
        task.state, task.row = "running", back
    elif away is not None:
        task.row = gone
        state = int(switches["prev_state"][away])
        # The kernel shows a frozen task as D.
        frozen = state & TASK_FROZEN and not state & TASK_UNINTERRUPTIBLE
        task.letter = "F" if frozen else naming.named("task_state", state & 0xFFFFFFFF)
        if state & TASK_PREEMPTED or not state & _STATE_BITS:
            task.state = "runnable"
        elif state & (TASK_DEAD | _EXIT_BITS):
            task.state = "dead"
        else:
            task.state = "blocked"
    elif task.last is not None:
        # It has records and no switch: it has run since the trace began.
        task.state, task.cpu = "running", int(trace.cpu[task.last])
        return
    if task.row is not None:
        task.since, task.cpu = int(trace.ts[task.row]), int(trace.cpu[task.row])


def _tell_woken(task: Task, trace: Trace, wakeups: Table, index: int) -> None:
    row = int(wakeups.rows[index])
    if task.state not in ("blocked", "unknown") or (task.row is not None and row < task.row):
        return
    task.state, task.letter, task.row = "runnable", "", row
    task.since, task.cpu = int(trace.ts[row]), int(wakeups["target_cpu"][index])


def _tell_moved(task: Task, moves: Table, index: int) -> None:
    if task.state != "running" and task.row is not None and moves.rows[index] > task.row:
        task.cpu = int(moves["dest_cpu"][index])


def _left_unseen(trace: Trace) -> dict[int, int]:
    # pid -> row where another task first ran on its CPU without a recorded switch.
    gaps = unrecorded_switches(trace)
    return {} if gaps is None else last_by(gaps.left, gaps.rows)


def _tell_unseen(task: Task, row: int | None) -> None:
    # A running task becomes unknown if it left its CPU before ``row`` and was not seen again.
    if row is None or task.state != "running" or task.row is None or task.row > row:
        return
    if task.last is None or task.last < row:
        task.state, task.row, task.since = "unknown", None, None


def _name(tasks: dict[int, Task], naming: Naming) -> None:
    own = [task for task in tasks.values() if task.last is not None]
    for task, comm in zip(own, naming.comms([task.last or 0 for task in own]), strict=True):
        task.comm = comm
    for task in tasks.values():
        if not task.comm:
            task.comm = naming.trace.task_names.last(task.pid)


def task_contexts(trace: Trace, naming: Naming) -> dict[int, list[Context]]:
    """Return the open contexts of tasks by pid, the outermost first."""
    found: dict[int, list[Context]] = {}
    exits = table(trace, "sched_process_exit").rows
    for kind, begins, field, ends in _SPANS:
        if not ends_are_recorded(trace, ends):
            continue
        begin = table(trace, begins, field)
        end = np.sort(np.concatenate((table(trace, ends).rows, exits)))
        keys = (trace.pid[begin.rows],), begin.rows, (trace.pid[end],), end
        for index in open_ones(*keys).tolist():
            row, value = int(begin.rows[index]), int(begin[field][index])
            context = Context(kind, row, int(trace.ts[row]), _of(kind, value, row, naming))
            found.setdefault(int(trace.pid[row]), []).append(context)
    waits = _waits(trace)
    for row, lock in zip(waits.rows.tolist(), waits["lock"].tolist(), strict=True):
        context = Context("lock", row, int(trace.ts[row]), naming.address(lock))
        found.setdefault(int(trace.pid[row]), []).append(context)
    found.pop(0, None)
    every = [context for contexts in found.values() for context in contexts]
    texts = dict(
        zip(
            (context.row for context in every),
            naming.fields([context.row for context in every]),
            strict=True,
        )
    )
    return {
        pid: [
            Context(c.kind, c.row, c.since, c.name, texts[c.row])
            for c in sorted(contexts, key=lambda c: c.row)
        ]
        for pid, contexts in found.items()
    }


def _of(kind: str, value: int, row: int, naming: Naming) -> str:
    if kind == "work":
        return naming.address(value)
    if kind == "reclaim":
        return naming.named("gfp", value)
    compat = table(naming.trace.select(np.array([row])), "sys_enter", "compat")["compat"]
    both = value & 0xFFFFFFFF | (int(compat[0]) << 32 if len(compat) else 0)
    return naming.named("syscall", both)


def _waits(trace: Trace) -> Table:
    # Waits for locks that have not ended; none if ends are not recorded.
    begin = table(trace, "contention_begin", "lock", "flags")
    if not ends_are_recorded(trace, "contention_end"):
        begin = begin.select(np.zeros(len(begin), bool))
    end = table(trace, "contention_end", "lock")
    open_ = open_ones(
        (trace.pid[begin.rows], begin["lock"]),
        begin.rows,
        (trace.pid[end.rows], end["lock"]),
        end.rows,
    )
    waits = begin.select(open_)
    # A task with one of these records no longer waits, even if the end of its wait is lost.
    after = table(trace, ("sched_process_exit", "sys_enter", "sys_exit")).rows
    gone = last_by(trace.pid[after], after)
    alive = [
        gone.get(pid, -1) < row
        for pid, row in zip(trace.pid[waits.rows].tolist(), waits.rows.tolist(), strict=True)
    ]
    return waits.select(np.array(alive, bool))


def find_locks(trace: Trace, naming: Naming) -> list[Lock]:
    """Return the locks that tasks wait for, those with the most waiters first."""
    waits = _waits(trace)
    if not len(waits):
        return []
    taken = table(trace, "contention_end", "lock", "ret")
    taken = taken.select(taken["ret"] == 0)
    takers = last_by(taken["lock"], taken.rows)
    named = table(trace, "contention_begin", "lock", "owner")
    named = named.select(named["owner"] > 0)
    owners = last_by(named["lock"], np.arange(len(named)))
    free = _free_of_locks(trace)
    locks = []
    for address in np.unique(waits["lock"]).tolist():
        own = waits.select(waits["lock"] == address)
        lock = Lock(
            address,
            naming.address(address),
            naming.named("lock_flags", int(own["flags"][-1])),
            {int(trace.pid[row]): row for row in own.rows.tolist()},
        )
        _find_owner(lock, trace, takers.get(address), named, owners.get(address))
        if lock.owner is not None and not _may_have(lock, free):
            lock.owner, lock.row, lock.named = None, None, False
        locks.append(lock)
    return sorted(locks, key=lambda lock: (-len(lock.waiters), min(lock.waiters.values())))


def _free_of_locks(trace: Trace) -> dict[int, int]:
    # pid -> last row at which the task certainly held no lock of the kernel.
    ends = (
        "sys_enter",
        "sys_exit",
        "page_fault_user",
        "workqueue_execute_start",
        "workqueue_execute_end",
        "sched_process_exit",
    )
    rows = table(trace, ends).rows
    return last_by(trace.pid[rows], rows)


def _may_have(lock: Lock, free: dict[int, int]) -> bool:
    # Check that no record contradicts the owner of a lock.
    assert lock.owner is not None and lock.row is not None
    if free.get(lock.owner, -1) > lock.row:
        return False
    # A waiter that took it earlier must have released it, unless the kernel says otherwise.
    return lock.named or lock.owner not in lock.waiters


def _find_owner(
    lock: Lock, trace: Trace, taken: int | None, named: Table, index: int | None
) -> None:
    # Use the later of: a task was named as the owner; a waiter took the lock.
    row = -1 if index is None else int(named.rows[index])
    if index is not None and (taken is None or row > taken):
        lock.owner, lock.row, lock.named = int(named["owner"][index]), row, True
    elif taken is not None:
        lock.owner, lock.row = int(trace.pid[taken]), taken
