# SPDX-License-Identifier: GPL-2.0-or-later
"""
Measures in a page
------------------

Results of all measures: tables for the template, and numbers for ``page/plots.js``.
"""

from dataclasses import dataclass, field
from typing import Any

from lkst.errors import LkstError
from lkst.measure.find import find_measures
from lkst.measure.result import Bucket, Case, Result, Statistics
from lkst.measure.run import run_measure
from lkst.measure.text import bin_value, missing_text
from lkst.replay.bars import amount, bucket_text
from lkst.replay.times import relative
from lkst.sql.connect import connect
from lkst.trace.trace import Trace
from lkst.util.printable import clean

__all__ = ("STATISTICS", "Measured", "measure_all")

#: Attributes of Statistics that are shown.
STATISTICS = ("total", "mean", "p50", "p95", "p99", "max")

_BINS = 240
_GROUPS = 8
_WORST = 5
# Height of the sparkline beside a measure's name, in its own units.
_SPARK = 24


@dataclass
class Measured:
    """Results of all measures."""

    #: Measures with values, for the template.
    shown: list[dict[str, Any]] = field(default_factory=list)
    #: Name of the measure -> data of its plots.
    plots: dict[str, dict[str, Any]] = field(default_factory=dict)
    #: Measures without values: title, reason.
    empty: list[tuple[str, str]] = field(default_factory=list)
    #: Errors.
    notes: list[str] = field(default_factory=list)


def measure_all(trace: Trace) -> Measured:
    """
    Run all measures.

    :raises LkstError: if a package that they need is not installed
    """
    found = Measured()
    if not len(trace):
        return found
    connection = connect(trace)
    try:
        measures = find_measures()
    except LkstError as error:
        found.notes.append(f"Measures were not computed: {clean(str(error))}")
        return found
    for measure in measures.values():
        try:
            result = run_measure(connection, trace, measure, bins=_BINS, worst=_WORST)
        except LkstError as error:
            found.notes.append(f"{clean(measure.title)}: {clean(str(error))}")
            continue
        if result.whole.count or result.whole.open:
            found.shown.append(_describe(trace, result))
            found.plots[measure.name] = _plots(result)
        else:
            why = "; ".join(missing_text(measure, own) for own in result.missing)
            found.empty.append((clean(measure.title), why.replace(f"{measure.name}: ", "")))
    connection.close()
    return found


def _describe(trace: Trace, result: Result) -> dict[str, Any]:
    measure = result.measure
    return {
        "name": measure.name,
        "title": clean(measure.title),
        "description": clean(measure.description),
        "unit": "" if measure.unit == "ns" else clean(measure.unit),
        "spark": _spark(result.histogram),
        "whole": _row(result.whole, result),
        "by": [clean(name) for name in result.by],
        "groups": [_row(own, result) for own in result.groups[:_GROUPS]],
        "more": max(0, len(result.groups) - _GROUPS),
        "missing": [missing_text(measure, own) for own in result.missing],
        "case_columns": [clean(name) for name in result.worst[0].columns] if result.worst else [],
        "worst": [_case(trace, case, result) for case in result.worst]
        if measure.over_time != "count"
        else [],
    }


def _row(own: Statistics, result: Result) -> dict[str, Any]:
    # Lengths of queues do not add up.
    values = {name: getattr(own, name) for name in STATISTICS}
    if result.measure.over_time == "max":
        values["total"] = None
    return {
        "group": [clean(text) for text in own.group],
        "count": f"{own.count:,}",
        "open": f"{own.open:,}" if own.open else "",
        "values": [_value(value, result.measure.unit) for value in values.values()],
    }


def _value(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    if unit == "ns":
        return amount(value, unit)
    return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}"


def _case(trace: Trace, case: Case, result: Result) -> dict[str, Any]:
    return {
        "time": relative(trace, case.start_ns),
        "value": _value(case.value, result.measure.unit),
        "columns": [clean(text or "") for text in case.columns.values()],
    }


def _spark(histogram: list[Bucket]) -> list[tuple[int, int, int]]:
    # x, y and height of each bar.
    most = max((own.count for own in histogram), default=0)
    heights = [-(-own.count * _SPARK // most) for own in histogram] if most else []
    return [(4 * place, _SPARK - height, height) for place, height in enumerate(heights)]


def _plots(result: Result) -> dict[str, Any]:
    measure = result.measure
    return {
        "unit": measure.unit,
        "over": measure.over_time,
        "buckets": [bucket_text(own.low, own.high, measure.unit) for own in result.histogram],
        "lows": [amount(own.low or 0, measure.unit) for own in result.histogram],
        "counts": [own.count for own in result.histogram],
        "times": [
            (own.start_ns + own.end_ns - 2 * result.end_ns) / 2e9 for own in result.over_time
        ],
        "values": [bin_value(own, measure) for own in result.over_time],
    }
