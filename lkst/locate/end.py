# SPDX-License-Identifier: GPL-2.0-or-later
"""
The end
-------

The state of the kernel when it was dumped: which CPU panicked, which task every CPU was
running, which tasks were waiting, and their stacks.
"""

from collections.abc import Callable
import contextlib
from dataclasses import replace
import functools

from drgn import FaultError, Object, Program
from drgn.helpers.linux.cpumask import (
    for_each_online_cpu,
    for_each_possible_cpu,
    for_each_present_cpu,
)
from drgn.helpers.linux.percpu import per_cpu
from drgn.helpers.linux.pid import find_task, for_each_task
from drgn.helpers.linux.sched import cpu_curr

from lkst.abi.kernel_constants import TASK_IDLE, TASK_RTLOCK_WAIT, TASK_UNINTERRUPTIBLE
from lkst.locate.names import Finder
from lkst.locate.stacks import Stacks
from lkst.trace.facts import End, EndTask

__all__ = ("read_end",)

_NO_CPU = -1  # PANIC_CPU_INVALID of include/linux/panic.h

_TICK_STOPPED = 1 << 1  # TS_FLAG_STOPPED of kernel/time/tick-sched.h

_WAITING = TASK_UNINTERRUPTIBLE | TASK_RTLOCK_WAIT

#: Upper bound for the length of a task list, which may be damaged.
_MAX_TASKS = 1 << 20

_FAULTS = (AttributeError, FaultError, LookupError, ValueError)


def read_end(prog: Program, find_symbols: Finder) -> End | None:
    """
    Read what there is; what cannot be read stays out.

    :param find_symbols: looks symbols up, the same whether there is debug info or not
    :return: None if not even the CPUs' tasks can be read
    """
    current = _current(prog)
    if not current:
        return None
    stacks = Stacks(prog, find_symbols)
    waiting, runnable = _waiting(prog)
    return End(
        panic_cpu=_panic_cpu(prog),
        current={cpu: _task(task) for cpu, task in current.items()},
        waiting=waiting,
        runnable=runnable,
        offline=_offline(prog),
        tickless=_which(prog, lambda cpu: _is_tickless(prog, cpu)),
        cpu_stack=functools.cache(lambda cpu: stacks.of_cpu(cpu, current.get(cpu))),
        task_stack=functools.cache(lambda pid: stacks.of_task(find_task(prog, pid))),
    )


def _current(prog: Program) -> dict[int, Object]:
    found: dict[int, Object] = {}
    with contextlib.suppress(*_FAULTS):
        for cpu in for_each_present_cpu(prog):
            # A dump may lack one task and have all others.
            with contextlib.suppress(*_FAULTS):
                task = cpu_curr(prog, cpu)
                _task(task)
                found[cpu] = task
    return found


def _panic_cpu(prog: Program) -> int | None:
    try:
        cpu: int = prog["panic_cpu"].counter.value_()
    except _FAULTS:
        return None
    return None if cpu == _NO_CPU else cpu


def _offline(prog: Program) -> frozenset[int] | None:
    """
    Find the CPUs that run nothing: taken offline, or never brought up.

    The mask of online CPUs alone does not tell: a panic takes those out of it that it
    stops (stop_this_cpu() of x86, ipi_cpu_stop() of arm64), and leaves cpuhp_state alone.
    """
    try:
        online = set(for_each_online_cpu(prog))
        dead = prog["CPUHP_AP_IDLE_DEAD"].value_()
    except _FAULTS:
        return None
    down = _which(prog, lambda cpu: per_cpu(prog["cpuhp_state"], cpu).state.value_() <= dead)
    return down - online


def _is_tickless(prog: Program, cpu: int) -> bool:
    tick = per_cpu(prog["tick_cpu_sched"], cpu)
    try:
        return bool(tick.tick_stopped.value_())
    except AttributeError:
        # Bits of a word since 6.9 (3ce74f1a8566).
        return bool(tick.flags.value_() & _TICK_STOPPED)


def _which(prog: Program, is_so: Callable[[int], bool]) -> frozenset[int]:
    """Find the possible CPUs for which a condition holds; unreadable ones are left out."""
    found = set()
    with contextlib.suppress(*_FAULTS):
        for cpu in for_each_possible_cpu(prog):
            with contextlib.suppress(*_FAULTS):
                if is_so(cpu):
                    found.add(cpu)
    return frozenset(found)


def _task(task: Object) -> EndTask:
    return EndTask(
        pid=task.pid.value_(),
        comm=task.comm.string_().decode("utf-8", "surrogateescape"),
        state=_state(task),
    )


def _state(task: Object) -> int:
    # Before 5.14 it was called state (2f064a59a11f).
    try:
        member = task.member_("__state")
    except LookupError:
        member = task.member_("state")
    state: int = member.value_()
    return state


def _waiting(prog: Program) -> tuple[list[EndTask], list[EndTask] | None]:
    """Find the tasks in D state and the runnable tasks; None: the list is incomplete."""
    waiting: list[EndTask] = []
    runnable: list[EndTask] = []
    try:
        for number, task in enumerate(for_each_task(prog)):
            state = _state(task)
            if not state:
                prio = task.prio.value_()
                runnable.append(replace(_task(task), prio=prio, throttled=_is_throttled(task)))
            elif state & _WAITING and state & TASK_IDLE != TASK_IDLE:
                waiting.append(_task(task))
            if number > _MAX_TASKS:
                return waiting, None
    except _FAULTS:
        return waiting, None
    return waiting, runnable


def _is_throttled(task: Object) -> bool:
    """
    Check whether a task that could run is kept from it by a limit, not by who runs.

    Which members there are depends on CONFIG_CFS_BANDWIDTH and the kernel.
    """
    limits: tuple[Callable[[], Object], ...] = (
        lambda: task.se.cfs_rq.throttle_count,  # of the cgroup or one around it
        lambda: task.throttled,  # since 6.18 a task is, when it returns to user space
        lambda: task.dl.dl_throttled,
    )
    for limit in limits:
        with contextlib.suppress(*_FAULTS):
            if limit().value_():
                return True
    return False
