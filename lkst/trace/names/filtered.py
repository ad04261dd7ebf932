# SPDX-License-Identifier: GPL-2.0-or-later
"""
Task names of filtered records
------------------------------

Name the tasks of some records, decoding only the records that carry the name of one of
them.
"""

from collections.abc import Callable
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lkst.decode.catalogue import Catalogue
from lkst.decode.predicate import Predicate, any_of, by_task_named, pid_table
from lkst.trace.columns import RecordColumns
from lkst.trace.names.index import NameIndex

__all__ = ("FilteredNames",)

I64 = NDArray[np.int64]


class FilteredNames:
    """Names over time of the tasks that were current in some records."""

    def __init__(
        self,
        catalogue: Catalogue,
        predicate: Predicate,
        what: NDArray[np.uint64],
        matching: Callable[[Predicate], RecordColumns],
        index: Callable[[], NameIndex],
        alive: Callable[[int], str],
    ) -> None:
        """
        Prepare.

        :param predicate: the predicate that the records match
        :param what: their second words
        :param matching: returns the records that match another predicate
        :param index: builds an index of all names
        :param alive: returns the name that the task with a pid had at the end, or ""
        """
        self._catalogue = catalogue
        self._predicate = predicate
        self._pids = pid_table(what)
        self._matching = matching
        self._all = index
        self._alive = alive

    def codes(self, records: RecordColumns) -> tuple[list[str], I64]:
        """
        Name the current task of every record: see :meth:`NameIndex.codes_of`.

        :param records: some of the matching records
        """
        names, slots, rows = self._found
        position = rows.take(np.searchsorted(slots, records.records.first))
        return names.codes_of(records.pid, records.cpu, position)

    def codes_of(
        self, pid: NDArray[np.integer], cpu: NDArray[np.integer], position: I64
    ) -> tuple[list[str], I64]:
        """
        Return the names that tasks had at given records: see :meth:`NameIndex.codes_of`.

        :param position: rows of the whole trace
        """
        return self._all().codes_of(pid, cpu, position)

    def last(self, pid: int) -> str:
        """Return the last name of a task: see :meth:`NameIndex.last`."""
        return self._all().last(pid)

    @cached_property
    def _found(self) -> tuple[NameIndex, I64, I64]:
        """Return the names, and the sorted slots of the records with their rows."""
        naming = by_task_named(self._catalogue, self._pids)
        found = self._matching(any_of(self._predicate, naming))
        slots = found.records.first
        rows = np.argsort(slots)
        return NameIndex(found, self._alive), slots[rows], rows
