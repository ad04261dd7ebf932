# SPDX-License-Identifier: GPL-2.0-or-later
"""
Columns of records
------------------

The header of each record as columns: one entry per row, rows sorted by time.
"""

from abc import ABC, abstractmethod
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lkst.abi import layout
from lkst.decode import payload
from lkst.decode.catalogue import Catalogue, Event, Field
from lkst.decode.image import Image
from lkst.decode.records import Records

__all__ = ("RecordColumns",)


class RecordColumns(ABC):
    """Columns of some records of a recorder."""

    image: Image
    catalogue: Catalogue

    @property
    @abstractmethod
    def records(self) -> Records:
        """The records behind the columns."""

    @abstractmethod
    def select(self, rows: NDArray[np.bool_] | NDArray[np.int64] | slice) -> "RecordColumns":
        """Return the columns of some of the rows."""

    def __len__(self) -> int:
        return len(self.records.first)

    @property
    def ts(self) -> NDArray[np.int64]:
        """Times, in ns of CLOCK_MONOTONIC."""
        return self.records.ts.view(np.int64)

    def _halves(self, kind: str) -> NDArray[np.integer]:
        """Return a view of the records' second words."""
        return np.ascontiguousarray(self.records.what).view(kind)

    @cached_property
    def event(self) -> NDArray[np.int64]:
        """Ids of the events."""
        return self._halves("<u2")[::4].astype(np.int64)

    @cached_property
    def occurring(self) -> frozenset[int]:
        """Ids of the events that have records."""
        return frozenset(np.flatnonzero(np.bincount(self.event)).tolist())

    @cached_property
    def cpu(self) -> NDArray[np.int64]:
        """CPUs that wrote the records."""
        return self._halves("<u2")[1::4].astype(np.int64)

    @cached_property
    def buffer(self) -> NDArray[np.int64]:
        """Numbers of the buffers that the records are in."""
        numbers = np.array([buffer.number for buffer in self.image.buffers], np.int64)
        if len(set(numbers.tolist())) == 1:
            return np.full(len(self), numbers[0])
        which = self.records.rings.which(self.records.first)
        return numbers[self.records.rings.buffer[which]]

    @cached_property
    def event_counts(self) -> NDArray[np.int64]:
        """Count the records of each event, by its id."""
        return np.bincount(self.event, minlength=1 << 16)

    @property
    def buffer_names(self) -> dict[int, str]:
        """Names of the buffers, by number."""
        return {buffer.number: buffer.name for buffer in self.image.buffers}

    @cached_property
    def pid(self) -> NDArray[np.int64]:
        """Thread ids of the tasks that were current; 0 is the idle task of each CPU."""
        pid = self._halves("<u4")[1::2].astype(np.int64)
        pid &= layout.PID_MASK
        return pid

    @property
    def flags(self) -> NDArray[np.uint8]:
        """Flags: TRUNCATED, STACK, TORN, IN_FLIGHT of :mod:`lkst.decode.ring`."""
        return self.records.flags

    def rows(self, event: Event) -> NDArray[np.int64]:
        """Return the rows of an event."""
        return np.flatnonzero(self.event == event.id)

    def column(self, field: Field, rows: NDArray[np.int64]) -> NDArray[np.generic]:
        """
        Return a field's values in some rows, all of one event.

        :return: integers, or bytes (``S16``) of names; of a text its length in bytes
        """
        return payload.column(self.records, field, rows)

    def texts(self, field: Field, rows: NDArray[np.int64]) -> list[str]:
        """Return the texts of a field of type ``text``, which can span several slots."""
        return payload.texts(self.records, field, rows)

    def stack(self, rows: NDArray[np.int64]) -> list[list[int]]:
        """
        Return the kernel stacks of some records.

        :return: return addresses, the innermost first; empty if a record has no stack
        """
        return payload.stack(self.records, rows)
