# SPDX-License-Identifier: GPL-2.0-or-later
"""
Names of tasks at the end
-------------------------

What the tasks of the newest records were called, for which most often not all records
have to be looked at: only as far back as to the last time that each of them was named.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from lkst.trace.columns import Columns
from lkst.trace.names.index import NameIndex

__all__ = ("TailNames",)

I64 = NDArray[np.int64]

#: Records before those that are asked for: what runs was most often named there.
_BEFORE = 1 << 14
#: As many as one of so many that are asked for, and then so many times as many.
_PART = 8
_LONGER = 4


class TailNames:
    """Names of tasks over time, read backwards from the end as far as need be."""

    def __init__(
        self,
        total: int,
        tails: Callable[[int], Iterator[Columns]],
        index: Callable[[], NameIndex],
        alive: Callable[[int], str],
        *,
        complete: bool,
    ) -> None:
        """
        Prepare.

        :param total: how many records there are
        :param tails: gives ever more of the newest of at least so many, at last all
        :param index: makes an index of all names
        :param alive: gives the name that the task with a pid had at the end, or ""
        :param complete: no record names tasks, so that further ones need not be looked at
        """
        self._total = total
        self._tails = tails
        self._all = index
        self._alive = alive
        self._complete = complete
        #: As far as records have been read; None: not yet.
        self._index: NameIndex | None = None

    def codes_of(
        self, pid: NDArray[np.integer], cpu: NDArray[np.integer], position: I64
    ) -> tuple[list[str], I64]:
        """Name tasks as they were called: see :meth:`NameIndex.codes_of`."""
        if len(position):
            self._read(pid, cpu, position)
        return (self._index or self._all()).codes_of(pid, cpu, position)

    def last(self, pid: int) -> str:
        """Give the name that a task had last: see :meth:`NameIndex.last`."""
        return self._all().last(pid)

    def _read(self, pid: NDArray[np.integer], cpu: NDArray[np.integer], position: I64) -> None:
        """Read on until each of some tasks was named before."""
        if self._index is not None and self._index.knows(pid, cpu, position):
            return
        wanted = self._total - int(position.min())
        before = max(_BEFORE, wanted // _PART)
        while len(tail := next(self._tails(wanted + before))) < self._total:
            self._index = NameIndex(tail, self._alive, self._total - len(tail))
            if self._complete or self._index.knows(pid, cpu, position):
                return
            before *= _LONGER
        self._index = self._all()
