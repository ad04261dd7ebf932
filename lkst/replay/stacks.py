# SPDX-License-Identifier: GPL-2.0-or-later
"""
Stacks
------

The kernel stack of a record, from the traced function outwards, without the recorder's
own frames.
"""

import functools

import numpy as np
from numpy.typing import NDArray

from lkst.decode.ring import STACK
from lkst.trace.addresses import call_address
from lkst.trace.facts import Names
from lkst.trace.trace import Trace
from lkst.util.printable import clean

__all__ = ("Stacks", "has_stacks")

#: Prefixes of functions of the recorder and of what calls it.
_OWN = (
    "bpf_prog_",
    "bpf_trampoline_",
    "bpf_trace_run",
    "__bpf_trace_",
    "trace_event_raw_",
    "__traceiter_",
)
_MEMORY = 1 << 16


def has_stacks(trace: Trace) -> bool:
    """Check whether any record has a stack."""
    return bool((trace.flags & STACK).any())


class Stacks:
    """Formats stacks, each distinct one once."""

    def __init__(self, names: Names) -> None:
        """Prepare for a replay."""

        @functools.lru_cache(_MEMORY)
        def symbol(address: int) -> str | None:
            return names.symbol(address)

        self._symbol = symbol
        self._shown = functools.lru_cache(_MEMORY)(self._show)

    def write(self, chunk: Trace) -> tuple[NDArray[np.int64], list[tuple[str, ...]]]:
        """
        Format the stacks of the records that have one.

        :return: rows, and the frames of each, the innermost first
        """
        rows = np.flatnonzero(chunk.flags & STACK)
        return rows, [self._shown(tuple(stack)) for stack in chunk.stack(rows)]

    def _show(self, stack: tuple[int, ...]) -> tuple[str, ...]:
        frames = [self._frame(stack, frame) for frame in range(len(stack))]
        known = [place for place, name in enumerate(frames) if name]
        # JIT-compiled BPF code has no symbol in a dump.
        begin = known[0] if known else 0
        while begin < len(frames) and (frames[begin] or "").startswith(_OWN):
            begin += 1
        return tuple(
            clean(name or hex(address))
            for name, address in zip(frames[begin:], stack[begin:], strict=True)
        )

    def _frame(self, stack: tuple[int, ...], frame: int) -> str | None:
        address = call_address(stack, frame)
        name = self._symbol(address)
        if not name or address == stack[frame]:
            return name
        function, plus, offset = name.rpartition("+0x")
        try:
            return f"{function}{plus}{int(offset, 16) + 1:x}" if plus else name
        except ValueError:
            return name
