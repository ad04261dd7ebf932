# SPDX-License-Identifier: GPL-2.0-or-later
"""
Others
------

What other recorders of the same kernel have left: its log, ftrace's buffers, the ring
buffers of BPF programs. Each has a clock of its own until it is tied to the records'.
"""

from dataclasses import dataclass, field

__all__ = ("CLOCKS", "KINDS", "Entry", "ForeignTrace", "Value")

#: What can be shown beside the records.
KINDS = ("dmesg", "ftrace", "ringbuf")

#: Clocks: that of the records, the scheduler's (since boot, by CPU), none that is known.
CLOCKS = ("mono", "local", "unknown")

#: A number or a text, as it is shown.
Value = int | str


@dataclass(frozen=True)
class Entry:
    """Something that was recorded."""

    #: In ns of its clock; None: it has no time.
    ts: int | None
    event: str
    #: What it says, where it is a text.
    text: str = ""
    fields: dict[str, Value] = field(default_factory=dict)
    #: None: not recorded.
    cpu: int | None = None
    pid: int | None = None
    #: What the reader should know: in-flight, lost-before.
    flags: tuple[str, ...] = ()


@dataclass
class ForeignTrace:
    """All that one of them has left."""

    #: One of KINDS, with ``:NAME`` where there are several.
    origin: str
    #: One of CLOCKS.
    clock: str
    #: In the order in which they were written on each CPU.
    entries: list[Entry]
    #: Bound of the error that its times have by that clock already, in ns.
    error: int = 0
    #: What could not be read.
    notes: list[str] = field(default_factory=list)
