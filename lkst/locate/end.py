# SPDX-License-Identifier: GPL-2.0-or-later
"""
The end
-------

What a kernel's memory says of the moment at which it was dumped: who panicked,
which task every CPU was running, who was waiting, and their stacks.
"""

from collections.abc import Callable
import functools

from drgn import FaultError, Object, Program
from drgn.helpers.linux.cpumask import for_each_present_cpu
from drgn.helpers.linux.pid import find_task, for_each_task
from drgn.helpers.linux.sched import cpu_curr

from lkst.locate.names import Finder
from lkst.locate.orc import Orc, Registers, read_orc
from lkst.tables import TASK_IDLE, TASK_UNINTERRUPTIBLE
from lkst.trace.facts import End, EndTask, Names

__all__ = ("read_end",)

_NO_CPU = -1  # PANIC_CPU_INVALID of include/linux/panic.h

#: Tasks that are looked at, in a list that may be damaged.
_MAX_TASKS = 1 << 20

_FAULTS = (AttributeError, FaultError, LookupError, ValueError)


def read_end(prog: Program, find_symbols: Finder, names: Names) -> End | None:
    """
    Read what there is; what cannot be read stays out.

    :param find_symbols: looks symbols up, the same whether there is debug info or not
    :param names: name addresses
    :return: None if not even the CPUs' tasks can be read
    """
    current = _current(prog)
    if not current:
        return None
    stacks = _Stacks(prog, find_symbols, names)
    return End(
        panic_cpu=_panic_cpu(prog),
        current={cpu: _task(task) for cpu, task in current.items()},
        waiting=_waiting(prog),
        cpu_stack=lambda cpu: stacks.of(current[cpu]) if cpu in current else (),
        task_stack=functools.cache(lambda pid: stacks.of(find_task(prog, pid))),
    )


def _current(prog: Program) -> dict[int, Object]:
    found: dict[int, Object] = {}
    try:
        for cpu in for_each_present_cpu(prog):
            task = cpu_curr(prog, cpu)
            _task(task)  # if it can be read
            found[cpu] = task
    except _FAULTS:
        pass
    return found


def _panic_cpu(prog: Program) -> int | None:
    try:
        cpu: int = prog["panic_cpu"].counter.value_()
    except _FAULTS:
        return None
    return None if cpu == _NO_CPU else cpu


def _task(task: Object) -> EndTask:
    return EndTask(
        pid=task.pid.value_(),
        comm=task.comm.string_().decode("utf-8", "replace"),
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


def _waiting(prog: Program) -> list[EndTask]:
    """Find the tasks in D state."""
    found = []
    try:
        for number, task in enumerate(for_each_task(prog)):
            state = _state(task)
            if state & TASK_UNINTERRUPTIBLE and state & TASK_IDLE != TASK_IDLE:
                found.append(_task(task))
            if number > _MAX_TASKS:
                break
    except _FAULTS:
        pass
    return found


def _has_debug_info(prog: Program) -> bool:
    try:
        return prog.main_module().debug_file_path is not None
    except (AttributeError, LookupError):
        return False


class _Stacks:
    """Walks stacks, by what there is: ORC in the dump, or debug info."""

    def __init__(self, prog: Program, find_symbols: Finder, names: Names) -> None:
        self._prog = prog
        self._symbol = names.symbol
        self._orc: Callable[[], Orc | None] = functools.cache(
            functools.partial(read_orc, prog, find_symbols)
        )

    def of(self, task: Object) -> tuple[str, ...]:
        """Name a task's frames, the innermost first; none if it has none that can be read."""
        if not task:
            return ()
        try:
            trace = self._prog.stack_trace(task)
        except _FAULTS:
            return ()  # of a live kernel, a task that is running
        if not len(trace):
            return ()
        orc = self._orc()
        if orc is None:
            # What drgn guesses without either is no more than the first.
            known = trace if _has_debug_info(self._prog) else [trace[0]]
            return tuple(frame.name or hex(frame.pc) for frame in known if frame.pc >> 63)
        registers = trace[0].registers()
        frames = orc.walk(
            Registers(
                *(registers.get(name, 0) for name in ("rip", "rsp", "rbp")),
            )
        )
        # Of a frame that was called the last instruction is named, not the next one.
        named = [self._symbol(frame - 1 if place else frame) for place, frame in enumerate(frames)]
        return tuple(
            name or hex(frame)
            for name, frame in zip(named, frames, strict=True)
            if name or frame >> 63
        )
