# SPDX-License-Identifier: GPL-2.0-or-later
"""
The kernel's log
----------------

Lines of printk (kernel/printk/printk_ringbuffer.h), each with its time by
local_clock().
"""

from drgn import FaultError, Program
from drgn.helpers.linux.printk import get_printk_records

from lkst.trace.others import Entry, Other

__all__ = ("read_dmesg",)


def read_dmesg(prog: Program) -> list[Other]:
    """Read the log of a kernel; nothing if it cannot be read."""
    try:
        records = get_printk_records(prog)
    except (AttributeError, FaultError, LookupError, ValueError):
        return []
    entries = [
        Entry(
            record.timestamp,
            "dmesg",
            record.text.decode("utf-8", "replace"),
            # Only with CONFIG_PRINTK_CALLER does it tell who it was.
            cpu=record.caller_cpu,
            pid=record.caller_tid,
        )
        for record in records
    ]
    return [Other("dmesg", "local", entries)]
