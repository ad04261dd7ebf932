# SPDX-License-Identifier: GPL-2.0-or-later
"""
Names of tasks at the end
-------------------------

What the tasks of the newest records were called, for which most often not all records
have to be looked at: only as far back as to the last time that each of them was named.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lkst.trace.tasks import TaskNames

if TYPE_CHECKING:
    from lkst.trace.trace import Trace

__all__ = ("EndNames",)

I64 = NDArray[np.int64]

#: Records before those that are asked for: what runs was most often named there.
_BEFORE = 1 << 14
#: As many as one of so many that are asked for, and then so many times as many.
_PART = 8
_LONGER = 4


class EndNames:
    """Names of tasks over time, read backwards from the end as far as need be."""

    def __init__(self, whole: "Trace") -> None:
        """
        Prepare.

        :param whole: a whole trace of which only ends are decoded
        """
        self._whole = whole
        #: As far as they have been read; None: not yet.
        self._names: TaskNames | None = None

    def codes(self, trace: "Trace") -> tuple[list[str], I64]:
        """Name the current task of every record: see :meth:`TaskNames.codes`."""
        return self.codes_of(trace.pid, trace.cpu, trace.position)

    def codes_of(
        self, pid: NDArray[np.integer], cpu: NDArray[np.integer], position: I64
    ) -> tuple[list[str], I64]:
        """Name tasks as they were called: see :meth:`TaskNames.codes_of`."""
        if len(position):
            self._read(pid, cpu, position)
        return (self._names or self._whole.all_task_names).codes_of(pid, cpu, position)

    def last(self, pid: int) -> str:
        """Give the name that a task had last: see :meth:`TaskNames.last`."""
        return self._whole.all_task_names.last(pid)

    def _read(self, pid: NDArray[np.integer], cpu: NDArray[np.integer], position: I64) -> None:
        """Read on until each of some tasks was named before."""
        if self._names is not None and self._names.knows(pid, cpu, position):
            return
        whole = self._whole
        wanted = len(whole) - int(position.min())
        before = max(_BEFORE, wanted // _PART)
        while (end := next(whole.ends(wanted + before))) is not whole:
            self._names = TaskNames(end, len(whole) - len(end))
            if not whole.may_name_tasks or self._names.knows(pid, cpu, position):
                return
            before *= _LONGER
        self._names = whole.all_task_names
