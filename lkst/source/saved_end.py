# SPDX-License-Identifier: GPL-2.0-or-later
"""
The end, saved
--------------

The state of the kernel at its end, as JSON in a ``.lkst`` file.
"""

from collections.abc import Iterable
from typing import Any

from lkst.trace.facts import End, EndTask

__all__ = ("describe_end", "read_saved_end")


def describe_end(end: End | None, pids: Iterable[int]) -> dict[str, Any] | None:
    """
    Return the data to save.

    :param pids: tasks whose stacks are kept, in addition to waiting tasks
    """
    if end is None:
        return None
    wanted = {*pids, *(task.pid for task in end.waiting)} - {0}
    stacks = {pid: end.task_stack(pid) for pid in sorted(wanted)}
    return {
        "panic_cpu": end.panic_cpu,
        "current": {cpu: _describe(task) for cpu, task in end.current.items()},
        "waiting": [_describe(task) for task in end.waiting],
        "runnable": None if end.runnable is None else [_ready(task) for task in end.runnable],
        "offline": None if end.offline is None else sorted(end.offline),
        "tickless": sorted(end.tickless),
        "cpu_stacks": {cpu: end.cpu_stack(cpu) for cpu in end.cpus},
        "task_stacks": {pid: stack for pid, stack in stacks.items() if stack},
    }


def _describe(task: EndTask) -> list[Any]:
    return [task.pid, task.comm, task.state]


def _ready(task: EndTask) -> list[Any]:
    return [task.pid, task.comm, task.prio, task.throttled]


def read_saved_end(data: dict[str, Any] | None) -> End | None:
    """
    Read it; files that were saved before there was one have none.

    :raises ValueError, TypeError, KeyError: if it is damaged
    """
    if data is None:
        return None
    cpu_stacks = _stacks(data["cpu_stacks"])
    task_stacks = _stacks(data["task_stacks"])
    panic_cpu = data["panic_cpu"]
    offline, runnable = data.get("offline"), data.get("runnable")
    return End(
        panic_cpu=None if panic_cpu is None else int(panic_cpu),
        current={int(cpu): _task(task) for cpu, task in data["current"].items()},
        waiting=[_task(task) for task in data["waiting"]],
        # Older files have none of these.
        runnable=None if runnable is None else [_read_ready(task) for task in runnable],
        offline=None if offline is None else frozenset(map(int, offline)),
        tickless=frozenset(map(int, data.get("tickless", ()))),
        cpu_stack=lambda cpu: cpu_stacks.get(cpu, ()),
        task_stack=lambda pid: task_stacks.get(pid, ()),
    )


def _task(data: list[Any]) -> EndTask:
    pid, comm, state = data
    return EndTask(int(pid), str(comm), int(state))


def _read_ready(data: list[Any]) -> EndTask:
    pid, comm, prio, throttled = data
    prio = None if prio is None else int(prio)
    return EndTask(int(pid), str(comm), prio=prio, throttled=bool(throttled))


def _stacks(data: dict[str, list[Any]]) -> dict[int, tuple[str, ...]]:
    return {int(number): tuple(map(str, frames)) for number, frames in data.items()}
