# SPDX-License-Identifier: GPL-2.0-or-later
"""
Places
------

Where in the kernel a task or CPU is, by the stacks in the dump.
"""

import re

from lkst.state.model import CPU, State
from lkst.state.reports import is_helper
from lkst.state.words import function_of

__all__ = ("cpu_stack", "running_function", "waiting_function")

#: Where an interrupt or exception enters the kernel.
_ENTRY = re.compile(r"asm_(?:sysvec|exc|common|load)|asm_.*_interrupt|(?:end_repeat|exc)_nmi")


def cpu_stack(state: State, cpu: CPU) -> tuple[str, ...]:
    """Give the stack of what a CPU runs, if the dump has the same task as the trace."""
    task = state.end.current.get(cpu.cpu) if state.end else None
    if not state.end or not task or not cpu.task or task.pid != cpu.task.pid:
        return ()
    return state.end.cpu_stack(cpu.cpu)


def running_function(stack: tuple[str, ...]) -> str:
    """
    Give the function that a CPU was in.

    What came in between, an interrupt or what handles the panic, is left out.

    :param stack: the innermost frame first
    """
    entries = [place for place, frame in enumerate(stack) if _ENTRY.match(frame)]
    return _first(stack[entries[-1] + 1 :] if entries else stack)


def waiting_function(state: State, pid: int) -> str:
    """Give the function in which a task waits, "" if there is no stack of it."""
    return _first(state.end.task_stack(pid)) if state.end else ""


def _first(stack: tuple[str, ...]) -> str:
    return next((function_of(frame) for frame in stack if not is_helper(frame)), "")
