# SPDX-License-Identifier: GPL-2.0-or-later
"""
Views
-----

What a view is: its name, its meaning, its columns with their units, and the events that
it is computed from.
"""

from collections.abc import Callable
from dataclasses import dataclass

from lkst.sql.columns import Column, TableColumns

__all__ = ("BIGINT", "BOOLEAN", "INTEGER", "SPAN", "TEXT", "UBIGINT", "ColumnInfo", "View")

BIGINT, INTEGER, UBIGINT, BOOLEAN, TEXT = "BIGINT", "INTEGER", "UBIGINT", "BOOLEAN", "VARCHAR"


@dataclass(frozen=True)
class ColumnInfo:
    """A column of a view."""

    name: str
    #: SQL type.
    type: str
    #: ``ns`` (a point in time is CLOCK_MONOTONIC), ``bytes``, ...; or "".
    unit: str
    meaning: str


@dataclass(frozen=True)
class View:
    """A table that is built when a query first uses it."""

    name: str
    meaning: str
    #: Events that it needs to have rows; of several in one string, one is enough.
    events: tuple[str, ...]
    columns: tuple[ColumnInfo, ...]
    build: Callable[[TableColumns], dict[str, Column]]


#: The first columns of all intervals.
SPAN = (
    ColumnInfo("start_ns", BIGINT, "ns", "start; NULL: not known"),
    ColumnInfo("end_ns", BIGINT, "ns", "end; NULL: not known"),
    ColumnInfo("duration_ns", BIGINT, "ns", "from start to end; NULL: one of them is not known"),
    ColumnInfo(
        "open",
        TEXT,
        "",
        "what is not in the trace: start, end or both; NULL: nothing",
    ),
    ColumnInfo("cpu", INTEGER, "", "CPU on which it began; if that is not known, ended"),
    ColumnInfo("pid", INTEGER, "", "thread id of the task"),
    ColumnInfo("comm", TEXT, "", "name of the task at that time"),
)
