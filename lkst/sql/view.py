# SPDX-License-Identifier: GPL-2.0-or-later
"""
Views
-----

What a view is: its name, what it is of, its columns with their units, and the events
that it is made of.
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
    #: In SQL.
    type: str
    #: ``ns``: of CLOCK_MONOTONIC if it is a moment; ``bytes``, ...; or "".
    unit: str
    meaning: str


@dataclass(frozen=True)
class View:
    """A table that is made when it is first asked for."""

    name: str
    meaning: str
    #: Events without which it has no rows; of those in one text, one is enough.
    events: tuple[str, ...]
    columns: tuple[ColumnInfo, ...]
    build: Callable[[TableColumns], dict[str, Column]]


#: The columns that all intervals begin with.
SPAN = (
    ColumnInfo("start_ns", BIGINT, "ns", "when it began; NULL: not known"),
    ColumnInfo("end_ns", BIGINT, "ns", "when it ended; NULL: not known"),
    ColumnInfo("duration_ns", BIGINT, "ns", "from start to end; NULL: one of them is not known"),
    ColumnInfo(
        "open",
        TEXT,
        "",
        "which end is not in the trace: start, end or both; NULL: none",
    ),
    ColumnInfo("cpu", INTEGER, "", "CPU on which it began, or else ended"),
    ColumnInfo("pid", INTEGER, "", "thread id of the task"),
    ColumnInfo("comm", TEXT, "", "name of the task at that time"),
)
