# SPDX-License-Identifier: GPL-2.0-or-later
"""
Counts
------

Events that were counted instead of recorded: counts, and histograms of fields.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from lkst.abi import layout
from lkst.decode.catalogue import Catalogue
from lkst.decode.counts import Counts, Histogram
from lkst.replay.bars import STEPS, amount, bars, bucket_text
from lkst.replay.formats import objects_text
from lkst.trace.filters import match_events
from lkst.util.printable import as_json, clean
from lkst.util.tables import plain_table

__all__ = ("chosen_counts", "show_counts")

_COLUMNS = ("event", "category", "field", "unit", "low", "high", "count")


def chosen_counts(counts: Counts, catalogue: Catalogue, patterns: Iterable[str] | None) -> Counts:
    """
    Return the counts and histograms of some events.

    :param patterns: patterns as for ``--event``; None: all events
    :raises Usage: if a pattern matches nothing
    """
    if patterns is None:
        return counts
    wanted = {event.id for event in match_events(catalogue, patterns)}
    return Counts(
        {id_: count for id_, count in counts.events.items() if id_ in wanted},
        [hist for hist in counts.histograms if hist.event.id in wanted],
        counts.faults,
    )


def show_counts(counts: Counts, catalogue: Catalogue, form: str) -> str:
    """
    Format counts and histograms; the text ends with a newline.

    :param form: text, jsonl, csv or json
    """
    if form == "text":
        return _text(counts, catalogue)
    if form == "json":
        return _json(counts, catalogue)
    return objects_text(_rows(counts, catalogue), form, _COLUMNS)


def _rows(counts: Counts, catalogue: Catalogue) -> Iterator[dict[str, Any]]:
    """Return a row for each counted event and for each bucket that is not empty."""
    for id_, count in sorted(counts.events.items()):
        event = catalogue.events[id_]
        cells = (event.name, event.category, None, None, None, None, count)
        yield dict(zip(_COLUMNS, cells, strict=True))
    for hist in counts.histograms:
        field = (hist.field.name, hist.field.unit) if hist.field else (None, None)
        for number, count in enumerate(hist.buckets):
            if count:
                where = (hist.event.name, hist.event.category, *field)
                cells = (*where, *_bounds(number), count)
                yield dict(zip(_COLUMNS, cells, strict=True))


def _text(counts: Counts, catalogue: Catalogue) -> str:
    """Format counts as a table, then histograms."""
    rows = [
        (catalogue.events[id_].name, catalogue.events[id_].category, count)
        for id_, count in sorted(counts.events.items())
    ]
    table = plain_table(rows, ["event", "category", "counted"], "llr")
    return "\n".join([table + "\n", *map(_histogram, counts.histograms)])


def _histogram(hist: Histogram) -> str:
    unit = hist.field.unit if hist.field else ""
    title = (
        f"{hist.event.name} {_field(hist)}: {hist.count} values, mean {_mean(hist.mean, unit)}\n"
    )
    filled = [number for number, count in enumerate(hist.buckets) if count]
    numbers = range(filled[0], filled[-1] + 1)
    texts = [bucket_text(*_bounds(number), unit) for number in numbers]
    return title + bars(texts, [hist.buckets[number] for number in numbers])


def _field(hist: Histogram) -> str:
    # Name of the field, with its unit.
    if hist.field is None:
        return "?"
    name = clean(hist.field.name)
    return f"{name} ({clean(hist.field.unit)})" if hist.field.unit not in STEPS else name


def _bounds(number: int) -> tuple[int | None, int | None]:
    # Bounds of a bucket: low <= value < high; None: no bound.
    low = 1 << (number - 1) if number else None
    return low, 1 << number if number < layout.BUCKETS - 1 else None


def _mean(value: float, unit: str) -> str:
    return amount(value, unit) if unit == "ns" else f"{value:.6g}"


def _json(counts: Counts, catalogue: Catalogue) -> str:
    """Return counts as one JSON object; a bound of a bucket is null if there is none."""
    answer = {
        "events": [
            {
                "event": catalogue.events[id_].name,
                "category": catalogue.events[id_].category,
                "counted": count,
            }
            for id_, count in sorted(counts.events.items())
        ],
        "histograms": [
            {
                "event": hist.event.name,
                "field": hist.field.name if hist.field else None,
                "unit": hist.field.unit if hist.field else "",
                "count": hist.count,
                "sum": hist.total,
                "mean": hist.mean,
                "buckets": [
                    dict(zip(("low", "high", "count"), (*_bounds(number), count), strict=True))
                    for number, count in enumerate(hist.buckets)
                    if count
                ],
            }
            for hist in counts.histograms
        ],
        "faults": counts.faults,
    }
    return as_json(answer, indent=2) + "\n"
