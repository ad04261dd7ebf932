# SPDX-License-Identifier: GPL-2.0-or-later
"""
Words
-----

How records, addresses and tasks are named, for the state and what is wrong with it.
"""

from collections.abc import Sequence
import dataclasses
import re

import numpy as np
from numpy.typing import NDArray

from lkst.replay.numbers import NAMERS
from lkst.replay.rows import Rows
from lkst.replay.values import TEXT
from lkst.trace.trace import Trace
from lkst.util.printable import clean, comm_word

__all__ = ("Words", "function_of", "seconds", "who")

_U64 = (1 << 64) - 1


def function_of(symbol: str) -> str:
    """Give the function of ``name+0x12``, without what the compiler has added to its name."""
    name = symbol.split("+", 1)[0].split(" ", 1)[0]
    return re.sub(r"\.(?:part|isra|constprop|cold)(?:\.\d+)?", "", name)


def seconds(ns: int) -> str:
    """Show a length of time, as it is read aloud."""
    if ns >= 10**9:
        return f"{ns / 1e9:.1f} s"
    return f"{ns / 1e6:.1f} ms" if ns >= 10**6 else f"{ns / 1e3:.1f} us"


def who(comm: str, pid: int) -> str:
    """Name a task."""
    return f"{comm_word(comm) if comm else '?'}:{pid}"


class Words:
    """Names what is in a trace."""

    def __init__(self, trace: Trace) -> None:
        """Prepare; all rows are those of this trace."""
        self.trace = trace
        self._rows = Rows(trace, dataclasses.replace(TEXT, message=_message, quiet=True))

    def fields(self, rows: Sequence[int] | NDArray[np.int64]) -> list[str]:
        """Write the fields of some records."""
        if not len(rows):
            return []
        lines = self._rows.write(self.trace.select(np.asarray(rows, np.int64)))
        return [line.replace(b"\0", b"").decode() for line in lines]

    def event(self, row: int) -> str:
        """Name a record's event."""
        id_ = int(self.trace.event[row])
        event = self.trace.catalogue.events.get(id_)
        return event.name if event else f"event#{id_}"

    def address(self, value: int) -> str:
        """Name a kernel address."""
        value &= _U64
        return clean(self.trace.facts.names.symbol(value) or hex(value)).removesuffix("+0x0")

    def named(self, type_: str, value: int) -> str:
        """Name a number of a type that has names."""
        return str(NAMERS[type_](value, self.trace.facts.names))

    def comms(self, rows: Sequence[int] | NDArray[np.int64]) -> list[str]:
        """Name the current tasks of some records."""
        if not len(rows):
            return []
        names, codes = self.trace.select(np.asarray(rows, np.int64)).comms()
        return [names[code] for code in codes.tolist()]


def _message(text: str) -> bytes:
    return clean(text.rstrip("\n")).encode()
