# SPDX-License-Identifier: GPL-2.0-or-later
"""
Addresses
---------

The kernel addresses in a trace, which a replay shows as symbols.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from lkst.decode.ring import STACK
from lkst.trace.trace import Trace

__all__ = ("addresses", "call_address")


def call_address(addresses: Sequence[int], frame: int) -> int:
    """
    Return the address to look up for a frame of a stack.

    A call may be the last instruction of its function: then it returns to the next
    one's first, which is another symbol's. The innermost frame is where the
    recorder was called, and not returned to.

    :param addresses: of the stack, the innermost first
    """
    return addresses[frame] - 1 if frame else addresses[frame]


def addresses(trace: Trace) -> Iterator[int]:
    """Yield every kernel address that a replay shows, unordered, with duplicates."""
    for event in trace.catalogue.events.values():
        fields = [field for field in event.fields if field.type == "ksym" and field.is_number]
        rows = trace.rows(event) if fields else np.zeros(0, np.int64)
        for field in fields:
            yield from np.unique(trace.column(field, rows)).tolist()
    seen = set()
    for stack in trace.stack(np.flatnonzero(trace.flags & STACK)):
        if tuple(stack) not in seen:
            seen.add(tuple(stack))
            yield from (call_address(stack, frame) for frame in range(len(stack)))
