# SPDX-License-Identifier: GPL-2.0-or-later
"""
sched_clock()
-------------

ftrace's clock "local" is sched_clock(), the raw clock of the processor. kernel/sched/clock.c
converts it: if it is stable, local_clock() has a constant offset; if not, each CPU keeps its
value and CLOCK_MONOTONIC of the CPU's last tick.
"""

from dataclasses import dataclass

from drgn import FaultError, Program
from drgn.helpers.linux.percpu import per_cpu

from lkst.locate.names import Finder

__all__ = ("SchedClock", "read_sched_clock")

_FAULTS = (AttributeError, FaultError, LookupError, ValueError)

#: Both clocks begin within this time after boot, in ns.
_START = 100_000_000


@dataclass(frozen=True)
class SchedClock:
    """How to make another clock of it."""

    #: One of lkst.trace.foreign.CLOCKS: what it is converted to.
    clock: str
    #: Stable clock: offset to add, in ns.
    offset: int = 0
    #: Unstable clock, by CPU: it and CLOCK_MONOTONIC at one moment, in ns.
    ticks: tuple[tuple[int, int], ...] = ()

    def convert(self, ts: int, cpu: int) -> tuple[int, int]:
        """
        Convert a time.

        :return: it, and a bound of the error that this adds, in ns
        """
        if not self.ticks:
            return ts + self.offset, 0
        raw, mono = self.ticks[cpu] if cpu < len(self.ticks) else (0, 0)
        # An unstable clock has another rate; only its average since boot is known.
        age = raw - ts
        rate = mono / raw if raw else 1.0
        return mono - round(age * rate), round(abs(age) * _START / max(raw, 1))


def read_sched_clock(prog: Program, find_symbols: Finder, nr_cpus: int) -> SchedClock:
    """
    Read how a kernel converts sched_clock().

    :param find_symbols: looks symbols up, the same whether there is debug info or not
    :param nr_cpus: CPUs that may have one
    """
    try:
        # The first member of struct static_key_false counts how often it is on.
        stable = prog.read_u32(find_symbols(prog, "__sched_clock_stable", None, True)[0].address)
        if stable:
            address = find_symbols(prog, "__sched_clock_offset", None, True)[0].address
            offset = prog.read_u64(address)
            return SchedClock("local", (offset ^ 1 << 63) - (1 << 63))
        ticks = []
        for cpu in range(nr_cpus):
            data = per_cpu(prog["sched_clock_data"], cpu)
            ticks.append((data.tick_raw.value_(), data.tick_gtod.value_()))
        return SchedClock("mono", ticks=tuple(ticks))
    except (*_FAULTS, IndexError):
        return SchedClock("unknown")
