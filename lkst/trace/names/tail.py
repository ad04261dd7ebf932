# SPDX-License-Identifier: GPL-2.0-or-later
"""
Task names of a trace's tail
----------------------------

Name the tasks of the newest records without decoding all records: read backwards only until
each task has been named once.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from lkst.trace.columns import RecordColumns
from lkst.trace.names.index import NameIndex

__all__ = ("TailNames",)

I64 = NDArray[np.int64]

#: First read at least this many records before the requested ones: most running tasks are
#: named there.
_MIN_EXTRA_RECORDS = 1 << 14
#: For a long tail, first read 1/_EXTRA_DIVISOR of its length before it.
_EXTRA_DIVISOR = 8
#: Each further step reads this many times as many extra records.
_GROWTH = 4


class TailNames:
    """Task names over time, read backwards from the end as far as needed."""

    def __init__(
        self,
        total: int,
        tails: Callable[[int], Iterator[RecordColumns]],
        index: Callable[[], NameIndex],
        alive: Callable[[int], str],
        *,
        complete: bool,
    ) -> None:
        """
        Create an empty index; names are read when they are first needed.

        :param total: number of records in the whole trace
        :param tails: yields ever longer tails of at least a number of records, the last one whole
        :param index: builds an index of all names
        :param alive: returns the name that the task with a pid had at the end, or ""
        :param complete: no record names a task, so that reading further back is useless
        """
        self._total = total
        self._tails = tails
        self._all = index
        self._alive = alive
        self._complete = complete
        #: Names of the records read so far; None: none yet.
        self._index: NameIndex | None = None

    def codes_of(
        self, pid: NDArray[np.integer], cpu: NDArray[np.integer], position: I64
    ) -> tuple[list[str], I64]:
        """Return the names that tasks had at given records: see :meth:`NameIndex.codes_of`."""
        if len(position):
            self._read(pid, cpu, position)
        return (self._index or self._all()).codes_of(pid, cpu, position)

    def last(self, pid: int) -> str:
        """Return the last name of a task: see :meth:`NameIndex.last`."""
        return self._all().last(pid)

    def _read(self, pid: NDArray[np.integer], cpu: NDArray[np.integer], position: I64) -> None:
        """Read further back until each of some tasks is named."""
        if self._index is not None and self._index.knows(pid, cpu, position):
            return
        wanted = self._total - int(position.min())
        before = max(_MIN_EXTRA_RECORDS, wanted // _EXTRA_DIVISOR)
        while len(tail := next(self._tails(wanted + before))) < self._total:
            self._index = NameIndex(tail, self._alive, self._total - len(tail))
            if self._complete or self._index.knows(pid, cpu, position):
                return
            before *= _GROWTH
        self._index = self._all()
