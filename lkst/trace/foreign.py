# SPDX-License-Identifier: GPL-2.0-or-later
"""
Foreign traces
--------------

What other recorders of the same kernel left in memory: its log, ftrace's buffers, the ring
buffers of BPF programs. Each has its own clock until that is converted to the records'.
"""

from dataclasses import dataclass, field

__all__ = ("CLOCKS", "KINDS", "Entry", "ForeignTrace", "Value")

#: Kinds of foreign traces.
KINDS = ("dmesg", "ftrace", "ringbuf")

#: Clocks: CLOCK_MONOTONIC as the records, local_clock() (since boot, by CPU), unknown.
CLOCKS = ("mono", "local", "unknown")

#: A number or a text.
Value = int | str


@dataclass(frozen=True)
class Entry:
    """A recorded entry."""

    #: Time in ns of the trace's clock; None: it has no time.
    ts: int | None
    event: str
    #: Its text, if it is a text.
    text: str = ""
    fields: dict[str, Value] = field(default_factory=dict)
    #: None: not recorded.
    cpu: int | None = None
    pid: int | None = None
    #: Flags for the reader: in-flight, lost-before.
    flags: tuple[str, ...] = ()


@dataclass
class ForeignTrace:
    """Everything that one of these recorders left."""

    #: One of KINDS, with ``:NAME`` if there are several.
    origin: str
    #: One of CLOCKS.
    clock: str
    #: Ordered as written on each CPU.
    entries: list[Entry]
    #: Error bound of its times by its own clock, in ns.
    error: int = 0
    #: What could not be read.
    notes: list[str] = field(default_factory=list)
