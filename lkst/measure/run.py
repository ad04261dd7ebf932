# SPDX-License-Identifier: GPL-2.0-or-later
"""
Running a measure
-----------------

From a trace in SQL and a measure's query to statistics, the worst cases, a histogram and
values over time.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lkst.errors import Usage
from lkst.measure.find import Measure
from lkst.measure.missing import find_missing
from lkst.measure.result import Bin, Bucket, Case, Result, Statistics
from lkst.replay.times import relative
from lkst.sql.errors import sql_errors
from lkst.trace.filters import Filters
from lkst.trace.trace import Trace

if TYPE_CHECKING:
    import duckdb

__all__ = ("BINS", "GROUPS", "WORST", "run_measure")

#: Default numbers of time bins, worst cases and groups.
BINS = 60
WORST = 10
GROUPS = 1000

#: Names that ``--by`` takes for several columns.
_TOGETHER = {"task": ("comm", "pid"), "waker": ("waker_comm", "waker_pid")}

_TABLE = "lkst_measured"
_FIXED = ("start_ns", "value")

_STATISTICS = """count(value), count(*) - count(value), sum(value), min(value), avg(value),
    quantile_disc(value, [0.5, 0.95, 0.99]), max(value)"""


def run_measure(
    connection: "duckdb.DuckDBPyConnection",
    trace: Trace,
    measure: Measure,
    by: str | Sequence[str] | None = None,
    filters: Filters | None = None,
    *,
    only: Mapping[str, str] | None = None,
    bins: int = BINS,
    worst: int = WORST,
    groups: int = GROUPS,
) -> Result:
    """
    Run a measure over a trace.

    :param connection: result of :func:`lkst.sql.connect.connect` for the trace
    :param by: columns of the measure to group by, ``task``: comm and pid; None: the measure's
        default; "": no groups
    :param filters: CPUs, pids, names of tasks, since and until are applied
    :param only: column of the measure -> shell pattern that its text must match
    :param groups: maximum number of groups, those with the greatest totals
    :raises Usage: if its SQL is wrong, or it has no such column
    """
    missing = find_missing(trace, measure)
    try:
        columns = _materialise(connection, trace, measure, filters or Filters(), only or {})
        chosen = _by(measure.by if by is None else by, columns, measure)
        with sql_errors(f"{measure.path}: "):
            whole = _statistics(connection, ())[0]
            return Result(
                measure,
                chosen,
                whole,
                _statistics(connection, chosen, groups) if chosen else [],
                _worst(connection, trace, columns, worst),
                _histogram(connection) if whole.count else [],
                _over_time(connection, trace, filters or Filters(), bins),
                missing,
                trace.end,
            )
    finally:
        connection.execute(f"DROP TABLE IF EXISTS {_TABLE}")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _materialise(
    connection: "duckdb.DuckDBPyConnection",
    trace: Trace,
    measure: Measure,
    filters: Filters,
    only: Mapping[str, str],
) -> list[str]:
    # Put the measure's rows into a table, and return its columns.
    with sql_errors(f"{measure.path}: "):
        described = connection.execute(f"DESCRIBE {measure.sql}").fetchall()
    columns = [str(row[0]) for row in described]
    for name in _FIXED:
        if name not in columns:
            raise Usage(f"{measure.path}: its query has no column {name}")
    tests, values = _tests(trace, filters, only, columns, measure)
    where = f"WHERE {' AND '.join(tests)}" if tests else ""
    with sql_errors(f"{measure.path}: "):
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {_TABLE} AS SELECT * FROM (\n{measure.sql}\n) {where}",
            values,
        )
    return columns


def _tests(
    trace: Trace,
    filters: Filters,
    only: Mapping[str, str],
    columns: list[str],
    measure: Measure,
) -> tuple[list[str], list[Any]]:
    tests: list[str] = []
    values: list[Any] = []

    def test(option: str, column: str, text: str, *given: Any) -> None:
        if column not in columns:
            there = ", ".join(name for name in columns if name not in _FIXED)
            raise Usage(f"--{option}: {measure.name} has no column {column!r}: use {there}")
        tests.append(text)
        values.extend(given)

    if filters.cpus is not None:
        test("cpu", "cpu", "list_contains(?, cpu)", sorted(filters.cpus))
    if filters.pids is not None:
        test("pid", "pid", "list_contains(?, pid)", sorted(filters.pids))
    if filters.comms is not None:
        anyone = " OR ".join("comm GLOB ?" for _ in filters.comms)
        test("comm", "comm", f"({anyone})", *filters.comms)
    if filters.since is not None:
        test("since", "start_ns", "start_ns >= ?", trace.end + filters.since)
    if filters.until is not None:
        test("until", "start_ns", "start_ns <= ?", trace.end + filters.until)
    for column, pattern in only.items():
        test("only", column, f"{_quoted(column)}::VARCHAR GLOB ?", pattern)
    return tests, values


def _by(by: str | Sequence[str], columns: list[str], measure: Measure) -> tuple[str, ...]:
    words = [word.strip() for word in by.split(",")] if isinstance(by, str) else list(by)
    names: list[str] = []
    for word in filter(None, words):
        names += _TOGETHER.get(word, (word,)) if word not in columns else (word,)
    for name in names:
        if name not in columns or name in _FIXED:
            there = [column for column in columns if column not in _FIXED]
            if {"comm", "pid"} <= set(columns):
                there.append("task")
            raise Usage(f"--by: {measure.name} has no column {name!r}: use {', '.join(there)}")
    return tuple(names)


def _statistics(
    connection: "duckdb.DuckDBPyConnection", by: tuple[str, ...], limit: int = 1
) -> list[Statistics]:
    names = "".join(f"{_quoted(name)}::VARCHAR, " for name in by)
    numbers = ", ".join(str(place) for place in range(1, len(by) + 1))
    group = f"GROUP BY {numbers}" if by else ""
    order = f", {numbers}" if by else ""
    rows = connection.execute(
        f"SELECT {names} {_STATISTICS} FROM {_TABLE} {group}"
        f" ORDER BY sum(value) DESC NULLS LAST{order} LIMIT {int(limit)}"
    ).fetchall()
    found = []
    for row in rows:
        group_, rest = row[: len(by)], row[len(by) :]
        count, open_, total, least, mean, quantiles, most = rest
        p50, p95, p99 = quantiles or (None, None, None)
        total = int(total) if isinstance(most, int) and total is not None else total
        key = tuple("?" if value is None else value for value in group_)
        found.append(Statistics(key, count, open_, total, least, mean, p50, p95, p99, most))
    return found


def _worst(
    connection: "duckdb.DuckDBPyConnection", trace: Trace, columns: list[str], worst: int
) -> list[Case]:
    others = [name for name in columns if name not in _FIXED]
    names = "".join(f", {_quoted(name)}::VARCHAR" for name in others)
    rows = connection.execute(
        f"SELECT value, start_ns{names} FROM {_TABLE} WHERE value IS NOT NULL"
        f" ORDER BY value DESC, start_ns LIMIT {int(worst)}"
    ).fetchall()
    return [
        Case(
            value,
            start,
            relative(trace, start),
            dict(zip(others, rest, strict=True)),
        )
        for value, start, *rest in rows
    ]


def _histogram(connection: "duckdb.DuckDBPyConnection") -> list[Bucket]:
    rows = connection.execute(
        # log2() of a double is exact enough up to 2**48: three days in ns.
        f"""SELECT CASE WHEN value < 1 THEN 0 ELSE 1 + floor(log2(value))::INTEGER END,
        count(*) FROM {_TABLE} WHERE value IS NOT NULL GROUP BY 1"""
    ).fetchall()
    counts = dict(rows)
    return [
        Bucket(1 << bits - 1 if bits else None, 1 << bits, counts.get(bits, 0))
        for bits in range(min(counts), max(counts) + 1)
    ]


def _over_time(
    connection: "duckdb.DuckDBPyConnection", trace: Trace, filters: Filters, bins: int
) -> list[Bin]:
    if not len(trace):
        return []
    first, last = int(trace.ts[0]), int(trace.ts[-1]) + 1
    if filters.since is not None:
        first = max(first, trace.end + filters.since)
    if filters.until is not None:
        last = min(last, trace.end + filters.until + 1)
    if last <= first:
        return []
    width = max(1, -(-(last - first) // max(1, bins)))
    rows = connection.execute(
        f"""SELECT (start_ns - {first}) // {width}, count(value), sum(value), avg(value),
        max(value) FROM {_TABLE} WHERE value IS NOT NULL AND start_ns >= {first}
        AND start_ns < {last} GROUP BY 1"""
    ).fetchall()
    found = {row[0]: row[1:] for row in rows}
    result = []
    for number in range(-(-(last - first) // width)):
        count, total, mean, most = found.get(number, (0, 0, None, None))
        total = int(total) if isinstance(most, int) else total
        start = first + number * width
        result.append(Bin(start, start + width, count, total, mean, most))
    return result
