# SPDX-License-Identifier: GPL-2.0-or-later
"""What a measure finds, as plain data that can be printed, drawn or written."""

from dataclasses import dataclass, field

from lkst.measure.find import Measure

__all__ = ("Bin", "Bucket", "Case", "Missing", "Result", "Statistics")

Number = int | float


@dataclass(frozen=True)
class Statistics:
    """Values of one group; those of none are None."""

    #: Values of the columns by which the groups are told; none: all of them.
    group: tuple[str, ...]
    #: Values that are known.
    count: int
    #: Of those that are not: what the trace's start or end, or a hole in it, cuts off.
    open: int
    total: Number | None
    min: Number | None
    mean: float | None
    p50: Number | None
    p95: Number | None
    p99: Number | None
    max: Number | None


@dataclass(frozen=True)
class Case:
    """One of the worst."""

    value: Number
    #: ns of CLOCK_MONOTONIC.
    start_ns: int
    #: Seconds from the trace's end, as ``lkst replay --around`` takes it.
    around: str
    #: All other columns of the measure, as text; None: NULL.
    columns: dict[str, str | None]


@dataclass(frozen=True)
class Bucket:
    """Values from ``low`` up to, and not with, ``high``; None: no bound."""

    low: int | None
    high: int | None
    count: int


@dataclass(frozen=True)
class Bin:
    """A stretch of time, by when the values began."""

    #: ns of CLOCK_MONOTONIC; ``end_ns`` is not in it.
    start_ns: int
    end_ns: int
    count: int
    total: Number
    mean: float | None
    max: Number | None


@dataclass(frozen=True)
class Missing:
    """Events that a measure needs and that were not recorded."""

    #: One of these is needed.
    events: tuple[str, ...]
    #: Maskset that has one of them; "": this recorder has no such event.
    maskset: str


@dataclass(frozen=True)
class Result:
    """What a measure finds in a trace."""

    measure: Measure
    #: Columns by which the groups are told.
    by: tuple[str, ...]
    whole: Statistics
    #: The one with the greatest total first; of what is not told by anything, none.
    groups: list[Statistics] = field(default_factory=list)
    #: The greatest value first.
    worst: list[Case] = field(default_factory=list)
    #: By powers of two, the least values first; without those of no values at the ends.
    histogram: list[Bucket] = field(default_factory=list)
    #: All of the time, in equal stretches.
    over_time: list[Bin] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    #: Of the trace's end, in ns of CLOCK_MONOTONIC.
    end_ns: int = 0
