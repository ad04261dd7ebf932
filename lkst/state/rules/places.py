# SPDX-License-Identifier: GPL-2.0-or-later
"""
Places
------

Functions that tasks and CPUs are in, from the stacks in the dump.
"""

import re

from lkst.state.model import CPU, State
from lkst.state.naming import function_of
from lkst.state.reports import is_helper

__all__ = ("cpu_stack", "running_function", "waiting_function")

#: Where an interrupt or exception enters the kernel.
_ENTRY = re.compile(r"asm_(?:sysvec|exc|common|load)|asm_.*_interrupt|(?:end_repeat|exc)_nmi")


def cpu_stack(state: State, cpu: CPU) -> tuple[str, ...]:
    """Return the stack of a CPU's task, if dump and trace agree on the task."""
    task = state.end.current.get(cpu.cpu) if state.end else None
    if not state.end or not task or not cpu.task or task.pid != cpu.task.pid:
        return ()
    return state.end.cpu_stack(cpu.cpu)


def running_function(stack: tuple[str, ...]) -> str:
    """
    Return the function that a CPU was in, without interrupts and the handling of the panic.

    :param stack: the innermost frame first
    """
    entries = [place for place, frame in enumerate(stack) if _ENTRY.match(frame)]
    return _first(stack[entries[-1] + 1 :] if entries else stack)


def waiting_function(state: State, pid: int) -> str:
    """Return the function in which a task waits; "" if it has no stack."""
    return _first(state.end.task_stack(pid)) if state.end else ""


def _first(stack: tuple[str, ...]) -> str:
    return next((function_of(frame) for frame in stack if not is_helper(frame)), "")
