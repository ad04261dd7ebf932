# SPDX-License-Identifier: GPL-2.0-or-later
"""
Runnable tasks
--------------

Tasks that wait for a CPU, according to the records and the dump.
"""

from lkst.state.model import CPU, State, Task

__all__ = ("waiting_for",)


def waiting_for(state: State, cpu: CPU, least: int = 0) -> list[Task]:
    """
    Return the tasks that certainly wait for a CPU, the longest wait first.

    :param least: minimum wait, in ns
    """
    ready = state.end.runnable if state.end else None
    allowed = None if ready is None else {task.pid for task in ready if not task.throttled}
    found = [
        task
        for task in state.tasks.values()
        if task.state == "runnable"
        and task.cpu == cpu.cpu
        and task.certain
        and task.since is not None
        and state.when - task.since >= least
        and (allowed is None or task.pid in allowed)
    ]
    return sorted(found, key=lambda task: task.since or 0)
