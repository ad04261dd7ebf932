# SPDX-License-Identifier: GPL-2.0-or-later
"""
Rows
----

Format the fields of many records at once: records of one event have the same columns,
so each event is formatted as a block, and its lines are then sorted by time.
"""

from collections.abc import Callable, Iterator
from typing import cast

import numpy as np
from numpy.typing import NDArray

from lkst.decode.catalogue import Event
from lkst.decode.ring import IN_FLIGHT, TORN, TRUNCATED
from lkst.replay.cells import Part, distinct, joined, pick
from lkst.replay.values import Form, Values
from lkst.trace.trace import Trace

__all__ = ("FLAGS", "FLAG_VALUES", "Rows", "chunks")

#: Flags of a record, with their names.
FLAGS = ((IN_FLIGHT, "in-flight"), (TORN, "torn"), (TRUNCATED, "truncated"))

#: All possible values of the flags.
FLAG_VALUES = range(1 << 4)

# Types of fields that are shown first.
_LEADING = {"syscall", "signal", "softirq"}

# Categories of events whose text is a kernel message.
_MESSAGES = {"console", "trouble"}

# A small first chunk shows the first lines at once; larger chunks are faster.
_FIRST = 500
_CHUNK = 1 << 15


def chunks(trace: Trace) -> Iterator[Trace]:
    """Split a trace into chunks of records."""
    start, size = 0, _FIRST
    while start < len(trace):
        yield trace.select(slice(start, start + size))
        start, size = start + size, _CHUNK


class Rows:
    """Formats the fields of records."""

    def __init__(self, trace: Trace, form: Form) -> None:
        """Prepare for a replay of a trace."""
        self._form = form
        self._events = trace.catalogue.events
        self._values = Values(trace.facts.names, form, self._events)

    def write(self, chunk: Trace) -> list[bytes]:
        """
        Format the fields of every record; empty for an unknown event.

        :return: a line for each record, still with zero bytes
        """
        lines = np.full(len(chunk), b"", object)
        for rows, parts in self.groups(chunk):
            lines[rows] = joined(len(rows), parts)
        written: list[bytes] = lines.tolist()
        return written

    def groups(
        self,
        chunk: Trace,
        before: Callable[[int, NDArray[np.int64]], list[Part]] = lambda id_, rows: [],
    ) -> Iterator[tuple[NDArray[np.int64], list[Part]]]:
        """
        Format the fields of every record, event by event.

        :param before: returns the leading parts for an event's id and its rows
        :return: rows of one event, and the parts of their fields
        """
        ids = chunk.event
        # numpy uses a radix sort for 16 bits.
        order = np.argsort(ids.astype(np.uint16), kind="stable")
        if not len(order):
            return
        for rows in np.split(order, np.flatnonzero(np.diff(ids.take(order))) + 1):
            id_ = int(ids[rows[0]])
            event = self._events.get(id_)
            parts = self._write_event(chunk, event, rows) if event and event.fields else []
            yield rows, [*before(id_, rows), *parts]

    def _write_event(self, chunk: Trace, event: Event, rows: NDArray[np.int64]) -> list[Part]:
        form = self._form
        first = event.fields[0]
        said = event.category in _MESSAGES and len(event.fields) == 1
        if form.message and said and first.type == "text" and first.is_number:
            return [list(map(form.message, chunk.texts(first, rows)))]
        parts: list[Part] = []
        for field in sorted(event.fields, key=lambda field: field.type not in _LEADING):
            key = (form.separator if parts else b"") + form.key(field.name)
            if form.quiet and field.type == "flag" and field.is_number:
                values, codes = distinct(cast(NDArray[np.integer], chunk.column(field, rows)))
                shown = [key + form.value(value) if value else b"" for value in values]
                parts.append(pick(shown, codes))
                continue
            parts.append(key)
            parts += self._values.write(chunk, event, field, rows)
        return parts
