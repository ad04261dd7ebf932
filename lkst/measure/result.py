# SPDX-License-Identifier: GPL-2.0-or-later
"""Results of a measure, as plain data to print, plot or write."""

from dataclasses import dataclass, field

from lkst.measure.find import Measure

__all__ = ("Bin", "Bucket", "Case", "Missing", "Result", "Statistics")

Number = int | float


@dataclass(frozen=True)
class Statistics:
    """Statistics of one group; None if it has no values."""

    #: Values of the columns of ``by``; empty: all values.
    group: tuple[str, ...]
    #: Number of known values.
    count: int
    #: Number of values cut off by the trace's start or end, or by a hole.
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
    """One of the worst cases."""

    value: Number
    #: ns of CLOCK_MONOTONIC.
    start_ns: int
    #: Seconds from the trace's end, for ``lkst replay --around``.
    around: str
    #: All other columns of the measure, as text; None: NULL.
    columns: dict[str, str | None]


@dataclass(frozen=True)
class Bucket:
    """Values with low <= value < high; None: no bound."""

    low: int | None
    high: int | None
    count: int


@dataclass(frozen=True)
class Bin:
    """Values that began within a time bin."""

    #: ns of CLOCK_MONOTONIC; ``end_ns`` is exclusive.
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
    #: Maskset that records one of them; "": the recorder has no such event.
    maskset: str


@dataclass(frozen=True)
class Result:
    """Result of a measure over a trace."""

    measure: Measure
    #: Columns of the groups.
    by: tuple[str, ...]
    whole: Statistics
    #: Greatest total first; empty if ``by`` is empty.
    groups: list[Statistics] = field(default_factory=list)
    #: Greatest value first.
    worst: list[Case] = field(default_factory=list)
    #: Buckets of powers of two, ascending, without empty ones at the ends.
    histogram: list[Bucket] = field(default_factory=list)
    #: Equal bins over the whole time.
    over_time: list[Bin] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    #: End of the trace, in ns of CLOCK_MONOTONIC.
    end_ns: int = 0
