# SPDX-License-Identifier: GPL-2.0-or-later
"""
Names
-----

Names of records, addresses and tasks, for states and suspicions.
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

__all__ = ("Naming", "function_of", "seconds", "who")

_U64 = (1 << 64) - 1


def function_of(symbol: str) -> str:
    """Return the function of ``name+0x12``, without suffixes of the compiler (.isra.0)."""
    name = symbol.split("+", 1)[0].split(" ", 1)[0]
    return re.sub(r"\.(?:part|isra|constprop|cold)(?:\.\d+)?", "", name)


def seconds(ns: int) -> str:
    """Format a duration in ns with one decimal and its unit."""
    if ns >= 10**9:
        return f"{ns / 1e9:.1f} s"
    return f"{ns / 1e6:.1f} ms" if ns >= 10**6 else f"{ns / 1e3:.1f} us"


def who(comm: str, pid: int) -> str:
    """Return ``comm:pid``."""
    return f"{comm_word(comm) if comm else '?'}:{pid}"


class Naming:
    """Names of what a trace contains."""

    def __init__(self, trace: Trace) -> None:
        """Prepare; rows are those of ``trace``."""
        self.trace = trace
        self._rows = Rows(trace, dataclasses.replace(TEXT, message=_message, quiet=True))

    def fields(self, rows: Sequence[int] | NDArray[np.int64]) -> list[str]:
        """Return the fields of some records as text."""
        if not len(rows):
            return []
        lines = self._rows.write(self.trace.select(np.asarray(rows, np.int64)))
        return [line.replace(b"\0", b"").decode() for line in lines]

    def event(self, row: int) -> str:
        """Return the name of a record's event."""
        id_ = int(self.trace.event[row])
        event = self.trace.catalogue.events.get(id_)
        return event.name if event else f"event#{id_}"

    def address(self, value: int) -> str:
        """Return the symbol of a kernel address, or the address in hex."""
        value &= _U64
        return clean(self.trace.facts.names.symbol(value) or hex(value)).removesuffix("+0x0")

    def named(self, type_: str, value: int) -> str:
        """Return the name of a number, for a type whose numbers have names."""
        return str(NAMERS[type_](value, self.trace.facts.names))

    def comms(self, rows: Sequence[int] | NDArray[np.int64]) -> list[str]:
        """Return the names of the current tasks of some records."""
        if not len(rows):
            return []
        names, codes = self.trace.select(np.asarray(rows, np.int64)).comms()
        return [names[code] for code in codes.tolist()]


def _message(text: str) -> bytes:
    return clean(text.rstrip("\n")).encode()
