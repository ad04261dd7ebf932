# SPDX-License-Identifier: GPL-2.0-or-later
"""
Events as tables
----------------

The records of an event as columns of integers, and the spans that begin and do not end.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lkst.abi import layout
from lkst.abi.control import event_state
from lkst.decode.catalogue import Event
from lkst.trace.trace import Trace

__all__ = ("I64", "RECORDING", "Table", "ends_are_recorded", "last_by", "open_ones", "table")

I64 = NDArray[np.int64]

_NONE: I64 = np.zeros(0, np.int64)

RECORDING = (layout.HANDLERS.index("record"), layout.HANDLERS.index("stack"))


@dataclass(frozen=True)
class Table:
    """Records of one or several events, in the order of time, with their common fields."""

    #: Rows of the trace.
    rows: I64
    #: Fields by name; addresses of 2**63 and above are negative.
    columns: Mapping[str, I64]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, name: str) -> I64:
        return self.columns[name]

    def select(self, which: NDArray[np.bool_] | I64) -> "Table":
        """Return the selected records."""
        return Table(self.rows[which], {name: c[which] for name, c in self.columns.items()})


def table(
    trace: Trace,
    names: str | Iterable[str],
    *fields: str,
    rows: Callable[[Event], I64] | None = None,
) -> Table:
    """
    Return the records of one event or of several.

    An event that the recorder does not have, or that lacks one of the fields, has no records.

    :param names: names of events
    :param fields: numeric fields that all of the events have
    :param rows: returns the rows of an event, if the caller knows them already
    """
    wanted = {names} if isinstance(names, str) else set(names)
    parts = []
    for event in trace.catalogue.events.values():
        if event.name in wanted and _has(event, fields):
            own = (rows or trace.rows)(event)
            columns = {
                name: trace.column(field, own).astype(np.int64)
                for name in fields
                if (field := event.field(name))
            }
            parts.append(Table(own, columns))
    if not parts:
        return Table(_NONE, dict.fromkeys(fields, _NONE))
    if len(parts) == 1:
        return parts[0]
    every = np.concatenate([part.rows for part in parts])
    order = np.argsort(every)
    return Table(
        every[order],
        {name: np.concatenate([part[name] for part in parts])[order] for name in fields},
    )


def _has(event: Event, fields: Iterable[str]) -> bool:
    return all((field := event.field(name)) and field.is_number for name in fields)


def ends_are_recorded(trace: Trace, name: str) -> bool:
    """Check whether an event is recorded; if not, what it ends seems to be open for ever."""
    event = next((e for e in trace.catalogue.events.values() if e.name == name), None)
    if event is None:
        return False
    if event.id in trace.whole.occurring:
        return True
    control = trace.control
    if control is None or event_state(control, event.id) != "attached":
        return False
    handler = control.handler[control.active_maskset % layout.MAX_MASKSETS][event.id]
    return handler & layout.HANDLER_MASK in RECORDING


def last_by(keys: I64, rows: I64) -> dict[int, int]:
    """
    Find the last row of each key.

    :param rows: in ascending order
    """
    return dict(zip(keys.tolist(), rows.tolist(), strict=True))


def open_ones(
    begin_keys: tuple[I64, ...], begin: I64, end_keys: tuple[I64, ...], end: I64
) -> NDArray[np.int64]:
    """
    Find what has begun and not ended: begins that are the last row of their key.

    Ends without a begin are ignored. Of several begins in a row the last one counts.

    :param begin_keys: columns that together are the key, one entry for each row of ``begin``
    :param end_keys: the same for ``end``
    :return: indices into ``begin``, ascending
    """
    if not len(begin):
        return _NONE
    columns = [np.concatenate(pair) for pair in zip(begin_keys, end_keys, strict=True)]
    rows = np.concatenate((begin, end))
    order = np.lexsort((rows, *columns))
    last = np.ones(len(order), bool)
    same = np.ones(len(order) - 1, bool)
    for column in columns:
        ordered = column[order]
        same &= ordered[1:] == ordered[:-1]
    last[:-1] = ~same
    found = order[last]
    return np.sort(found[found < len(begin)])
