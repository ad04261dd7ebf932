# SPDX-License-Identifier: GPL-2.0-or-later
"""
Probes
------

Calls of functions that have a probe with --return.
"""

import numpy as np

from lkst.decode.catalogue import Event
from lkst.sql.columns import Column, Maybe, Names, TableColumns
from lkst.sql.view import SPAN, TEXT, ColumnInfo, View

__all__ = ("VIEWS",)

_MAX_ERRNO = 4095  # include/linux/err.h

#: Fields that are negative if a call failed.
_ERRORS = ("ret", "errno")


def _duration_of(event: Event) -> bool:
    field = event.field("duration")
    return event.is_probe and field is not None and (field.type, field.unit) == ("u64", "ns")


def _calls(columns: TableColumns) -> dict[str, Column]:
    trace = columns.trace
    events = [event for event in trace.catalogue.events.values() if _duration_of(event)]
    found = [columns.rows(event) for event in events]
    rows = np.concatenate([np.zeros(0, np.int64), *found])
    which = np.repeat(np.arange(len(events)), [len(own) for own in found])
    took, result = np.zeros(len(rows), np.int64), np.zeros(len(rows), np.int64)
    for number, event in enumerate(events):
        own = which == number
        duration, ret = event.field("duration"), event.field("ret")
        if duration:
            took[own] = trace.column(duration, rows[own]).view(np.int64)
        if ret and ret.type in _ERRORS:
            result[own] = trace.column(ret, rows[own])
    order = np.argsort(rows)
    rows, which, took, result = rows[order], which[order], took[order], result[order]
    failed = (result < 0) & (result >= -_MAX_ERRNO)
    errors = columns.named("ret", np.where(failed, result, 0))
    end = columns.ts[rows]
    known = (took >= 0) & (took <= end)
    return {
        "start_ns": Maybe(end - took, known),
        "end_ns": end,
        "duration_ns": Maybe(took, known),
        "open": Names(["start"], np.where(known, -1, 0)),
        "cpu": columns.cpu[rows],
        "pid": columns.pid[rows],
        "comm": columns.comms(rows),
        "name": Names([event.name for event in events], which),
        "error": Names(errors.names, np.where(failed, errors.codes, -1)),
    }


VIEWS = (
    View(
        "calls",
        "A call of a function with a --return probe; cpu is where it returned.",
        ("probe",),
        (
            *SPAN,
            ColumnInfo("name", TEXT, "", "name of the probe"),
            ColumnInfo("error", TEXT, "", "-ENOENT, ..., if the probe records ret; NULL: none"),
        ),
        _calls,
    ),
)
