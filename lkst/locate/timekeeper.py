# SPDX-License-Identifier: GPL-2.0-or-later
"""
Timekeeper
----------

The wall clock as the kernel's timekeeper has it (include/linux/timekeeper_internal.h)
in the variable ``tk_core``, which is ``timekeeper_data[0]`` since 6.17. The struct
around it has the name ``struct tk_data`` since 6.13, and none before: there, a sequence
counter comes first.
"""

import re

from drgn import FaultError, Object, Program, sizeof

from lkst.locate.names import Finder
from lkst.trace.facts import ClockReading

__all__ = ("read_crash_time", "read_timekeeper")

_FAULTS = (AttributeError, FaultError, LookupError, TypeError, ValueError)
_SECOND = 10**9


def read_timekeeper(prog: Program, find_symbols: Finder) -> ClockReading | None:
    """
    Read the wall clock.

    :param find_symbols: looks symbols up, the same whether there is debug info or not
    :return: None: it cannot be read, or contradicts itself
    """
    for name in ("tk_core", "timekeeper_data"):
        try:
            symbols = find_symbols(prog, name, None, True)
            if symbols:
                return _read(prog, symbols[0].address)
        except _FAULTS:
            continue
    return None


def _read(prog: Program, address: int) -> ClockReading | None:
    try:
        offset = prog.type("struct tk_data").member("timekeeper").offset
    except LookupError:
        # A struct timekeeper is aligned to 8 bytes.
        offset = -(-sizeof(prog.type("seqcount_raw_spinlock_t")) // 8) * 8
    keeper = Object(prog, "struct timekeeper", address=address + offset)
    real = keeper.offs_real.value_()
    # The kernel has it twice. If this is not the timekeeper, or it was being written, they differ.
    other = keeper.wall_to_monotonic
    if real != -(other.tv_sec.value_() * _SECOND + other.tv_nsec.value_()):
        return None
    mono = keeper.tkr_mono
    since_base = mono.xtime_nsec.value_() >> min(mono.shift.value_(), 63)
    return ClockReading(mono.base.value_() + since_base, real, 0, "the kernel's timekeeper")


def read_crash_time(prog: Program) -> int | None:
    """
    Read CRASHTIME of VMCOREINFO, which a kernel with a kexec image writes when it crashes.

    :return: CLOCK_REALTIME, in seconds
    """
    try:
        text: bytes = prog["VMCOREINFO"].string_()
    except _FAULTS:
        return None
    match = re.search(rb"^CRASHTIME=(\d{1,12})$", text, re.MULTILINE)
    return int(match[1]) if match else None
