# SPDX-License-Identifier: GPL-2.0-or-later
"""
Waits
-----

Tasks that are in D state for long, and work items that do not end.
"""

from collections.abc import Iterator
import re

from lkst.state.model import State, Task
from lkst.state.naming import function_of, seconds, who
from lkst.state.rules.base import HUNG, LONG, Suspicion, rule
from lkst.state.rules.places import waiting_function
from lkst.trace.event_table import last_by, table

__all__ = ("blocked_tasks",)

_MAX_NAMES = 3

#: A work item that nobody waits for may run this long, in ns: writeback does.
_HARMLESS = 10_000_000_000

#: kernel/workqueue.c: functions that wait for work items to end.
_FLUSH = re.compile(r"_*(?:flush|cancel|drain)_.*work")


def blocked_tasks(state: State) -> list[Task]:
    """Return the tasks that are in D state for long, except parents in vfork()."""
    forks = table(state.trace, "sched_process_fork").rows
    forked = last_by(state.trace.pid[forks], forks)
    return [
        task
        for task in state.tasks.values()
        if task.state == "blocked"
        and task.letter == "D"
        and _age(state, task) >= HUNG
        and not _waits_for_child(state, task, forked.get(task.pid, -1))
    ]


def _waits_for_child(state: State, task: Task, forked: int) -> bool:
    """
    Check whether a task waits until its child has called execve(), as vfork() does.

    :param forked: row of its last fork
    """
    calls = [context for context in task.contexts if context.kind == "syscall"]
    if calls and forked > calls[-1].row:
        return True
    return waiting_function(state, task.pid) in ("kernel_clone", "wait_for_vfork_done")


def _age(state: State, task: Task) -> int:
    return 0 if task.since is None or not task.certain else state.when - task.since


@rule("blocked")
def find_blocked(state: State) -> Iterator[Suspicion]:
    """Name tasks that are in D state for long, grouped by the function that they wait in."""
    places: dict[str, list[Task]] = {}
    for task in blocked_tasks(state):
        places.setdefault(waiting_function(state, task.pid), []).append(task)
    for place, tasks in places.items():
        tasks.sort(key=lambda task: task.since or 0)
        first = tasks[0]
        names = ", ".join(who(task.comm, task.pid) for task in tasks[:_MAX_NAMES])
        more = f" and {len(tasks) - _MAX_NAMES} more" if len(tasks) > _MAX_NAMES else ""
        age = _age(state, first)
        text = f"{names}{more} in D state for up to {seconds(age)}"
        if first.contexts:
            text += f", in {first.contexts[-1].kind} {first.contexts[-1].name}"
        if place:
            text += f", in {place} according to the dump"
        yield Suspicion(
            "blocked",
            "waiter",
            who(first.comm, first.pid),
            text,
            first.since or 0,
            tuple(sorted(task.row for task in tasks[:8] if task.row is not None)),
            float(age),
        )


def _may_wait_for_work(state: State, task: Task) -> bool:
    stack = state.end.task_stack(task.pid) if state.end else ()
    return not stack or any(_FLUSH.match(frame) for frame in stack)


@rule("endless-work")
def find_work(state: State) -> Iterator[Suspicion]:
    """Name work items that started long ago and have not ended."""
    flushing = {task.pid for task in blocked_tasks(state) if _may_wait_for_work(state, task)}
    for task in state.tasks.values():
        for context in task.contexts:
            age = state.when - context.since
            if context.kind != "work" or age < LONG or not context.certain:
                continue
            behind = sum(
                p.kind == "work"
                and p.certain
                and p.since > context.since
                and state.when - p.since >= LONG
                for p in state.pending
            )
            others = flushing - {task.pid}
            if not behind and not others and age < _HARMLESS:
                continue
            text = (
                f"work item {context.name} has run for {seconds(age)} in"
                f" {who(task.comm, task.pid)}, which is {task.state}"
            )
            if behind:
                text += f"; {behind} work items queued since have not started"
            yield Suspicion(
                "endless-work",
                "holder" if behind or others else "waiter",
                function_of(context.name),
                text,
                context.since,
                (context.row,),
                float(age),
            )
