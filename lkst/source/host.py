# SPDX-License-Identifier: GPL-2.0-or-later
"""
Hosts
-----

A host is a program that runs ``lkst`` as a command, drgn or crash, and has already opened
a dump or a kernel. Its commands take no SOURCE.
"""

from dataclasses import dataclass, field

from drgn import Program

from lkst.source.program import read_traces
from lkst.trace.trace import Trace

__all__ = ("HOST", "Host")

#: Where a program's cache has its host.
HOST = "lkst_host"


@dataclass
class Host:
    """What the host has open."""

    program: Program
    #: What to call it.
    source: str
    _traces: list[Trace] | None = field(default=None, repr=False)

    def traces(self) -> list[Trace]:
        """Read the traces, only once unless the memory can change."""
        if self._traces is None or self.program.flags & self.program.flags.IS_LIVE:
            self._traces = read_traces(self.program, self.source)
        return self._traces
