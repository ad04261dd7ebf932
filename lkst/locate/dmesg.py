# SPDX-License-Identifier: GPL-2.0-or-later
"""
The kernel's log
----------------

The lines of printk, with their times by local_clock().
"""

from drgn import FaultError, Program

from lkst.locate.printk import newest_first
from lkst.trace.foreign import Entry, ForeignTrace

__all__ = ("read_dmesg",)


def read_dmesg(prog: Program) -> list[ForeignTrace]:
    """Read the log of a kernel; nothing if it cannot be read."""
    entries = []
    try:
        for record in newest_first(prog):
            text = record.text.decode("utf-8", "replace")
            entries.append(Entry(record.timestamp, "dmesg", text, cpu=record.cpu, pid=record.pid))
    except (AttributeError, FaultError, LookupError, ValueError):
        # The records read so far are valid.
        if not entries:
            return []
    return [ForeignTrace("dmesg", "local", entries[::-1])]
