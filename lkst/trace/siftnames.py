# SPDX-License-Identifier: GPL-2.0-or-later
"""
Names of tasks of what was sifted
---------------------------------

What the tasks of some records were called, for which only those records are decoded that
carry the name of one of them.
"""

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lkst.decode.sieve import Sieve, any_of, by_task_named, table_of_pids
from lkst.trace.tasks import TaskNames

if TYPE_CHECKING:
    from lkst.trace.trace import Trace

__all__ = ("SiftNames",)

I64 = NDArray[np.int64]


class SiftNames:
    """Names over time of the tasks that were current in some records."""

    def __init__(self, whole: "Trace", sieve: Sieve, what: NDArray[np.uint64]) -> None:
        """
        Prepare.

        :param whole: a whole trace that is not decoded
        :param sieve: what the records have passed
        :param what: their second words
        """
        self._whole = whole
        self._sieve = sieve
        self._pids = table_of_pids(what)

    def codes(self, trace: "Trace") -> tuple[list[str], I64]:
        """
        Name the current task of every record: see :meth:`TaskNames.codes`.

        :param trace: some of the records
        """
        names, slots, rows = self._found
        position = rows.take(np.searchsorted(slots, trace.records.first))
        return names.codes_of(trace.pid, trace.cpu, position)

    def codes_of(
        self, pid: NDArray[np.integer], cpu: NDArray[np.integer], position: I64
    ) -> tuple[list[str], I64]:
        """
        Name tasks as they were called: see :meth:`TaskNames.codes_of`.

        :param position: rows of the whole trace
        """
        return self._whole.all_task_names.codes_of(pid, cpu, position)

    def last(self, pid: int) -> str:
        """Give the name that a task had last: see :meth:`TaskNames.last`."""
        return self._whole.all_task_names.last(pid)

    @cached_property
    def _found(self) -> tuple[TaskNames, I64, I64]:
        """Give the names, and of what they are from the slots, in order, and the row of each."""
        naming = by_task_named(self._whole.catalogue, self._pids)
        found = self._whole.sift(any_of(self._sieve, naming), few=True)
        slots = found.records.first
        rows = np.argsort(slots)
        return TaskNames(found), slots[rows], rows
