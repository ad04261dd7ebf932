# SPDX-License-Identifier: GPL-2.0-or-later
"""Results of a measure as rows and JSON."""

from dataclasses import asdict
from typing import Any

from lkst.measure.result import Result
from lkst.util.printable import as_json

__all__ = ("bins_rows", "buckets_rows", "result_json", "statistics_rows")

Rows = tuple[list[str], list[tuple[Any, ...]]]

_NAMES = ("count", "open", "total", "min", "mean", "p50", "p95", "p99", "max")


def statistics_rows(result: Result) -> Rows:
    """Return names of columns, and a row for each group, or one for all values."""
    groups = result.groups if result.by else [result.whole]
    rows = [(*own.group, *(getattr(own, name) for name in _NAMES)) for own in groups]
    return [*result.by, *_NAMES], rows


def buckets_rows(result: Result) -> Rows:
    """Return the histogram as rows."""
    rows = [(own.low, own.high, own.count) for own in result.histogram]
    return ["low", "high", "count"], rows


def bins_rows(result: Result) -> Rows:
    """Return the values over time as rows."""
    rows = [
        (own.start_ns, own.end_ns, own.count, own.total, own.mean, own.max)
        for own in result.over_time
    ]
    return ["start_ns", "end_ns", "count", "total", "mean", "max"], rows


def result_json(results: list[Result]) -> str:
    """Return results as JSON, a list if there are several."""
    answers = [_answer(result) for result in results]
    return as_json(answers if len(answers) > 1 else answers[0], indent=2) + "\n"


def _answer(result: Result) -> dict[str, Any]:
    measure = result.measure
    head = {
        "measure": measure.name,
        "title": measure.title,
        "description": measure.description,
        "unit": measure.unit,
        "over_time_is": measure.over_time,
    }
    data = asdict(result)
    del data["measure"]
    for own in data["groups"]:
        own["group"] = dict(zip(result.by, own["group"], strict=True))
    del data["whole"]["group"]
    return head | data
